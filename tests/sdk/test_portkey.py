"""Portkey's SDK against a running router: nothing but its base URL is another."""

import asyncio
import json
import time
import uuid

import httpx
import openai
import portkey_ai
import pytest
from conftest import MASTER_KEY
from portkey_ai import AsyncPortkey, Portkey
from portkey_ai._vendor import openai as errors  # The SDK exports no classes for what it raises.

HEY = [{"role": "user", "content": "Hey"}]
ONE = "Hello there friend of mine"
TWO = "Greetings from the other one"
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def portkey(router):
    """Makes clients of the router."""
    return lambda **options: Portkey(base_url=f"{router}/v1", **options)


@pytest.fixture(scope="module")
def at(providers):
    """Makes targets at simulated providers."""

    def target(provider, **members):
        host = f"{providers.url}/{provider}/v1"
        return {"provider": "openai", "api_key": "sk-portkey", "custom_host": host, **members}

    return target


def said(reply):
    return " ".join(reply.choices[0].message.content.split())


def streamed(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def logged(router, trace_id):
    """The only record of a trace, once it is written."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if rows := httpx.get(f"{router}/router/logs", params={"trace_id": trace_id}).json()["logs"]:
            (row,) = rows
            return row
        time.sleep(0.01)
    raise AssertionError(f"nothing was logged of {trace_id}")


def test_chat(portkey, at, providers):
    client = portkey(api_key="any", config=at("pk-one"))
    reply = client.chat.completions.create(model="gpt-4o", messages=HEY, max_tokens=50)
    assert said(reply) == ONE and reply.usage.total_tokens > 0
    seen = providers.last("pk-one")
    assert seen["headers"]["authorization"] == "Bearer sk-portkey"
    assert seen["body"] == {"model": "gpt-4o", "messages": HEY, "max_tokens": 50}
    headers = reply.get_headers()
    assert headers["provider"] == "openai"
    assert headers["last-used-option-index"] == "config"
    assert headers["retry-attempt-count"] == "0"
    assert headers["cache-status"] == "DISABLED"
    assert headers["trace-id"]


def test_stream(portkey, at):
    client = portkey(config=at("pk-one"))
    chunks = list(client.chat.completions.create(model="gpt-4o", messages=HEY, stream=True))
    words = [chunk.choices[0].delta.content.strip() for chunk in chunks if chunk.choices[0].delta.content]
    assert words == ONE.split()
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_async_client(router, at):
    async def both():
        client = AsyncPortkey(base_url=f"{router}/v1", config=at("pk-one"))
        whole = await client.chat.completions.create(model="gpt-4o", messages=HEY)
        stream = await client.chat.completions.create(model="gpt-4o", messages=HEY, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        return whole.choices[0].message.content, text

    whole, stream = asyncio.run(both())
    assert whole == stream and whole.split() == ONE.split()


def test_embeddings(portkey, at):
    client = portkey(config=at("pk-one"))
    reply = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert [item.index for item in reply.data] == [0, 1]
    assert reply.data[0].embedding


def test_tools(portkey, at):
    client = portkey(config=at("pk-tools"))
    reply = client.chat.completions.create(model="gpt-4o", messages=HEY, tools=[WEATHER])
    assert reply.choices[0].message.tool_calls[0].function.name == "weather"
    assert reply.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("written", [lambda config: config, json.dumps], ids=["dict", "string"])
def test_a_config_is_a_dict_or_json(portkey, at, providers, written):
    config = {"strategy": {"mode": "single"}, "targets": [at("pk-two", override_params={"model": "set"})]}
    client = portkey(config=written(config))
    assert said(client.chat.completions.create(model="gpt-4o", messages=HEY)) == TWO
    assert providers.last("pk-two")["body"]["model"] == "set"


def test_a_config_is_known_by_its_id(portkey, providers):
    client = portkey(config="pc-saved")
    assert said(client.chat.completions.create(messages=HEY)) == ONE
    assert providers.last("pk-one")["body"]["model"] == "saved-model"
    with pytest.raises(errors.BadRequestError, match="Invalid config id passed"):
        portkey(config="pc-nobody").chat.completions.create(messages=HEY)


def test_a_config_is_saved_and_changed_while_the_router_runs(router, portkey, at):
    client = portkey(config="pc-put")
    for name, text in [("pk-one", ONE), ("pk-two", TWO)]:
        assert httpx.put(f"{router}/router/configs/pc-put", json=at(name)).status_code == 200
        assert said(client.chat.completions.create(model="gpt-4o", messages=HEY)) == text


def test_a_model_may_be_left_out(portkey, at, providers):
    named = at("pk-one", override_params={"model": "named-by-config"})
    assert portkey(config=named).chat.completions.create(messages=HEY).choices
    assert providers.last("pk-one")["body"]["model"] == "named-by-config"
    with pytest.raises(errors.BadRequestError, match="`model` is missing"):
        portkey(config=at("pk-one")).chat.completions.create(messages=HEY)


def test_headers_name_a_provider_without_a_config(portkey, providers):
    host = f"{providers.url}/pk-one/v1"
    client = portkey(provider="openai", Authorization="sk-portkey", custom_host=host)
    reply = client.chat.completions.create(model="gpt-4o", messages=HEY)
    assert said(reply) == ONE and reply.get_headers()["provider"] == "openai"
    assert providers.last("pk-one")["headers"]["authorization"] == "Bearer sk-portkey"


def test_ollama_needs_no_key(portkey, providers):
    client = portkey(provider="ollama", custom_host=f"{providers.url}/pk-local")
    reply = client.chat.completions.create(model="llama3", messages=HEY)
    assert reply.get_headers()["provider"] == "ollama"
    seen = providers.last("pk-local")
    assert seen["path"] == "/pk-local/v1/chat/completions", "its host is written without /v1"
    assert "authorization" not in seen["headers"], "the SDK's placeholder is no key"


@pytest.mark.parametrize(
    "options", [{"virtual_key": "pk-key"}, {"provider": "@pk-key"}, {"config": {"virtual_key": "pk-key"}}]
)
def test_a_virtual_key(portkey, options):
    reply = portkey(**options).chat.completions.create(model="gpt-4o", messages=HEY)
    assert said(reply) == ONE


def test_a_virtual_key_in_the_models_name(portkey, providers):
    assert portkey().chat.completions.create(model="@pk-key/gpt-4o", messages=HEY).choices
    assert providers.last("pk-one")["body"]["model"] == "gpt-4o"
    with pytest.raises(errors.BadRequestError, match="Following keys are not valid: nobody"):
        portkey(virtual_key="nobody").chat.completions.create(model="gpt-4o", messages=HEY)


def test_the_routers_key_is_portkeys_key(guarded_router, at):
    url, hey = f"{guarded_router}/v1", {"model": "gpt-4o", "messages": HEY}
    assert said(Portkey(base_url=url, api_key=MASTER_KEY, virtual_key="pk-key").chat.completions.create(**hey)) == ONE
    with pytest.raises(errors.AuthenticationError):
        Portkey(base_url=url, api_key="another", virtual_key="pk-key").chat.completions.create(**hey)
    # This machine is out of bounds for whoever needs a key.
    with pytest.raises(errors.BadRequestError, match="Invalid config passed") as raised:
        Portkey(base_url=url, api_key=MASTER_KEY, config=at("pk-one")).chat.completions.create(**hey)
    assert "custom_hosts" in raised.value.response.text


def test_the_routers_own_models_need_no_config(portkey):
    reply = portkey(api_key="any").chat.completions.create(model="chat", messages=HEY)
    assert said(reply) == ONE
    assert "chat" in [model.id for model in portkey().models.list().data]


def test_a_trace_is_found_again(router, portkey, at):
    trace_id = uuid.uuid4().hex
    client = portkey(config=at("pk-one")).with_options(trace_id=trace_id, metadata={"_user": "u1", "team": "x"})
    reply = client.chat.completions.create(model="gpt-4o", messages=HEY)
    assert reply.get_headers()["trace-id"] == trace_id
    row = logged(router, trace_id)
    assert (row["model"], row["group"], row["status"]) == ("gpt-4o", "openai", 200)
    assert row["deployment"] == reply._headers["x-weighbridge-deployment"]
    assert row["plan_path"] == "config"
    assert row["usage"]["total_tokens"] == reply.usage.total_tokens > 0
    assert row["metadata"] == {"_user": "u1", "team": "x"}


def test_a_fallback(router, portkey, at, providers):
    config = {"strategy": {"mode": "fallback"}, "targets": [at("pk-broken"), at("pk-two", name="second")]}
    trace_id, before = uuid.uuid4().hex, providers.calls("pk-broken")
    reply = portkey(config=config, trace_id=trace_id).chat.completions.create(model="gpt-4o", messages=HEY)
    assert said(reply) == TWO
    assert reply.get_headers()["last-used-option-index"] == "config.targets[1]"
    assert providers.calls("pk-broken") == before + 1
    row = logged(router, trace_id)
    assert (row["group"], row["fallbacks"], row["plan_path"]) == ("second", 1, "config.targets[1]")
    assert [attempt["status"] for attempt in row["attempts"]] == [500, 200]


def test_a_stream_that_fails_before_content_falls_back_unseen(portkey, at):
    config = {"strategy": {"mode": "fallback"}, "targets": [at("pk-early"), at("pk-two")]}
    stream = portkey(config=config).chat.completions.create(model="gpt-4o", messages=HEY, stream=True)
    assert streamed(stream).split() == TWO.split()


def test_a_load_balance_takes_turns(portkey, at):
    targets = [at("pk-one", weight=0.75), at("pk-two", weight=0.25)]
    client = portkey(config={"strategy": {"mode": "loadbalance"}, "targets": targets})
    replies = [said(client.chat.completions.create(model="gpt-4o", messages=HEY)) for _ in range(8)]
    assert (replies.count(ONE), replies.count(TWO)) == (6, 2)


@pytest.mark.parametrize("by_header", [True, False])
def test_a_timeout_is_408(portkey, at, by_header):
    if by_header:
        client = portkey(config=at("pk-slow"), request_timeout=100)
    else:
        client = portkey(config=at("pk-slow", request_timeout=100))
    with pytest.raises(errors.APIStatusError) as raised:
        client.chat.completions.create(model="gpt-4o", messages=HEY)
    assert raised.value.status_code == 408
    error = raised.value.response.json()["error"]
    assert error["message"] == "Request exceeded the timeout sent in the request: 100ms"
    assert error["type"] == "timeout_error"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"strategy": {"mode": "zzz"}, "targets": []}, "Invalid 'mode' value. Must be one of: single, loadbalance"),
        ({"strategy": {"mode": "fallback"}, "targets": [{"provider": "openai"}]}, "path: targets,0, message: Invalid"),
        ({"provider": "nobody", "api_key": "k"}, "Invalid 'provider' value"),
        ("{no json", "You need to pass a valid json"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_bad_config_is_a_bad_request(portkey, config, message, stream):
    with pytest.raises(errors.BadRequestError) as raised:
        portkey(config=config).chat.completions.create(model="gpt-4o", messages=HEY, stream=stream)
    body = raised.value.response.json()
    assert body["status"] == "failure" and body["message"].startswith("Invalid config passed")
    assert message in raised.value.response.text
    assert "Invalid config passed" in str(raised.value)


@pytest.mark.parametrize("name", ["pk-broken", "pk-limited"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_does_not_double_a_failed_call(portkey, at, providers, name, stream):
    error = errors.InternalServerError if name == "pk-broken" else errors.RateLimitError
    before = providers.calls(name)
    with pytest.raises(error):
        portkey(config=at(name)).chat.completions.create(model="gpt-4o", messages=HEY, stream=stream)
    assert providers.calls(name) == before + 1


def test_a_stream_cut_upstream_raises(router, portkey, at):
    text, trace_id = "", uuid.uuid4().hex
    stream = portkey(config=at("pk-cut"), trace_id=trace_id).chat.completions.create(
        model="gpt-4o", messages=HEY, stream=True
    )
    with pytest.raises(errors.APIError):
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text.split() == ["one", "two"]
    assert logged(router, trace_id)["kind"]


def test_the_plain_openai_sdk_with_portkeys_headers(router, at, providers):
    trace_id = uuid.uuid4().hex
    headers = portkey_ai.createHeaders(config=at("pk-one"), trace_id=trace_id, metadata={"team": "x"})
    client = openai.OpenAI(base_url=f"{router}/v1", api_key="any", default_headers=headers)
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HEY)
    assert said(raw.parse()) == ONE
    assert raw.headers["x-portkey-trace-id"] == trace_id
    assert logged(router, trace_id)["metadata"] == {"team": "x"}
    host = f"{providers.url}/pk-one/v1"
    by_headers = portkey_ai.createHeaders(provider="openai", custom_host=host)
    client = openai.OpenAI(base_url=f"{router}/v1", api_key="sk-portkey", default_headers=by_headers)
    assert said(client.chat.completions.create(model="gpt-4o", messages=HEY)) == ONE
