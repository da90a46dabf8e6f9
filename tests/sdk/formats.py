"""What the tests of formats have in common: the models, tools, and what their providers' published schemas say."""

import pydantic

TEXT = "Hello there friend of mine"
MODELS = ["gpt", "claude", "gemini", "vertex", "vertex-claude", "bedrock", "cohere", "ollama", "acme"]
TOOL_MODELS = [f"{model}-tools" for model in MODELS if model != "acme"]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}},
    "required": ["city"],
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def exhaust(value):
    """Pydantic checks the items of an `Iterable` when they are looked at."""
    if isinstance(value, dict):
        return {key: exhaust(item) for key, item in value.items()}
    if isinstance(value, (str, bytes, int, float, type(None))):
        return value
    if hasattr(value, "__iter__") and not isinstance(value, pydantic.BaseModel):
        return [exhaust(item) for item in value]
    return value


def check(kind, value):
    """`value` against the types that an SDK was generated with from its provider's schema."""
    exhaust(pydantic.TypeAdapter(kind).validate_python(value))
    return value
