"""The OpenAI SDK against deployments that speak every format, each provider refusing what the real one refuses."""

import json

import httpx
import openai
import pydantic
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from formats import MODELS, PIXEL, SCHEMA, TEXT, TOOL_MODELS, check

HEY = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hey"}]
TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": SCHEMA}}
    for name in ("weather", "clock")
]


@pytest.fixture(scope="module")
def client(formats):
    return openai.OpenAI(base_url=f"{formats}/v1", api_key="sk-client", max_retries=0)


def raw(response):
    """The reply as it came, held against OpenAI's schema."""
    return check(ChatCompletion, json.loads(response.text))


@pytest.mark.parametrize("model", MODELS)
def test_text(client, model):
    response = client.chat.completions.with_raw_response.create(
        model=model, messages=HEY, temperature=0.5, max_tokens=50, stop=["END"], user="u-1"
    )
    reply = raw(response)
    assert reply["choices"][0]["message"]["content"].split() == TEXT.split()
    assert reply["choices"][0]["finish_reason"] == "stop"
    usage = reply["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert response.headers["x-weighbridge-group"] == model


@pytest.mark.parametrize("model", MODELS)
def test_no_bound_on_tokens_is_needed(client, model):
    assert client.chat.completions.create(model=model, messages=HEY).choices[0].message.content


@pytest.mark.parametrize("model", MODELS)
def test_stream(client, model):
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=model, messages=HEY, stream=True, stream_options=options))
    for chunk in chunks:
        check(ChatCompletionChunk, chunk.to_dict())
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.split() == TEXT.split()
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(usages) == 1 and usages[0].completion_tokens > 0 and usages[0].prompt_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("model", TOOL_MODELS)
def test_tools(client, model):
    ask = [{"role": "user", "content": "Weather and time in Oslo?"}]
    reply = raw(client.chat.completions.with_raw_response.create(model=model, messages=ask, tools=TOOLS))
    choice = reply["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    calls = choice["message"]["tool_calls"]
    assert len(calls) == 2 and len({call["id"] for call in calls}) == 2
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    # And on with what they returned: the provider refuses a result that belongs to no call.
    results = [{"role": "tool", "tool_call_id": call["id"], "content": '{"celsius": -3}'} for call in calls]
    more = ask + [choice["message"]] + results + [{"role": "user", "content": "Thanks."}]
    assert client.chat.completions.create(model=model, messages=more, tools=TOOLS).choices


@pytest.mark.parametrize("model", TOOL_MODELS)
def test_streamed_tools(client, model):
    ask = [{"role": "user", "content": "Weather and time in Oslo?"}]
    with client.chat.completions.stream(model=model, messages=ask, tools=TOOLS) as stream:
        reply = stream.get_final_completion().choices[0]
    assert reply.finish_reason == "tool_calls"
    assert [call.function.name for call in reply.message.tool_calls] == ["weather", "clock"]
    assert all(isinstance(json.loads(call.function.arguments), dict) for call in reply.message.tool_calls)


@pytest.mark.parametrize("model", TOOL_MODELS)
@pytest.mark.parametrize("choice", ["none", "required", {"type": "function", "function": {"name": "weather"}}])
def test_tool_choices_are_taken(client, model, choice):
    ask = [{"role": "user", "content": "Weather?"}]
    assert client.chat.completions.create(model=model, messages=ask, tools=TOOLS, tool_choice=choice).choices


@pytest.mark.parametrize("model", MODELS)
def test_image(client, model):
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
    ]
    assert client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}]).choices


class City(pydantic.BaseModel):
    name: str
    population: int


@pytest.mark.parametrize("model", MODELS)
def test_json_schema(client, model):
    reply = client.chat.completions.parse(model=model, messages=HEY, response_format=City)
    if reply.choices[0].message.parsed is None:
        # Formats that cannot promise it say so.
        raise AssertionError(reply)


@pytest.mark.parametrize("model", ["claude", "gemini", "bedrock"])
def test_what_a_format_cannot_say_is_told(client, model):
    response = client.chat.completions.with_raw_response.create(model=model, messages=HEY, extra_body={"logit_bias": {"1": 2}})
    assert "logit_bias" in response.headers["x-weighbridge-warnings"]


def test_what_a_format_cannot_say_is_refused_where_that_is_asked(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="strict-claude", messages=HEY, seed=7)
    assert "seed" in str(raised.value) and "drop_params" in str(raised.value)


@pytest.mark.parametrize("model", ["gpt-busy", "claude-busy", "gemini-busy"])
def test_rate_limits_are_rate_limits(client, model):
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model=model, messages=HEY)
    assert raised.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("model", ["gpt-cut", "claude-cut", "gemini-cut", "cohere-cut", "ollama-cut"])
def test_a_stream_cut_upstream_raises(client, model):
    with pytest.raises(openai.APIError):
        for _ in client.chat.completions.create(model=model, messages=HEY, stream=True):
            pass


@pytest.mark.parametrize(
    "model", ["gemini-embed", "vertex-embed", "vertex-gemini-embed", "cohere-embed", "ollama-embed", "bedrock-embed"]
)
def test_embeddings(client, model):
    reply = client.embeddings.create(model=model, input=["one", "two"])
    assert [item.index for item in reply.data] == [0, 1]
    assert all(isinstance(number, float) for number in reply.data[0].embedding)


def test_a_deployment_sets_how_embeddings_are_told(formats):
    reply = httpx.post(f"{formats}/v1/embeddings", json={"model": "cohere-embed-base64", "input": "one"}).json()
    assert isinstance(reply["data"][0]["embedding"], str)


def test_rerank(formats):
    reply = httpx.post(
        f"{formats}/v1/rerank", json={"model": "rerank", "query": "q", "documents": ["a", "b"]}
    ).json()
    assert len(reply["results"]) == 2 and "relevance_score" in reply["results"][0]


def test_a_conversation_moves_on_unseen(client, providers):
    """GPT calls two tools and dies; Claude answers; then it dies too, and Gemini goes on."""
    ask = [{"role": "user", "content": "Is it warmer in Oslo or in Rome?"}]
    first = client.chat.completions.with_raw_response.create(model="first", messages=ask, tools=TOOLS)
    assert first.headers["x-weighbridge-group"] == "first"
    said = first.parse().choices[0].message
    assert len(said.tool_calls) == 2
    results = [{"role": "tool", "tool_call_id": call.id, "content": "-3"} for call in said.tool_calls]
    history = ask + [said.model_dump(exclude_none=True)] + results
    second = client.chat.completions.with_raw_response.create(model="first", messages=history, tools=TOOLS)
    assert second.headers["x-weighbridge-group"] == "second"
    answer = raw(second)["choices"][0]
    assert answer["message"]["content"].split() == "It is warmer in Rome".split() and answer["finish_reason"] == "stop"
    history += [{"role": "assistant", "content": answer["message"]["content"]}, {"role": "user", "content": "Sure?"}]
    with client.chat.completions.stream(model="first", messages=history, tools=TOOLS) as stream:
        third = stream.get_final_completion()
    assert third.choices[0].message.content.split() == "It is warmer in Rome".split()
    assert providers.calls("c-gemini") == 1
