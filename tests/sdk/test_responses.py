"""The OpenAI SDK's responses API against deployments that speak every format."""

import json

import openai
import pydantic
import pytest
from openai.types.responses import Response, ResponseStreamEvent

from formats import MODELS, PIXEL, SCHEMA, TEXT, TOOL_MODELS, check

TOOLS = [
    {"type": "function", "name": name, "description": f"The {name}.", "parameters": SCHEMA, "strict": False}
    for name in ("weather", "clock")
]


@pytest.fixture(scope="module")
def client(formats):
    return openai.OpenAI(base_url=f"{formats}/v1", api_key="sk-client", max_retries=0)


@pytest.mark.parametrize("model", MODELS)
def test_text(client, model):
    response = client.responses.with_raw_response.create(
        model=model, instructions="Be brief.", input="Hey", max_output_tokens=50, temperature=0.5
    )
    check(Response, json.loads(response.text))
    reply = response.parse()
    assert reply.output_text.split() == TEXT.split() and reply.status == "completed"
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_stream(client, model):
    events = list(client.responses.create(model=model, input=[{"role": "user", "content": "Hey"}], stream=True))
    for event in events:
        check(ResponseStreamEvent, event.to_dict())
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text.split() == TEXT.split() == events[-1].response.output_text.split()


@pytest.mark.parametrize("model", TOOL_MODELS)
@pytest.mark.parametrize("streamed", [False, True])
def test_tools(client, model, streamed):
    ask = [{"role": "user", "content": "Weather and time in Oslo?"}]
    if streamed:
        with client.responses.stream(model=model, input=ask, tools=TOOLS) as stream:
            reply = stream.get_final_response()
    else:
        reply = client.responses.create(model=model, input=ask, tools=TOOLS)
    calls = [item for item in reply.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["weather", "clock"]
    assert all(isinstance(json.loads(call.arguments), dict) for call in calls)
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "-3"} for call in calls]
    history = ask + [item.to_dict() for item in reply.output] + results + [{"role": "user", "content": "Thanks."}]
    assert client.responses.create(model=model, input=history, tools=TOOLS).output


@pytest.mark.parametrize("model", MODELS)
def test_image(client, model):
    content = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
    ]
    assert client.responses.create(model=model, input=[{"role": "user", "content": content}]).output


class City(pydantic.BaseModel):
    name: str
    population: int


@pytest.mark.parametrize("model", MODELS)
def test_json_schema(client, model):
    assert client.responses.parse(model=model, input="A city.", text_format=City).output_parsed


@pytest.mark.parametrize("model", ["gpt", "claude"])
def test_what_would_be_kept_is_refused(client, model):
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=model, input="Hey", previous_response_id="resp_1")
    assert raised.value.param == "previous_response_id"


def test_what_both_speak_passes_and_is_not_kept(client, providers):
    client.responses.create(model="gpt", input="Hey", store=True)
    seen = providers.last("f-gpt")
    assert seen["path"].endswith("/v1/responses") and seen["body"]["store"] is False


@pytest.mark.parametrize("model", ["gpt-busy", "claude-busy"])
def test_rate_limits_are_rate_limits(client, model):
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model=model, input="Hey")


@pytest.mark.parametrize("model", ["gpt-cut", "claude-cut", "gemini-cut"])
def test_a_stream_cut_upstream_raises(client, model):
    with pytest.raises(openai.APIError):
        with client.responses.stream(model=model, input="Hey") as stream:
            stream.get_final_response()


def test_azures_sdk(formats):
    client = openai.AzureOpenAI(azure_endpoint=formats, api_key="k", api_version="2025-04-01-preview", max_retries=0)
    assert client.responses.create(model="claude", input="Hey").output_text.split() == TEXT.split()
