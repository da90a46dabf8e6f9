"""Not Diamond's SDK against a running router, only its URL changed; and the example of its page on reliability."""

import asyncio
import uuid

import httpx
import notdiamond
import openai
import pytest

HEY = [{"role": "user", "content": "Hey"}]
DEAR = {"provider": "openai", "model": "gpt-4o-mini"}
CHEAP = {"provider": "azure", "model": "gpt-4o-mini"}
NOBODY = {"provider": "nobody", "model": "nothing"}


@pytest.fixture(scope="module")
def client(router):
    return notdiamond.NotDiamond(base_url=router, api_key="k", max_retries=0)


def names(reply):
    return [(provider.provider, provider.model) for provider in reply.providers]


def test_models_are_ranked(client):
    reply = client.model_router.select_model(llm_providers=[DEAR, CHEAP, NOBODY], messages=HEY, tradeoff="cost")
    assert names(reply) == [("azure", "gpt-4o-mini"), ("openai", "gpt-4o-mini")]
    assert uuid.UUID(reply.session_id).version == 4


def test_each_call_is_a_session(client):
    first = client.model_router.select_model(llm_providers=[DEAR], messages=HEY)
    second = client.model_router.select_model(
        llm_providers=[DEAR], messages=HEY, previous_session=first.session_id, hash_content=True
    )
    assert first.session_id != second.session_id


def test_figures_of_the_client_count(client):
    def custom(model, price, latency):
        figures = {"input_price": price, "output_price": price, "latency": latency, "context_length": 1000}
        return {**model, "is_custom": True, **figures}

    models = [custom(DEAR, 0, 10), custom(CHEAP, 10, 0)]
    select = client.model_router.select_model
    assert names(select(llm_providers=models, messages=HEY, tradeoff="cost"))[0] == ("openai", "gpt-4o-mini")
    assert names(select(llm_providers=models, messages=HEY, tradeoff="latency"))[0] == ("azure", "gpt-4o-mini")
    assert names(select(llm_providers=models, messages=HEY, cost_quality_tradeoff=10))[0][0] == "openai"
    assert len(select(llm_providers=models, messages=HEY, max_model_depth=1).providers) == 1


def test_openrouters_names(client):
    reply = client.model_router.select_model(
        llm_providers=[{"model": "openai/gpt-4o-mini"}], messages="Hey", type="openrouter"
    )
    assert reply.providers[0].model == "openai/gpt-4o-mini"


def test_async_client(router):
    async def select():
        async with notdiamond.AsyncNotDiamond(base_url=router, api_key="k") as client:
            return await client.model_router.select_model(llm_providers=[CHEAP], messages=HEY)

    assert names(asyncio.run(select())) == [("azure", "gpt-4o-mini")]


def test_a_model_that_rests_is_not_chosen(client, router):
    resting = {"provider": "openai", "model": "resting"}
    select = client.model_router.select_model
    assert names(select(llm_providers=[resting, DEAR], messages=HEY))[0] == ("openai", "resting")
    httpx.post(f"{router}/router/deployments/resting-1/cooldown").raise_for_status()
    assert names(select(llm_providers=[resting, DEAR], messages=HEY))[0] == ("openai", "gpt-4o-mini")
    with pytest.raises(notdiamond.BadRequestError):
        client.model_router.select_model(llm_providers=[resting, NOBODY], messages=HEY)
    for default in [0, "openai/resting", resting]:
        reply = client.model_router.select_model(
            llm_providers=[resting, NOBODY], messages=HEY, extra_body={"default": default, "timeout": 5}
        )
        assert names(reply) == [("openai", "resting")]


def test_what_is_wrong_is_raised_as_its_class(client, guarded_router):
    with pytest.raises(notdiamond.BadRequestError):
        client.model_router.select_model(llm_providers=[], messages=HEY)
    with pytest.raises(notdiamond.BadRequestError):
        client.model_router.select_model(llm_providers=[DEAR], messages=HEY, tradeoff="speed")
    with pytest.raises(notdiamond.NotFoundError):
        client.model_router.select_model(llm_providers=[DEAR], messages=HEY, preference_id="p")
    wrong = notdiamond.NotDiamond(base_url=guarded_router, api_key="sk-wrong", max_retries=0)
    with pytest.raises(notdiamond.AuthenticationError):
        wrong.model_router.select_model(llm_providers=[DEAR], messages=HEY)
    right = notdiamond.NotDiamond(base_url=guarded_router, api_key="sk-master", max_retries=0)
    assert right.model_router.select_model(llm_providers=[DEAR], messages=HEY).providers


def test_the_fleets_models(client):
    listed = client.models.list()
    found = [model for model in listed.models if (model.provider, model.model) == ("azure", "gpt-4o-mini")]
    assert len(found) == 1 and found[0].input_price == pytest.approx(1.0) and listed.total == len(listed.models)
    assert {model.provider for model in client.models.list(provider=["azure"]).models} == {"azure"}


def test_reports_change_what_is_chosen(client, router):
    models = [{"provider": "openai", "model": name} for name in ["unreported", "reported"]]

    def select(**how):
        return client.model_router.select_model(llm_providers=models, messages=HEY, **how)

    def report(kind, session, feedback):
        body = {"session_id": session, "provider": models[1], "feedback": feedback}
        return httpx.post(f"{router}/v2/report/metrics/{kind}", json=body)

    assert names(select())[0][1] == "unreported"
    session = select().session_id
    assert report("feedback", session, {"accuracy": 1}).json() == {"session_id": session, "feedback": {"accuracy": 1}}
    assert names(select())[0][1] == "reported"
    assert report("feedback", session, {"accuracy": 0}).status_code == 200
    assert names(select())[0][1] == "unreported"
    assert report("latency", session, {"tokens_per_second": 80.5}).json()["tokens_per_second"] == 80.5
    assert names(select(tradeoff="latency"))[0][1] == "reported"
    assert report("feedback", session, {"accuracy": 0.5}).status_code == 400
    assert report("feedback", "NO-SESSION-ID", {"accuracy": 1}).json() == {
        "detail": "Session ID NO-SESSION-ID not found."
    }


def test_a_wrong_key_at_azure_recovers(router, providers):
    """`notdiamond.init` with an Azure client whose key is wrong, models in order, and retries by model."""
    client = openai.AzureOpenAI(azure_endpoint=router, api_key="wrong", api_version="2024-10-21", max_retries=0)
    before = providers.calls("azure"), providers.calls("backup")
    raw = client.chat.completions.with_raw_response.create(
        model="azure/gpt-4o-mini",
        messages=HEY,
        extra_body={
            "models": ["azure/gpt-4o-mini", "openai/gpt-4o-mini"],
            "max_retries": {"azure/gpt-4o-mini": 3, "openai/gpt-4o-mini": 1},
            "timeout": {"azure/gpt-4o-mini": 10, "openai/gpt-4o-mini": 5},
            "model_messages": {"openai/gpt-4o-mini": [{"role": "system", "content": "Be brief."}]},
            "backoff": {"azure/gpt-4o-mini": 0.1, "openai/gpt-4o-mini": 2},
        },
    )
    assert raw.parse().choices[0].message.content.startswith("Hello there")
    assert raw.headers["x-weighbridge-group"] == "openai/gpt-4o-mini"
    # A key that was refused stays refused: one attempt says so, and the next model is asked at once.
    assert (providers.calls("azure"), providers.calls("backup")) == (before[0] + 1, before[1] + 1)
    seen = providers.last("backup")["body"]
    assert [message["role"] for message in seen["messages"]] == ["system", "user"]
    assert not {"models", "max_retries", "timeout", "model_messages", "backoff"} & set(seen)
