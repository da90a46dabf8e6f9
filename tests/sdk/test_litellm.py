"""LiteLLM as a client of a running router."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import asyncio

import litellm
import pytest

HEY = [{"role": "user", "content": "Hey"}]


@pytest.fixture(params=["openai", "litellm_proxy"])
def target(request, router):
    """The two ways LiteLLM reaches a gateway."""
    return lambda model: {
        "model": f"{request.param}/{model}",
        "api_base": f"{router}/v1",
        "api_key": "sk-client",
        "num_retries": 0,
        "max_retries": 0,
    }


def test_chat(target):
    reply = litellm.completion(**target("chat"), messages=HEY)
    assert reply.choices[0].message.content.startswith("Hello")
    assert reply.usage.total_tokens > 0


def test_stream(target):
    chunks = litellm.completion(**target("chat"), messages=HEY, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).startswith("Hello")


def test_async(target):
    reply = asyncio.run(litellm.acompletion(**target("chat"), messages=HEY))
    assert reply.choices[0].message.content


def test_embeddings(target):
    reply = litellm.embedding(**target("text-embedding-3-small"), input=["one"])
    assert reply.data


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("s400", litellm.BadRequestError),
        ("s401", litellm.AuthenticationError),
        ("s404", litellm.NotFoundError),
        ("s429", litellm.RateLimitError),
        ("s500", litellm.InternalServerError),
        ("nobody", litellm.NotFoundError),
    ],
)
def test_errors(target, model, error):
    with pytest.raises(error):
        litellm.completion(**target(model), messages=HEY)


def test_a_prompt_that_is_too_long(target):
    long = [{"role": "user", "content": "one two three four five six seven eight nine ten"}]
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(**target("small"), messages=long)


def test_a_stream_cut_upstream_raises(target):
    with pytest.raises(Exception, match=".+"):
        list(litellm.completion(**target("cut"), messages=HEY, stream=True))
