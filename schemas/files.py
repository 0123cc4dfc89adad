"""The schema files."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from schemas.validator import Schema

DIRECTORY = Path(__file__).parent

Folders: TypeAlias = Sequence[Path]
"""Where the files that a scenario names are looked up: beside each of its overlays, the last one first, and beside itself."""


def find_file(name: str, folders: Folders) -> Path:
    """The file `name` in the first folder that has it; where it should be, in the last one, if none has."""
    paths = [folder / name for folder in folders]
    return next((path for path in paths if path.exists()), paths[-1])


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
