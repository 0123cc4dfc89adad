"""The schema itself: valid, explained, with defaults and examples that hold, and the same words as the code."""

import copy
import json
import shutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from soak.schemas import units
from soak.schemas.language.conditions import Severity
from soak.schemas.language.expression import Unit, parse_expression
from soak.schemas.language.load import load
from soak.schemas.language.model import Process
from soak.schemas.language.registry import OURS, languages
from soak.schemas.language.schema import fragment, read_schema
from soak.schemas.language.shape import with_defaults
from soak.schemas.language.systems import completed
from soak.schemas.systems.calls.faults import CallFault
from soak.schemas.systems.queue.faults import OF_SERVICES
from soak.schemas.systems.queue.fleet import OF_WORKERS
from soak.schemas.systems.queue.settings import GuardrailMode
from soak.schemas.validator import Validator

SCHEMA = read_schema("scenario")
DEFINITIONS = SCHEMA["$defs"]
VALID = Path(__file__).resolve().parents[1] / "scenarios" / "valid"
VARIANTS = ("takes_", "fault_", "export_")
"""Definitions that only say which keys go together."""


def subschemas(schema: Any = SCHEMA, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in the scenario schema, by the path to it."""
    if not isinstance(schema, dict):
        return
    yield where, schema
    for keyword in ("properties", "$defs", "patternProperties"):
        for name, inner in schema.get(keyword, {}).items():
            yield from subschemas(inner, f"{where}/{keyword}/{name}")
    for keyword in ("items", "additionalProperties", "propertyNames"):
        yield from subschemas(schema.get(keyword), f"{where}/{keyword}")


def at(where: str) -> Any:
    """The part of the schema at a path such as `$defs/fault/properties/type`."""
    part: Any = SCHEMA
    for step in where.split("/"):
        part = part[step]
    return part


def errors_of(value: object, schema: dict[str, Any]) -> list[str]:
    """What is wrong with a value of a part of the scenario schema."""
    return [error.message for error in Validator(SCHEMA).descend(value, schema)]


# The schema.


def test_the_schema_is_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_key_and_every_definition_is_described() -> None:
    explained = {
        f"{where}/{name}": inner
        for where, schema in subschemas()
        for part in ("properties", "$defs")
        for name, inner in schema.get(part, {}).items()
        if not where.startswith(tuple(f"/$defs/{variant}" for variant in VARIANTS)) and not name.startswith(VARIANTS)
    }
    assert len(explained) > 100
    # A reference without a description of its own has that of its target.
    assert [where for where, inner in explained.items() if not (inner.get("description") or "$ref" in inner)] == []


def test_every_pattern_is_of_the_whole_text_and_has_a_title_for_messages() -> None:
    found = [schema for _, schema in subschemas() if "pattern" in schema]
    assert found
    assert all(schema["pattern"][0] + schema["pattern"][-1] == "^$" and schema["title"] for schema in found)


@pytest.mark.parametrize("keyword", ["examples", "default"])
def test_examples_and_defaults_are_what_they_explain(keyword: str) -> None:
    found = [(where, schema) for where, schema in subschemas() if keyword in schema]
    assert found
    assert errors_of("5", DEFINITIONS["positive_duration"])
    for where, schema in found:
        for value in schema["examples"] if keyword == "examples" else [schema["default"]]:
            assert errors_of(with_defaults(value, schema), schema) == [], where


@pytest.mark.parametrize("name", ["expression", "objective"])
def test_examples_of_objectives_are_read(name: str) -> None:
    assert all(parse_expression(example) for example in DEFINITIONS[name]["examples"])


# Defaults.


@pytest.mark.parametrize("path", sorted(VALID.glob("*.yaml")), ids=lambda path: path.stem)
def test_defaults_change_nothing_once_they_are_written_down(path: Path, tmp_path: Path) -> None:
    loaded = load(path)
    before = copy.deepcopy(loaded.data)
    filled = completed(loaded.data)
    assert loaded.data == before
    assert completed(filled) == filled
    for data_file in (*VALID.glob("*.txt"), *VALID.glob("*.csv")):
        shutil.copy(data_file, tmp_path)
    written = tmp_path / path.name
    written.write_text(json.dumps(filled, ensure_ascii=False), encoding="utf-8")
    assert load(written).scenario == loaded.scenario


def test_defaults_reach_into_lists_and_below_what_is_given() -> None:
    filled = with_defaults(
        {"queue": {"lease": {"duration": "5m"}}, "abort": [{"name": "a", "when": "stall_time >= 5m"}]}
    )
    assert filled["queue"]["lease"] == {"duration": "5m", "heartbeat": "30s"}
    assert filled["queue"]["retry"]["backoff"] == ["1m", "3m", "10m"]
    assert filled["abort"][0] == {
        "name": "a",
        "when": "stall_time >= 5m",
        "then": "stop",
        "for": "0s",
        "min_samples": 1,
    }


# Words.


@pytest.mark.parametrize(
    ("enum", "where"),
    [
        (Process, "$defs/workload/properties/arrivals/properties/process"),
        (Severity, "$defs/alert/properties/severity"),
        (GuardrailMode, "$defs/queue/properties/guardrail/properties/mode"),
    ],
)
def test_an_enum_has_the_words_of_the_schema(enum: type[StrEnum], where: str) -> None:
    assert [member.value for member in enum] == at(where)["enum"]
    assert [enum(word) for word in at(where)["enum"]] == list(enum)


def test_every_type_of_fault_is_in_the_table_of_a_system() -> None:
    words = at("$defs/fault/properties/type")["enum"]
    assert sorted(words) == sorted({type_ for language in languages()[0] for type_ in language.faults})


def test_the_words_that_are_no_enum_are_known_to_the_code() -> None:
    assert set(at("$defs/sli/properties/unit")["enum"]) <= {unit.value for unit in Unit}
    assert set(at("$defs/distribution/properties/unit")["enum"]) <= set(units.SECONDS)
    assert at("properties/system")["enum"] == list(OURS)


def test_every_type_of_fault_and_every_distribution_says_which_keys_it_takes() -> None:
    conditions = [rule["if"]["properties"] for rule in (*at("$defs/fault/allOf"), *at("$defs/distribution/allOf"))]
    words = [word for each in conditions for rule in each.values() for word in rule.get("enum", [rule.get("const")])]
    distributions = at("$defs/distribution/properties/distribution")["enum"]
    assert sorted(words) == sorted([*at("$defs/fault/properties/type")["enum"], *distributions])
    assert {DEFINITIONS[name]["title"] for name in DEFINITIONS if name.startswith("takes_")} == set(distributions)
    by_time = at("$defs/fault/allOf")[-1]["if"]["properties"]["type"]["enum"]
    # A full disk strikes the whole of a queue and, by rate, single calls; a crash names the dependency that crashes,
    # a fault of workers how many it strikes, and one of services which.
    specs = {spec for language in languages()[0] for spec in language.faults.values() if spec.by_time}
    assert set(by_time) == {spec.type for spec in specs} - {
        *OF_SERVICES,
        CallFault.DEPENDENCY_CRASH,
        *OF_WORKERS,
        *(
            type_
            for system in ("pipeline", "gateway")
            for type_, each in fragment(system)["faults"].items()
            if each["takes"] != "fault_by_time"
        ),
    }
