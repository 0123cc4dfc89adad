"""The schemas of comparisons name the fields that the code has."""

import typing
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from soak.schemas.evidence.changes import BASELINE_VERSION, SCHEMA_VERSION, Baseline, Changes
from soak.schemas.evidence.upgrades import ADDED
from soak.schemas.evidence.whatif import SCHEMA_VERSION as WHAT_IF_VERSION
from soak.schemas.evidence.whatif import WhatIf
from soak.schemas.language.schema import read_schema

STRUCTS: dict[str, type[msgspec.Struct]] = {"baseline": Baseline, "changes": Changes, "what_if": WhatIf}


@pytest.mark.parametrize("name", STRUCTS)
def test_schema_and_struct_name_the_same_fields(name: str) -> None:
    schema = read_schema(name)
    Draft202012Validator.check_schema(schema)
    assert list(differences(STRUCTS[name], schema, schema, name)) == []


def test_versions_are_those_of_the_code() -> None:
    versions = {name: read_schema(name)["properties"]["schema_version"]["const"] for name in STRUCTS}
    assert versions == {"baseline": BASELINE_VERSION, "changes": SCHEMA_VERSION, "what_if": WHAT_IF_VERSION}


def test_a_field_that_is_only_in_one_of_them_is_found() -> None:
    schema = msgspec.json.decode(msgspec.json.encode(read_schema("changes")))
    del schema["$defs"]["time"]["properties"]["gain"]
    schema["$defs"]["tasks"]["required"].remove("alike")
    assert {each.split(":")[0] for each in differences(Changes, schema, schema, "changes")} == {
        "changes.tasks",
        "changes.tasks.latency",
        "changes.tasks.wait",
    }


def resolved(schema: Any, root: Any) -> Any:
    for each in schema.get("anyOf", [schema]):
        if "$ref" in each:
            return root["$defs"][each["$ref"].removeprefix("#/$defs/")]
    return schema


def differences(struct: type, schema: Any, root: Any, where: str) -> typing.Iterator[str]:
    hints = typing.get_type_hints(struct)
    required = set(schema["required"]) | ADDED.get(struct, frozenset())
    if not set(hints) == set(schema["properties"]) == required or schema["additionalProperties"]:
        yield f"{where}: {set(hints) ^ set(schema['properties'])}, {set(hints) ^ set(schema['required'])}"
    for field in set(hints) & set(schema["properties"]):
        hint, inner = hints[field], resolved(schema["properties"][field], root)
        if isinstance(hint, UnionType):
            [hint] = [each for each in typing.get_args(hint) if each is not NoneType]
        if typing.get_origin(hint) is list:
            hint, inner = typing.get_args(hint)[0], resolved(inner["items"], root)
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from differences(hint, inner, root, f"{where}.{field}")
        elif isinstance(hint, type) and issubclass(hint, StrEnum) and set(inner["enum"]) != set(hint):
            yield f"{where}.{field}: {inner['enum']}"
