"""The quick answer to whether a file conforms to its schema is the validator's answer."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soak.schemas.conformity import Schema, conforms
from soak.schemas.errors import SoakError
from soak.schemas.language.document import read_document
from soak.schemas.language.schema import read_schema
from soak.schemas.validator import Validator

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for folder in ("scenarios", "tests/scenarios") for path in (ROOT / folder).rglob("*.yaml"))
GATES = sorted((ROOT / "gates").glob("*.yaml"))
ODD: list[Any] = [
    None,
    True,
    0,
    1,
    -1,
    2.0,
    1.5,
    1e300,
    float("nan"),
    "",
    "x",
    "1h",
    "0s",
    "99999d",
    "1ns",
    "10%",
    "5/min\n",
]
ODDER: list[Any] = [[], ["a", "a"], [1, 1], [{}], {}, {"a": 1}, {"x-own": None}, {"distribution": "lognormal"}]
STRIDE = 61
"""Of all changes of all files every so manyth is tried: it has no divisor in common with the number of values."""


def documents() -> Iterator[tuple[Path, Any]]:
    for path in FILES:
        try:
            yield path, read_document(path).data
        except SoakError:
            continue


def both(data: Any, schema: Schema) -> tuple[bool, bool]:
    return conforms(data, schema), Validator(schema).is_valid(data)


def test_files_conform_or_do_not_as_the_validator_finds() -> None:
    schema, found = read_schema("scenario"), []
    for path, data in documents():
        quick, thorough = both(data, schema)
        assert quick == thorough, path
        found.append(quick)
    assert found.count(True) > 40 and found.count(False) > 20
    assert all(both(read_document(path).data, read_schema("gate")) == (True, True) for path in GATES)


def places(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a document."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*place, key)
        if isinstance(value, dict | list):
            yield from places(value, (*place, key))


def changed(data: Any) -> Iterator[Any]:
    """The document with one value another one, left out, or with a key beside it."""
    changes = [(place, index) for place in places(data) for index in range(len(ODD) + len(ODDER) + 2)]
    for place, index in changes[::STRIDE]:
        again = copy.deepcopy(data)
        around: Any = again
        for step in place[:-1]:
            around = around[step]
        if index < len(ODD) + len(ODDER):
            around[place[-1]] = [*ODD, *ODDER][index]
        elif index == len(ODD) + len(ODDER):
            del around[place[-1]]
        elif isinstance(around, dict):
            around["unknown"] = around[place[-1]]
        yield again


def test_whatever_is_changed_in_a_file_the_answers_agree() -> None:
    schema, answers = read_schema("scenario"), []
    for path, data in documents():
        if path.parent.name == "invalid" or not isinstance(data, dict):
            continue
        for again in changed(data):
            quick, thorough = both(again, schema)
            assert quick == thorough, (path, again)
            answers.append(quick)
    assert answers.count(True) > 100 and answers.count(False) > 500


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"contains": {"type": "integer"}}, [1]),
        ({"if": {"contains": {"const": 1}}, "then": False}, [1]),
        ({"not": {"contains": {"const": 1}}}, [1]),
        ({"uniqueItems": True}, [1, True]),
        ({"const": [1]}, [1]),
        ({"$ref": "other.json"}, 1),
    ],
)
def test_of_what_it_does_not_know_it_is_not_certain(schema: Schema, value: object) -> None:
    """Also where a keyword it does not know decides what another one says."""
    assert not conforms(value, schema)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"const": 1}, 1.0, True),
        ({"enum": [0, "a"]}, 0, False),
        ({"type": "integer"}, 4, 4.0),
        ({"type": "number"}, 4, True),
        ({"type": ["null", "string"]}, None, 0),
        ({"pattern": "a$"}, "a", "a\n"),
        ({"uniqueItems": True}, ["a", "b"], ["a", "a"]),
        ({"dependentRequired": {"a": ["b"]}}, {"b": 1}, {"a": 1}),
        ({"patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": False}, {"x-a": ""}, {"x-a": 1}),
        ({"additionalProperties": {"type": "string"}}, {"a": ""}, {"a": 1}),
        ({"propertyNames": {"maxProperties": 0, "pattern": "a"}}, {"a": 1}, {"b": 1}),
        ({"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"minimum": 1}}, "a", 0),
        ({"$defs": {"a": {"type": "string"}}, "items": {"$ref": "#/$defs/a", "minLength": 1}}, ["a"], [""]),
        ({"items": False}, [], [1]),
        ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, 3, 2),
        ({"title": "duration", "pattern": ".*"}, "1h", "99999d"),
    ],
)
def test_each_keyword(schema: Schema, good: object, bad: object) -> None:
    assert both(good, schema) == (True, True)
    assert both(bad, schema) == (False, False)


@pytest.mark.parametrize("reference", ["#/$defs/b", "#/$defs/a/type/b", "#/allOf/0"])
def test_of_a_reference_to_nothing_it_is_not_certain(reference: str) -> None:
    schema = {"$defs": {"a": {"type": "string"}}, "allOf": [{}], "items": {"$ref": reference}}
    assert not conforms(["a"], schema)
