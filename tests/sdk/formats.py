"""What the tests of formats have in common: the models, tools, and what their providers' published schemas say."""

import collections.abc
import types
import typing

import pydantic
import typing_extensions

TEXT = "Hello there friend of mine"
MODELS = ["gpt", "gpt-pro", "claude", "gemini", "vertex", "vertex-claude", "bedrock", "cohere", "ollama", "acme"]
TOOL_MODELS = [f"{model}-tools" for model in MODELS if model != "acme"]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}},
    "required": ["city"],
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def check(kind, value):
    """A reply against the type that an SDK was generated with from its provider's schema."""
    pydantic.TypeAdapter(kind).validate_python(value)
    return value


WRAPPERS = (typing.Required, typing.NotRequired, typing.Annotated)


def unfit(kind, value, path="body"):
    """Where `value`, a request, is none of the `TypedDict` that an SDK has for it; unknown keys included. None when it is one.

    Pydantic itself looks at the items of an `Iterable` only when they are asked for, and fails at some of them then.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in WRAPPERS:
        return unfit(arguments[0], value, path)
    if typing_extensions.is_typeddict(kind):
        return unfit_object(kind, value, path)
    if origin in (typing.Union, types.UnionType):
        found = [unfit(argument, value, path) for argument in arguments]
        return None if None in found else max(found, key=len)
    if origin is typing.Literal:
        return None if value in arguments else f"{path}: {value!r} is none of {arguments}"
    if origin in (list, collections.abc.Iterable, collections.abc.Sequence):
        if not isinstance(value, list):
            return f"{path}: no list"
        return next(filter(None, (unfit(arguments[0], item, f"{path}[{at}]") for at, item in enumerate(value))), None)
    if origin is dict:
        return None if isinstance(value, dict) else f"{path}: no object"
    if kind in (object, typing.Any):
        return None
    kind = (int, float) if kind is float else kind
    return None if isinstance(kind, (type, tuple)) and isinstance(value, kind) else f"{path}: {value!r} is no {kind}"


def unfit_object(kind, value, path):
    if not isinstance(value, dict):
        return f"{path}: no object"
    hints = typing_extensions.get_type_hints(kind, include_extras=True)
    missing = set(kind.__required_keys__) - set(value)
    unknown = set(value) - set(hints)
    if missing or unknown:
        return f"{path}: {missing} missing, {unknown} unknown"
    return next(filter(None, (unfit(hints[key], item, f"{path}.{key}") for key, item in value.items())), None)
