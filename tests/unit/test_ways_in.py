"""Scenarios on standard input and in JSON, several files with overrides, and defaults that grow with the run."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.cli import run_command
from soak.schemas.errors import Mark, ScenarioError, UsageError
from soak.schemas.language.document import parse_document
from soak.schemas.language.extent import MAX_STATUS_ROWS
from soak.schemas.language.load import load

ROOT = Path(__file__).resolve().parents[2]
VALID = ROOT / "tests" / "scenarios" / "valid"
SCENARIO = """\
version: 1
name: short
system: queue
duration: 5m
workload:
  arrivals: {rate: 12/min}
  task: {duration: {distribution: empirical, file: times.txt, unit: s}}
slos: [success_rate >= 90%]
"""


def typed(text: str) -> io.TextIOWrapper:
    """Standard input that holds a text."""
    return io.TextIOWrapper(io.BytesIO(text.encode()))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the file that the scenario names."""
    (tmp_path / "times.txt").write_text("1\n2\n3\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Standard input.


def test_a_scenario_on_standard_input_is_the_same_run(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "short.yaml").write_text(SCENARIO)
    monkeypatch.setattr("sys.stdin", typed(SCENARIO))
    assert run_command(["run", "-", "--out", "piped"]) == run_command(["run", "short.yaml", "--out", "named"])
    for name in ("scenario.yaml", "verdict.json", "metrics.csv", "times.txt"):
        assert (here / "piped" / name).read_bytes() == (here / "named" / name).read_bytes(), name
    assert (here / "piped" / "scenario.yaml").read_text() == SCENARIO
    assert json.loads((here / "piped" / "run_manifest.json").read_text())["scenario_file"] == "stdin"
    assert run_command(["verify", "piped"]) == 0


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "-"],
        ["validate", "-"],
        ["slis", "--scenario", "-"],
        ["monitoring", "-"],
        ["predict", "-", "-n", "2", "--jobs", "1"],
        ["compare", "-", "--with", "queue.workers=2", "-n", "6", "--seed", "1"],
    ],
)
def test_every_command_that_takes_a_scenario_reads_it_there(
    here: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", typed(SCENARIO))
    assert run_command(words) in {0, 3, 5}


def test_mistakes_on_standard_input_have_a_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", typed(SCENARIO.replace("12/min", "fast")))
    assert run_command(["validate", "-"]) == 2
    assert capsys.readouterr().err.startswith("<stdin>:6:20: workload.arrivals.rate: 'fast' is not a rate")
    with pytest.raises(UsageError, match="standard input can be read once"):
        load(Path("-"), overlays=[Path("-")])


def test_an_overlay_may_come_from_standard_input(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "short.yaml").write_text(SCENARIO)
    monkeypatch.setattr("sys.stdin", typed("queue: {workers: 2}"))
    assert load(Path("short.yaml"), overlays=[Path("-")]).data["queue"] == {"workers": 2}


# JSON.

LETTERS = st.characters(exclude_categories=("Cs",))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-(2**70), 2**70) | st.floats(-1e9, 1e9) | st.text(LETTERS, max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(LETTERS, max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(LETTERS, min_size=1, max_size=9), VALUES), st.sampled_from([None, 1, "\t"]))
def test_json_reads_back_as_it_was(data: dict[str, Any], indent: int | str | None) -> None:
    """However it is written: with escapes, emoji and exponents too."""
    document = parse_document(json.dumps(data, indent=indent), "f.json")
    assert document.data == data
    assert document.problems == []


def test_json_of_any_number() -> None:
    text = '{"a": 1e3, "b": 1.5E+2, "c": -2.5e-1, "d": "\\ud83d\\ude00", "e": "\\/"}'
    assert parse_document(text, "f").data == {"a": 1000, "b": 150, "c": -0.25, "d": "\U0001f600", "e": "/"}


def test_what_json_can_say_and_a_scenario_cannot() -> None:
    text = '{\n\t"a": 1,\n  "b": null, "x-c": null,\n  "a": {"a": null},\n "d": "\\ud83d", "e": 1e999, "f": NaN}'
    assert [str(problem) for problem in parse_document(text, "f.json").problems] == [
        "f.json:3:8: b: has no value (write a value, or remove the key)",
        "f.json:4:3: a: key 'a' is already on line 2 (keep one)",
        "f.json:5:7: d: has half of a character (write both halves of the escape \\uD83D\\uDE00)",
        "f.json:5:22: e: is not a finite number (write a finite number)",
    ]


def test_positions_in_json() -> None:
    document = parse_document('{"a": [1,\n\t{"b"\n: "c"}]}', "f.json")
    assert document.data == {"a": [1, {"b": "c"}]}
    assert document.mark(("a", 1, "b")) == Mark("f.json", 3, 3)
    assert document.keys["a", 1, "b"] == Mark("f.json", 2, 3)


@pytest.mark.parametrize("text", ['{"a":' * 41 + "1" + "}" * 41, '{"a": [' + "1," * 10_001 + "1]}"])
def test_json_is_bounded(text: str) -> None:
    with pytest.raises(ScenarioError, match="the file expands to more than"):
        parse_document(text, "f.json")


@pytest.mark.parametrize("path", sorted(VALID.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_scenario_in_json_is_the_same_scenario(path: Path, tmp_path: Path) -> None:
    for each in (*VALID.glob("*.txt"), *VALID.glob("*.csv")):
        shutil.copy(each, tmp_path)
    found = load(path)
    written = tmp_path / f"{path.stem}.json"
    written.write_text(json.dumps(found.data, indent=2))
    again = load(written)
    assert again.scenario == found.scenario and again.sha256 == found.sha256


# Several files, with overrides.


def test_several_files_are_checked_with_overrides(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "good.yaml").write_text(SCENARIO + "tiers: {pr: {duration: 4m}}\n")
    (here / "bad.yaml").write_text(SCENARIO.replace("90%", "x"))
    assert run_command(["validate", "good.yaml", "--tier", "pr", "--set", "queue.workers=2"]) == 0
    assert capsys.readouterr().out == "good.yaml: valid with tier pr, queue.workers=2\n"
    assert run_command(["validate", "good.yaml", "bad.yaml", "--tier", "pr"]) == 2
    said = capsys.readouterr()
    assert said.out == "good.yaml: valid with tier pr\nbad.yaml: not valid with tier pr (1 mistake)\n"
    assert said.err.startswith("bad.yaml:1:1: tiers: no tier 'pr'")
    assert run_command(["validate", "good.yaml", "bad.yaml", "--set", "queue.workers=x", "--json"]) == 2
    listed = json.loads(capsys.readouterr().out)
    assert (listed["valid"], listed["files"]) == (False, {"good.yaml": False, "bad.yaml": False})
    assert {problem["source"] for problem in listed["problems"]} == {"--set queue.workers=x", "bad.yaml"}


# Defaults.


@pytest.mark.parametrize(
    ("duration", "every_h"), [("1h", 6), ("72h", 6), ("250d", 6), ("251d", 12), ("365d", 12), ("366d", 12)]
)
def test_status_rows_are_further_apart_in_a_long_run(here: Path, duration: str, every_h: float) -> None:
    (here / "short.yaml").write_text(SCENARIO)
    loaded = load(Path("short.yaml"), settings=(f"duration={duration}",))
    every_s = loaded.scenario.checkpoint_every_s
    assert every_s == every_h * 3600
    assert loaded.scenario.horizon_s / every_s <= MAX_STATUS_ROWS


def test_an_interval_that_is_written_is_not_changed(here: Path) -> None:
    (here / "short.yaml").write_text(SCENARIO + "checkpoints: {every: 6h}\n")
    with pytest.raises(ScenarioError, match="needs about 1,460 status rows, and the maximum is 1,000"):
        load(Path("short.yaml"), settings=("duration=365d",))
