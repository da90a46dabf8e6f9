"""What is sent to providers, held against the schemas that they publish: the types their own SDKs were generated with."""

import typing

import botocore.session
import botocore.validate
import cohere
import openai
import pydantic
import pytest
from anthropic.types import message_create_params as messages
from google.genai import types as google
from ollama._types import ChatRequest
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses

from formats import PIXEL, SCHEMA, check, unfit

TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": SCHEMA}}
    for name in ("weather", "clock")
]


def call(id, name):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": '{"city":"Oslo"}'}}


CALLS = [
    {"role": "system", "content": "Use the tools."},
    {"role": "user", "content": "Weather and time in Oslo?"},
    {"role": "assistant", "content": "Let me see.", "tool_calls": [call("call_1", "weather"), call("call_2", "clock")]},
    {"role": "tool", "tool_call_id": "call_1", "content": '{"celsius": -3}'},
    {"role": "tool", "tool_call_id": "call_2", "content": "noon"},
    {"role": "user", "content": "Thanks. And in Rome?"},
]
PICTURE = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        ],
    }
]
CITY = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
ASKS = {
    "text": {"messages": CALLS[:2], "temperature": 0.5, "top_p": 0.9, "max_tokens": 50, "stop": ["END"], "user": "u"},
    "tools": {"messages": CALLS, "tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False},
    "named": {"messages": CALLS, "tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "clock"}}},
    "image": {"messages": PICTURE},
    "json": {"messages": CALLS[:2], "response_format": CITY},
    "thinking": {"messages": CALLS[:2], "reasoning_effort": "low", "max_tokens": 3000},
    "sampling": {"messages": CALLS[:2], "seed": 7, "frequency_penalty": 0.1, "presence_penalty": 0.1, "n": 1},
}


def bedrock(body):
    session = botocore.session.get_session()
    model = session.get_service_model("bedrock-runtime").operation_model("Converse").input_shape
    report = botocore.validate.ParamValidator().validate({**body, "modelId": "m"}, model)
    known = set(model.members)
    assert not report.has_errors() and set(body) <= known, report.generate_report()


class Generate(pydantic.BaseModel, extra="forbid"):
    """The body of Google's `generateContent`, of the SDK's types."""

    contents: list[google.Content]
    systemInstruction: google.Content | None = None
    tools: list[google.Tool] | None = None
    toolConfig: google.ToolConfig | None = None
    safetySettings: list[google.SafetySetting] | None = None
    generationConfig: google.GenerationConfig | None = None
    labels: dict[str, str] | None = None


class Chat(pydantic.BaseModel, extra="forbid"):
    """The body of Cohere's `/v2/chat`, of the SDK's types."""

    model: str
    stream: bool = False
    messages: list[cohere.ChatMessageV2]
    tools: list[cohere.ToolV2] | None = None
    strict_tools: bool | None = None
    response_format: cohere.ResponseFormatV2 | None = None
    max_tokens: int | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    k: int | None = None
    p: float | None = None
    logprobs: bool | None = None
    tool_choice: typing.Literal["REQUIRED", "NONE"] | None = None
    thinking: cohere.Thinking | None = None


def fits(kind, body):
    # Older models take what the newest do not, and the SDK's types are the newest ones'.
    if kind is messages.MessageCreateParamsNonStreaming:
        body = {key: value for key, value in body.items() if key not in ("temperature", "top_p", "top_k")}
    assert unfit(kind, body) is None


SCHEMAS = {
    "gpt": ("f-gpt", lambda body: fits(chat.CompletionCreateParamsNonStreaming, body)),
    "claude": ("f-claude", lambda body: fits(messages.MessageCreateParamsNonStreaming, body)),
    "gemini": ("f-gemini", lambda body: check(Generate, body)),
    "vertex": ("f-vertex", lambda body: check(Generate, body)),
    "bedrock": ("f-bedrock", bedrock),
    "cohere": ("f-cohere", lambda body: check(Chat, body)),
    "ollama": ("f-ollama", lambda body: check(ChatRequest, body)),
}


@pytest.fixture(scope="module")
def client(formats):
    return openai.OpenAI(base_url=f"{formats}/v1", api_key="k", max_retries=0)


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("model", SCHEMAS)
def test_what_is_sent(client, providers, model, ask):
    client.chat.completions.create(model=model, **ASKS[ask])
    provider, validate = SCHEMAS[model]
    validate(providers.last(provider)["body"])


def test_what_is_sent_of_responses(client, providers):
    client.responses.create(model="gpt", input="Hey", max_output_tokens=50)
    fits(responses.ResponseCreateParamsNonStreaming, providers.last("f-gpt")["body"])
