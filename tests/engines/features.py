"""What of the language scenarios use, and what of it there is to use."""

from collections.abc import Iterator, Mapping
from typing import Any

from soak.schemas.language.registry import language_of
from soak.schemas.language.schema import read_schema

NAMES = frozenset(
    {"name", "rate", "to", "service", "proxy", "of", "good", "total", "kind", "file", "column", "cron", "start"}
)
"""Keys whose values are free text."""


def features(data: Any, where: str = "") -> Iterator[str]:
    """The keys that a scenario writes, by their paths without places in lists, and their values that are words."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            path = f"{where}.{key}" if where else str(key)
            yield path
            yield from features(value, path)
    elif isinstance(data, list):
        for each in data:
            yield from features(each, where)
    elif where.rpartition(".")[2] not in NAMES and str(data).replace("_", "").isalpha():
        yield f"{where}={data}"


def keys(place: str = "") -> Iterator[str]:
    """The keys of the language that scenarios can write, by their paths, below the schema's top or one of its keys."""
    schema = read_schema("scenario")
    yield from _keys(schema["properties"][place] if place else schema, place, schema["$defs"])


def _keys(part: Any, where: str, definitions: Any) -> Iterator[str]:
    part = {**definitions[part["$ref"].rpartition("/")[2]], **part} if "$ref" in part else part
    for key, each in part.get("properties", {}).items():
        path = f"{where}.{key}" if where else key
        yield path
        yield from _keys(each, path, definitions)
    if isinstance(part.get("items"), dict):
        yield from _keys(part["items"], where, definitions)


def fault_types() -> list[str]:
    """The types of faults of a queue."""
    return sorted(language_of("queue").faults)
