"""The OpenAI SDK against a running router."""

import asyncio
import io

import openai
import pytest

HEY = [{"role": "user", "content": "Hey"}]
TEXT = "Hello there friend of mine"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture(scope="module")
def client(router):
    return openai.OpenAI(base_url=f"{router}/v1", api_key="sk-client", max_retries=0)


def test_chat(client, providers):
    reply = client.chat.completions.create(model="chat", messages=HEY, temperature=0.2)
    assert reply.choices[0].message.content.split() == TEXT.split()
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0
    seen = providers.last("good")
    assert seen["headers"]["authorization"] == "Bearer sk-provider"
    assert seen["body"]["temperature"] == 0.2 and seen["body"]["model"] == "gpt-4o-mini"


def test_headers_tell_who_answered(client):
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=HEY)
    assert raw.headers["x-weighbridge-deployment"] == raw.headers["x-litellm-model-id"] == "good"
    assert raw.headers["x-weighbridge-group"] == "chat"
    assert raw.headers["x-portkey-provider"] == "openai"
    assert raw.headers["x-request-id"]


def test_stream(client):
    chunks = list(client.chat.completions.create(model="chat", messages=HEY, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text.split() == TEXT.split()
    assert chunks[-1].choices[0].finish_reason == "stop"
    # Asked for by the router, for its own books; the client did not ask.
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_with_usage(client):
    options = {"include_usage": True}
    stream = client.chat.completions.create(model="chat", messages=HEY, stream=True, stream_options=options)
    usages = [chunk.usage for chunk in stream if chunk.usage]
    assert len(usages) == 1 and usages[0].completion_tokens > 0


def test_stream_helper(client):
    with client.chat.completions.stream(model="chat", messages=HEY) as stream:
        assert stream.get_final_completion().choices[0].message.content.split() == TEXT.split()


def test_async_client(router):
    async def both():
        async with openai.AsyncOpenAI(base_url=f"{router}/v1", api_key="k") as client:
            reply = await client.chat.completions.create(model="chat", messages=HEY)
            stream = await client.chat.completions.create(model="chat", messages=HEY, stream=True)
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            return reply.choices[0].message.content, text

    whole, streamed = asyncio.run(both())
    assert whole == streamed


def test_tools(client):
    reply = client.chat.completions.create(model="tools", messages=HEY, tools=[WEATHER])
    call = reply.choices[0].message.tool_calls[0]
    assert call.function.name == "weather" and reply.choices[0].finish_reason == "tool_calls"


def test_tools_streamed(client):
    name, arguments = "", ""
    for chunk in client.chat.completions.create(model="tools", messages=HEY, tools=[WEATHER], stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    assert name == "weather" and arguments.startswith("{") and arguments.endswith("}")


@pytest.mark.parametrize("encoding", [openai.omit, "float", "base64"])
def test_embeddings(client, encoding):
    reply = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"], encoding_format=encoding)
    assert [item.index for item in reply.data] == [0, 1]
    assert reply.data[0].embedding


def test_other_operations(client):
    assert client.completions.create(model="chat", prompt="Hey").choices[0].text
    assert client.moderations.create(model="chat", input="Hey").results
    assert client.images.generate(model="chat", prompt="a cat").data
    assert client.audio.speech.create(model="chat", input="Hey", voice="alloy").read()
    recording = ("hey.wav", io.BytesIO(b"RIFF....WAVE"), "audio/wav")
    assert client.audio.transcriptions.create(model="chat", file=recording).text


def test_models(client):
    names = [model.id for model in client.models.list()]
    assert "chat" in names and names.count("chat") == 1
    assert client.models.retrieve("chat").object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("s400", openai.BadRequestError),
        ("s401", openai.AuthenticationError),
        ("s403", openai.PermissionDeniedError),
        ("s404", openai.NotFoundError),
        ("s422", openai.UnprocessableEntityError),
        ("s429", openai.RateLimitError),
        ("s500", openai.InternalServerError),
        ("s503", openai.InternalServerError),
        ("nobody", openai.NotFoundError),
        ("small", openai.BadRequestError),
        ("filter", openai.BadRequestError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_raised_as_their_classes(client, model, error, stream):
    messages = [{"role": "user", "content": "Hey, one two three four five six seven eight nine ten"}]
    with pytest.raises(error) as raised:
        client.chat.completions.create(model=model, messages=messages, stream=stream)
    assert raised.value.status_code == raised.value.response.status_code
    assert raised.value.message and raised.value.type
    assert "sk-provider" not in str(raised.value)


def test_codes_survive(client):
    long = [{"role": "user", "content": "one two three four five six seven eight nine ten"}]
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="small", messages=long)
    assert raised.value.code == "context_length_exceeded"


def test_a_timeout_is_408(client):
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model="slow", messages=HEY)
    assert raised.value.status_code == 408


@pytest.mark.parametrize("model", ["s429", "s500"])
def test_the_sdk_does_not_retry_what_the_router_has_retried(router, providers, model):
    client = openai.OpenAI(base_url=f"{router}/v1", api_key="k")
    before = providers.calls(model)
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(model=model, messages=HEY)
    assert providers.calls(model) == before + 1


def test_a_stream_cut_upstream_raises(client):
    text = ""
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(model="cut", messages=HEY, stream=True):
            text += chunk.choices[0].delta.content or ""
    assert text.strip().startswith("one")


def test_a_stream_that_fails_before_content_falls_back_unseen(client):
    raw = client.chat.completions.with_raw_response.create(model="early", messages=HEY, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in raw.parse())
    assert text.split() == TEXT.split()
    assert raw.headers["x-weighbridge-group"] == "chat"


def test_a_fallback_is_invisible(client):
    assert client.chat.completions.create(model="fallback", messages=HEY).choices[0].message.content


def test_controls_travel_in_extra_body_and_no_further(client, providers):
    before = providers.calls("s500")
    body = {"fallbacks": ["chat"], "num_retries": 1, "tags": ["x"], "cooldown_time": 1}
    reply = client.chat.completions.create(model="s500", messages=HEY, extra_body=body)
    assert reply.choices[0].message.content.split() == TEXT.split()
    assert providers.calls("s500") == before + 2
    assert not set(body) & set(providers.last("good")["body"])


def test_a_wrong_key_is_refused(guarded_router):
    wrong = openai.OpenAI(base_url=f"{guarded_router}/v1", api_key="sk-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        wrong.chat.completions.create(model="chat", messages=HEY)
    right = openai.OpenAI(base_url=f"{guarded_router}/v1", api_key="sk-master", max_retries=0)
    assert right.chat.completions.create(model="chat", messages=HEY).choices
