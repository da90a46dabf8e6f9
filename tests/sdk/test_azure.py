"""The Azure client of the OpenAI SDK against a running router."""

import openai
import pytest

HEY = [{"role": "user", "content": "Hey"}]


@pytest.fixture(scope="module")
def client(guarded_router):
    return openai.AzureOpenAI(
        azure_endpoint=guarded_router, api_key="sk-master", api_version="2024-10-21", max_retries=0
    )


@pytest.mark.parametrize("model", ["chat", "azure-chat"])
def test_chat(client, model):
    assert client.chat.completions.create(model=model, messages=HEY).choices[0].message.content


def test_an_azure_deployment_gets_azures_path_and_header(client, providers):
    client.chat.completions.create(model="azure-chat", messages=HEY)
    seen = providers.last("good")
    assert seen["path"].endswith("/openai/deployments/gpt-4o-eu/chat/completions")
    assert "api-version=2024-10-21" in seen["query"]
    assert seen["headers"]["api-key"] == "sk-provider" and "authorization" not in seen["headers"]


def test_stream(client):
    stream = client.chat.completions.create(model="azure-chat", messages=HEY, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_embeddings(client):
    assert client.embeddings.create(model="text-embedding-3-small", input="one").data


def test_a_deployment_in_the_client(guarded_router):
    client = openai.AzureOpenAI(
        azure_endpoint=guarded_router,
        azure_deployment="chat",
        api_key="sk-master",
        api_version="2024-10-21",
        max_retries=0,
    )
    assert client.chat.completions.create(model="ignored", messages=HEY).choices


def test_a_wrong_key_is_refused(guarded_router):
    client = openai.AzureOpenAI(
        azure_endpoint=guarded_router, api_key="sk-wrong", api_version="2024-10-21", max_retries=0
    )
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="chat", messages=HEY)
