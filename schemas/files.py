"""The schema files."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from schemas.validator import Schema

DIRECTORY = Path(__file__).parent


@cache
def read_schema(name: str) -> Schema:
    """The JSON Schema `schemas/<name>.schema.json`."""
    schema: Schema = json.loads((DIRECTORY / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


def resolve(schema: Schema) -> Schema:
    """A schema with what it refers to."""
    while "$ref" in schema:
        target: Any = read_schema("scenario")
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema
