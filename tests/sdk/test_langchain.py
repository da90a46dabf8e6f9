"""LangChain's OpenAI classes against a running router."""

import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings


@pytest.fixture(scope="module")
def chat(router):
    return lambda model: ChatOpenAI(model=model, base_url=f"{router}/v1", api_key="k", max_retries=0)


def test_invoke(chat):
    reply = chat("chat").invoke("Hey")
    assert reply.content.startswith("Hello") and reply.usage_metadata["total_tokens"] > 0


def test_stream(chat):
    assert "".join(chunk.content for chunk in chat("chat").stream("Hey")).startswith("Hello")


def test_tools(chat):
    def weather(city: str) -> str:
        """Tells the weather of a city."""
        return city

    reply = chat("tools").bind_tools([weather]).invoke("Hey")
    assert reply.tool_calls[0]["name"] == "weather"


def test_batch(chat):
    assert len(chat("chat").batch(["one", "two", "three"])) == 3


def test_embeddings(router):
    embeddings = OpenAIEmbeddings(
        model="text-embedding-3-small", base_url=f"{router}/v1", api_key="k", check_embedding_ctx_length=False
    )
    assert len(embeddings.embed_documents(["one", "two"])) == 2


def test_errors(chat):
    with pytest.raises(openai.RateLimitError):
        chat("s429").invoke("Hey")


def test_a_stream_cut_upstream_raises(chat):
    with pytest.raises(openai.APIError):
        list(chat("cut").stream("Hey"))
