"""The Anthropic SDK against deployments that speak every format."""

import anthropic
import pytest
from anthropic.types import Message

from formats import MODELS, PIXEL, SCHEMA, TEXT, TOOL_MODELS, check

HEY = [{"role": "user", "content": "Hey"}]
TOOLS = [{"name": name, "description": f"The {name}.", "input_schema": SCHEMA} for name in ("weather", "clock")]


@pytest.fixture(scope="module")
def client(formats):
    return anthropic.Anthropic(base_url=formats, api_key="sk-client", max_retries=0)


def ask(client, model, messages=HEY, **more):
    return client.messages.create(model=model, max_tokens=100, messages=messages, **more)


@pytest.mark.parametrize("model", MODELS)
def test_text(client, model):
    reply = ask(client, model, system="Be brief.", stop_sequences=["END"])
    check(Message, reply.to_dict())
    assert reply.content[0].text.split() == TEXT.split()
    assert (reply.stop_reason, reply.role, reply.type) == ("end_turn", "assistant", "message")
    assert reply.usage.input_tokens > 0 and reply.usage.output_tokens > 0
    assert reply._request_id


@pytest.mark.parametrize("model", MODELS)
def test_stream(client, model):
    with client.messages.stream(model=model, max_tokens=100, messages=HEY) as stream:
        text = "".join(stream.text_stream)
        reply = stream.get_final_message()
    assert text.split() == TEXT.split() == reply.content[0].text.split()
    assert reply.stop_reason == "end_turn" and reply.usage.output_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_events_come_in_their_order(client, model):
    stream = client.messages.create(model=model, max_tokens=100, messages=HEY, stream=True)
    kinds = [event.type for event in stream if event.type != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}


@pytest.mark.parametrize("model", TOOL_MODELS)
@pytest.mark.parametrize("streamed", [False, True])
def test_tools(client, model, streamed):
    question = [{"role": "user", "content": "Weather and time in Oslo?"}]
    if streamed:
        with client.messages.stream(model=model, max_tokens=100, messages=question, tools=TOOLS) as stream:
            reply = stream.get_final_message()
    else:
        reply = ask(client, model, question, tools=TOOLS)
    calls = [block for block in reply.content if block.type == "tool_use"]
    assert reply.stop_reason == "tool_use"
    assert [call.name for call in calls] == ["weather", "clock"] and all(isinstance(call.input, dict) for call in calls)
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "-3"} for call in calls]
    history = question + [
        {"role": "assistant", "content": [block.to_dict() for block in reply.content]},
        {"role": "user", "content": [*results, {"type": "text", "text": "Thanks."}]},
    ]
    assert ask(client, model, history, tools=TOOLS, tool_choice={"type": "any"}).content


@pytest.mark.parametrize("model", MODELS)
def test_image(client, model):
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    assert ask(client, model, [{"role": "user", "content": content}]).content


def test_what_both_speak_passes_as_it_is(client, providers):
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    reply = client.messages.with_raw_response.create(
        model="claude", max_tokens=100, system=system, messages=HEY, extra_headers={"anthropic-beta": "some-beta"}
    )
    seen = providers.last("f-claude")
    assert seen["body"]["system"] == system and seen["body"]["max_tokens"] == 100
    assert seen["headers"]["anthropic-beta"] == "some-beta" and seen["headers"]["x-api-key"] == "sk-claude"
    assert reply.parse().usage.cache_read_input_tokens == 4


@pytest.mark.parametrize("model", ["claude", "vertex-claude", "gpt", "gemini"])
def test_count_tokens(client, model):
    assert client.messages.count_tokens(model=model, messages=HEY).input_tokens > 0


@pytest.mark.parametrize(
    "model, error",
    [
        ("claude-busy", anthropic.RateLimitError),
        ("gpt-busy", anthropic.RateLimitError),
        ("gemini-busy", anthropic.RateLimitError),
        ("nobody", anthropic.NotFoundError),
    ],
)
def test_errors_have_the_shape_that_the_sdk_reads(client, model, error):
    with pytest.raises(error) as raised:
        ask(client, model)
    assert raised.value.body["type"] == "error" and raised.value.body["error"]["message"]
    assert raised.value.body["error"]["type"] == ("not_found_error" if model == "nobody" else "rate_limit_error")


@pytest.mark.parametrize("model", ["gpt-cut", "claude-cut", "gemini-cut"])
def test_a_stream_cut_upstream_raises(client, model):
    with pytest.raises(anthropic.APIError):
        for _ in client.messages.create(model=model, max_tokens=100, messages=HEY, stream=True):
            pass


def test_a_wrong_request_is_named(client):
    with pytest.raises(anthropic.BadRequestError) as raised:
        ask(client, "gpt", [{"role": "robot", "content": "Hey"}])
    assert "messages[0].role" in str(raised.value)


def test_models_are_listed(client):
    assert "claude" in [model.id for model in client.models.list()]


def test_async(formats):
    import asyncio

    async def run():
        client = anthropic.AsyncAnthropic(base_url=formats, api_key="k", max_retries=0)
        return await client.messages.create(model="gpt", max_tokens=100, messages=HEY)

    assert asyncio.run(run()).content[0].text
