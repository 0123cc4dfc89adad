"""Scenario files that must load, and files that must be refused with exactly the messages that stand beside them."""

import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from soak.schemas.errors import ScenarioError, SoakError
from soak.schemas.language.load import load
from soak.schemas.language.schema import read_schema

ROOT = Path(__file__).resolve().parents[2]
VALID = sorted((ROOT / "tests" / "scenarios" / "valid").glob("*.yaml"))
INVALID = sorted((ROOT / "tests" / "scenarios" / "invalid").glob("*.yaml"))
EXPECTED = sorted((ROOT / "tests" / "scenarios" / "invalid").glob("*.expected"))
UPDATE = "`pytest --update-expected` writes it: review what it says"


def name_of(path: Path) -> str:
    return path.name


# Files that load.


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_it_loads_with_every_tier(path: Path) -> None:
    loaded = load(path)
    assert loaded.scenario.name == path.stem
    for tier in loaded.data.get("tiers", {}):
        assert load(path, tier=tier).tier == tier


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_any_validator_accepts_it(path: Path) -> None:
    assert [error.message for error in Draft202012Validator(read_schema("scenario")).iter_errors(load(path).data)] == []


def test_there_are_files_of_both_kinds() -> None:
    assert len(VALID) >= 12
    assert len(INVALID) >= 45


# Files that are refused.


def messages(path: Path) -> str:
    """What the loader says of a file, one problem a line, the path as just the file's name."""
    with pytest.raises(ScenarioError) as caught:
        load(path)
    return "".join(f"{replace(problem, source=path.name)}\n" for problem in caught.value.problems)


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_it_is_refused_as_expected(path: Path, update_expected: bool) -> None:
    expected = path.with_suffix(".expected")
    if update_expected:
        expected.write_text(messages(path), encoding="utf-8")
    assert expected.exists(), f"{expected.name} is missing; {UPDATE}"
    assert messages(path) == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_every_message_says_where_what_and_what_to_write(path: Path) -> None:
    for line in messages(path).splitlines():
        assert re.fullmatch(rf"{re.escape(path.name)}:\d+:\d+: \S.* \(\S.*\)", line), line
        assert len(line) < 500


def test_every_expectation_has_its_file() -> None:
    assert [path.name for path in EXPECTED if path.with_suffix(".yaml") not in INVALID] == []


# Files that nobody wrote.

ODD = """72h 0s 0.001ms 5/min 0/min 999999999999/s 10% 100% -1 1e3 no ~ true 3.5 10 {} [] [a] {a:b} {type:[b]} *a &a !t
<< x A queue constant empirical missing.txt db_outage worker_hang duplicate_enqueue task.done stall_time Mars
latency_p95<=120s success_rate{tenant=*}>=97% rss_growth>1MB/h"""
WORDS = st.sampled_from(ODD.split())
KEYS = st.sampled_from(
    sorted({key for part in read_schema("scenario")["$defs"].values() for key in part.get("properties", ())})
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    WORDS | st.text(max_size=8) | st.integers() | st.floats() | st.none() | st.booleans() | st.just("9" * 5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
SHIPPED = [
    yaml.safe_load(path.read_text(encoding="utf-8-sig")) for path in [*(ROOT / "scenarios").glob("*.yaml"), *VALID]
]


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of `data` with each of its keys."""
    for key in list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
        yield data, key
        yield from places(data[key])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A scenario in which some entries are deleted, replaced, added or doubled."""
    data = copy.deepcopy(draw(st.sampled_from(SHIPPED)))
    for _ in range(draw(st.integers(1, 4))):
        container, key = draw(st.sampled_from(list(places(data)) or [(data, "name")]))
        match draw(st.sampled_from(["delete", "replace", "add", "double"])):
            case "delete":
                container.pop(key, None) if isinstance(container, dict) else container.pop(key)
            case "add" if isinstance(container, dict):
                container[draw(KEYS)] = draw(VALUES)
            case "double" if isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
            case _:
                container[key] = draw(VALUES)
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def outcome(path: Path, text: str, **options: Any) -> str | None:
    """What is wrong with a scenario of this text; None when it loads. Any other error than ours is raised."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load(path, **options)
    except SoakError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutated") / "scenario.yaml"


@settings(max_examples=150)
@given(text=mutated())
def test_a_mutated_scenario_is_refused_in_words_or_loads(scratch: Path, text: str) -> None:
    said = outcome(scratch, text)
    assert said is None or all(line.startswith(str(scratch)) and line.endswith(")") for line in said.split("\n"))


@settings(max_examples=150)
@given(at=st.integers(0, 1200), cut=st.integers(0, 20), typed=st.text(max_size=4) | WORDS)
def test_a_mistyped_scenario_is_refused_in_words_or_loads(scratch: Path, at: int, cut: int, typed: str) -> None:
    text = (ROOT / "scenarios" / "72h.yaml").read_text(encoding="utf-8")
    said = outcome(scratch, text[:at] + typed + text[at + cut :])
    assert said is None or said.startswith(str(scratch))
