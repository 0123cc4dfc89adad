"""Names in braces in texts: `{dir}`, `{port.health}`. `{{name}}` stands for `{name}`; all else is itself."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)*"
_TEMPLATE = re.compile(rf"\{{\{{({_NAME})\}}\}}|\{{({_NAME})\}}")


def names_in(text: str) -> Iterator[str]:
    """The names in a text, in order."""
    return (found[2] for found in _TEMPLATE.finditer(text) if found[2])


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its names replaced. One that `values` lacks stays, to be replaced later."""

    def value(found: re.Match[str]) -> str:
        return f"{{{found[1]}}}" if found[1] else values.get(found[2], found[0])

    return _TEMPLATE.sub(value, text)


def filled_known(value: Any, values: Mapping[str, str]) -> Any:
    """Plain data with the names that are known replaced, all else as it is: what else is in braces is for someone else."""
    if isinstance(value, str):
        return _TEMPLATE.sub(lambda found: found[0] if found[1] else values.get(found[2], found[0]), value)
    if isinstance(value, list | tuple):
        return [filled_known(each, values) for each in value]
    if isinstance(value, Mapping):
        return {filled_known(key, values): filled_known(each, values) for key, each in value.items()}
    return value


def texts_in(value: Any) -> Iterator[str]:
    """All texts in plain data, keys of mappings included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts_in(each)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from texts_in(key)
            yield from texts_in(each)


def filled(value: Any, values: Mapping[str, str]) -> Any:
    """Plain data with the names in all its texts replaced."""
    if isinstance(value, str):
        return fill(value, values)
    if isinstance(value, list | tuple):
        return [filled(each, values) for each in value]
    if isinstance(value, Mapping):
        return {fill(key, values): filled(each, values) for key, each in value.items()}
    return value
