"""Values from the environment: only those that are listed, each where it is named, and what is kept of them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.cli import run_command
from soak.schemas.errors import ScenarioError
from soak.schemas.language.composition import composed
from soak.schemas.language.document import Data, Document, parse_document
from soak.schemas.language.load import load

SCENARIO = """\
version: 1
name: values
title: at ${RATE}, for $${RATE} and $RATE
system: queue
duration: 10m
seed: ${SEED}
environment: {RATE: 5/min, SEED: 7}
workload:
  arrivals: {rate: "${RATE}"}
  task: {duration: {distribution: constant, value: 3s}}
x-mine: ${OTHER}
"""


def values(text: str, **variables: str) -> Document:
    return composed(parse_document(text, "f.yaml"), Path(), variables)


def value(text: str, **variables: str) -> Data:
    """Of the key `a`."""
    document = values(text, **variables)
    assert document.problems == [] and isinstance(document.data, dict)
    return document.data["a"]


@pytest.mark.parametrize(
    ("written", "variable", "found"),
    [
        ("${X}", None, "d"),
        ("${X}", "", "d"),
        ("${X}", "7", 7),
        ("'${X}'", "7", 7),
        ("${X}", "0.5", 0.5),
        ("${X}", "true", True),
        ("${X}", "5/min", "5/min"),
        ("${X}", "no", "no"),
        ("${X}", "1e3", "1e3"),
        ("${X}", "09:00", "09:00"),
        ("${X}", "[1, 2]", "[1, 2]"),
        ("${X}", "a: b # c", "a: b # c"),
        ("${X}", "${Y}", "${Y}"),
        ("${X}/min", "5", "5/min"),
        ("${X}0", "5", 50),
        ("${X}${Y}", "5", "5why"),
        ("$X ${X}", "5", "$X 5"),
        ("$${X}", "5", "${X}"),
        ("${X} $${X}", "5", "5 ${X}"),
        ("plain", "5", "plain"),
    ],
)
def test_what_a_value_becomes(written: str, variable: str | None, found: Data) -> None:
    given = {} if variable is None else {"X": variable}
    result = value(f"environment: {{X: d, Y: why}}\na: {written}\n", **given)
    assert (result, type(result)) == (found, type(found))


def test_a_default_keeps_its_type() -> None:
    assert value("environment: {X: 7}\na: ${X}") == 7
    assert value("environment: {X: '7'}\na: ${X}") == "7"
    assert value("environment: {X: true}\na: is ${X}") == "is true"


def test_keys_and_names_of_others_are_left_alone() -> None:
    data = values("environment: {X: 1}\n'${X}': 1\nx-own: {a: ['${X}', '${NOT}', '${']}\n").data
    assert data == {"${X}": 1, "x-own": {"a": ["${X}", "${NOT}", "${"]}}


def test_a_file_without_a_list_is_as_it_was() -> None:
    document = parse_document("a: ${HOME}", "f")
    assert composed(document, Path(), {"HOME": "x"}) is document


@given(st.text("${}XY:- a", max_size=12), st.text(max_size=6))
def test_only_listed_names_are_replaced(text: str, variable: str) -> None:
    """Whatever a value holds: what is not `${X}` is an error or left alone."""
    document = values(json.dumps({"environment": {"X": "d"}, "a": text}), X=variable, Y="y", HOME="h")
    if "${" not in text:
        assert document.data == {"a": text} and not [p for p in document.problems if p.where == "a"]
    elif not document.problems:
        assert "${Y}" not in text.replace("$${Y}", "")


@pytest.mark.parametrize("variable", ["a\nb", "\x00", "\udcff", "x" * 1_001])
def test_a_variable_that_cannot_be_used_is_refused_without_its_value(variable: str) -> None:
    (problem,) = values("environment: {X: d}\na: ${X}", X=variable).problems
    assert (problem.where, problem.line, problem.column) == ("environment.X", 1, 18)
    assert problem.what.startswith("the variable X ") and variable not in str(problem)


def test_a_mistake_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO)
    monkeypatch.setenv("RATE", "fast")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}:9:20: workload.arrivals.rate: with RATE=fast: 'fast' is not a rate (write a rate such as 5/min or 100/s)"
    )


def test_the_evidence_holds_the_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = tmp_path / "s.yaml", tmp_path / "out"
    path.write_text(SCENARIO)
    monkeypatch.setenv("RATE", "12/min")
    assert run_command(["run", str(path), "--out", str(out)]) in {0, 5}
    manifest = json.loads((out / "run_manifest.json").read_text())
    assert (manifest["environment"], manifest["seed"]) == ({"RATE": "12/min", "SEED": "7"}, 7)
    assert "<code>RATE=12/min</code>" in (out / "report.html").read_text()
    assert "`RATE=12/min`" in (out / "soak_summary.md").read_text()
    monkeypatch.setenv("RATE", "1/min")
    stored = load(out / "scenario.yaml")
    assert stored.data["workload"]["arrivals"]["rate"] == "12/min"
    assert (stored.scenario.title, stored.data["x-mine"]) == ("at 12/min, for ${RATE} and $RATE", "${OTHER}")
    assert run_command(["verify", str(out)]) == 0


def test_filled_in_or_written_down_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RATE", raising=False)
    (tmp_path / "a.yaml").write_text(SCENARIO)
    plain = SCENARIO.replace("environment: {RATE: 5/min, SEED: 7}\n", "").replace("${SEED}", "7")
    plain = plain.replace('rate: "${RATE}"', "rate: 5/min").replace("at ${RATE}, for $$", "at 5/min, for $")
    (tmp_path / "b.yaml").write_text(plain)
    one, two = load(tmp_path / "a.yaml"), load(tmp_path / "b.yaml")
    assert one.scenario == two.scenario and one.sha256 == two.sha256


def test_an_overlay_lists_its_own_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text(SCENARIO)
    (tmp_path / "o.yaml").write_text('environment: {WORKERS: 2}\nqueue: {workers: "${WORKERS}"}\n')
    monkeypatch.setenv("WORKERS", "5")
    found = load(tmp_path / "a.yaml", overlays=[tmp_path / "o.yaml"])
    assert found.data["queue"] == {"workers": 5}
    assert found.environment["WORKERS"] == "5"


@pytest.mark.parametrize("setting", ["environment.RATE=6/min", "include=[a.yaml]"])
def test_a_setting_comes_too_late(tmp_path: Path, setting: str) -> None:
    (tmp_path / "a.yaml").write_text(SCENARIO)
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path / "a.yaml", settings=(setting,))
    assert str(caught.value) == (
        f"--set {setting}: {setting.partition('.')[0].partition('=')[0]}: is carried out when the file is read, and not later "
        "(set the environment variable, or write it in the file)"
    )
