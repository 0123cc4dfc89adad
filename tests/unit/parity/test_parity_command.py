"""`soak compare --parity` on recorded runs: what it says, what it writes, what it refuses."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from planted import SCENARIO, Event, edit_verdict, plant, simulate
from test_evidence_schemas import _differences, objects, resolve

from soak.runner.cli import run_command
from soak.runner.cli.compare import AGREES, DIFFERS
from soak.runner.parity.compare import MOST_LISTED
from soak.schemas.evidence.parity import SCHEMA_VERSION, Agreement, Parity
from soak.schemas.files import DIRECTORY
from soak.schemas.stream.states import TaskState

pytestmark = pytest.mark.usefixtures("undrawn")

SCHEMA = json.loads((DIRECTORY / "parity.schema.json").read_text(encoding="utf-8"))
USAGE, DAMAGED = 2, 5


def compare(base: Path, run: Path, out: Path, expected: int) -> Any:
    """Run the command; returns parity.json, which keeps to its schema."""
    assert run_command(["compare", str(base), str(run), "--parity", "--out", str(out)]) == expected
    parity = json.loads((out / "parity.json").read_text(encoding="utf-8"))
    Draft202012Validator(SCHEMA).validate(parity)
    assert {path.name for path in out.iterdir()} == {"parity.html", "parity.json", "parity.md", "parity.svg"}
    return parity


def refusal(base: Path, run: Path, out: Path, expected: int, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which the command refuses; nothing is written."""
    assert run_command(["compare", str(base), str(run), "--parity", "--out", str(out)]) == expected
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
    assert not (out / "parity.json").exists()
    return said.err.strip()


def statuses(parity: Any) -> dict[str, str]:
    return {figure["name"]: figure["status"] for figure in parity["figures"]}


# Agreement.


def test_two_simulations_agree_exactly(
    base: Path, again: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parity = compare(base, again, tmp_path / "out", AGREES)
    assert (parity["status"], parity["reasons"], parity["other_state"], parity["other_attempts"]) == (
        "AGREES",
        [],
        [],
        [],
    )
    assert {figure["difference"] for figure in parity["figures"]} <= {0, None}
    counts = parity["tasks"]
    assert counts["seen"] == counts["same_state"] == counts["accepted_in_both"] == counts["same_attempts"] > 300
    assert capsys.readouterr().out.startswith("AGREES  small: the runs agree")
    assert (tmp_path / "out" / "parity.md").read_text(encoding="utf-8").startswith("# small: AGREES\n")


def test_the_same_runs_give_the_same_bytes(base: Path, again: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        compare(base, again, tmp_path / name, AGREES)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_json_prints_what_is_written(
    base: Path, again: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["compare", str(base), str(again), "--parity", "--json"]) == AGREES
    assert capsys.readouterr().out == (tmp_path / "parity-small" / "parity.json").read_text(encoding="utf-8")


def test_a_second_comparison_goes_to_the_next_free_directory(
    base: Path, again: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run_command(["compare", str(base), str(again), "--parity"]) == AGREES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parity-small", "parity-small-2"]


# Planted differences.


def dropped(task: str) -> Callable[[Event], Event | None]:
    return lambda event: None if event.get("task") == task else event


def test_lost_tasks_are_found_with_their_histories(base: Path, tmp_path: Path) -> None:
    lost = {str(number) for number in range(10, 20)}
    run = plant(base, tmp_path / "run", lambda event: None if event.get("task") in lost else event)
    parity = compare(base, run, tmp_path / "out", DIFFERS)
    assert statuses(parity)["tasks_in_other_state"] == statuses(parity)["tasks_accepted_in_one"] == "DIFFERS"
    assert [task["task"] for task in parity["other_state"]] == ["10", "11", "12", "13", "14"]
    assert len(parity["other_state"]) == MOST_LISTED
    assert parity["other_state"][0]["run_history"] == "no event"
    assert parity["other_state"][0]["base_history"].startswith("enqueued ")
    assert any(reason.startswith("tasks_in_other_state differs by ") for reason in parity["reasons"])
    markdown = (tmp_path / "out" / "parity.md").read_text(encoding="utf-8")
    assert markdown.startswith("# small: DIFFERS\n")
    assert "The first 5 of 10 that do not end in the same state" in markdown


def test_one_lost_task_is_listed_although_it_is_within_the_tolerance(base: Path, tmp_path: Path) -> None:
    run = plant(base, tmp_path / "run", dropped("25"))
    parity = compare(base, run, tmp_path / "out", AGREES)
    assert [(task["task"], task["run_state"]) for task in parity["other_state"]] == [("25", "NONE")]


def test_other_attempts_are_listed(base: Path, tmp_path: Path) -> None:
    def fewer(event: Event) -> Event | None:
        return None if event["type"] == "task.dispatched" and event["attempt"] > 1 else event

    parity = compare(base, plant(base, tmp_path / "run", fewer), tmp_path / "out", DIFFERS)
    assert statuses(parity)["tasks_with_other_attempts"] == "DIFFERS"
    assert parity["other_state"] == []
    listed = parity["other_attempts"]
    assert len(listed) == MOST_LISTED
    assert all(task["base_attempts"] > task["run_attempts"] == 1 for task in listed)
    assert "dispatched" in listed[0]["base_history"]


def slower(event: Event) -> Event:
    return {**event, "t": event["t"] + 2.5} if event["type"] == "task.done" else event


def test_what_agrees_is_said_first_and_what_to_do_where_the_host_was_late(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = plant(base, tmp_path / "run", slower, target="orchestrator", clock="real")
    compare(base, run, tmp_path / "on time", DIFFERS)
    assert "too busy" not in capsys.readouterr().out
    late = {"kind": "lateness", "subject": "", "status": "INCONCLUSIVE", "text": "the load generator fell behind"}
    edit_verdict(run, typed_reasons=[late], reasons=[late["text"]])
    compare(base, run, tmp_path / "late", DIFFERS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("figures within their tolerance")
    assert lines[3] == "  this host was too busy: repeat at a lower --speed"
    assert lines[1].strip().split(" figures")[0] in (tmp_path / "late" / "parity.md").read_text().splitlines()[2]


@pytest.mark.parametrize(("speed", "expected"), [(1.0, DIFFERS), (60.0, AGREES)])
def test_overheads_of_a_real_system_count_as_often_as_its_speed(
    base: Path, tmp_path: Path, speed: float, expected: int
) -> None:
    run = plant(base, tmp_path / "run", slower, target="orchestrator", clock="real", speed=speed)
    parity = compare(base, run, tmp_path / "out", expected)
    assert (parity["run"]["target"], parity["run"]["speed"], parity["overhead_s"]) == (
        "orchestrator",
        speed,
        0.05 * speed,
    )
    assert statuses(parity)["task_latency_p50"] == ("DIFFERS" if expected else "AGREES")


def test_an_indicator_that_differs_is_found(base: Path, tmp_path: Path) -> None:
    run = edit_verdict(plant(base, tmp_path / "run", dict), slis={"success_rate": 0.9, "rss": 1e8, "memory": 1e8})
    parity = compare(base, run, tmp_path / "out", DIFFERS)
    assert {name for name, status in statuses(parity).items() if status == "DIFFERS"} == {"success_rate"}
    assert statuses(parity)["rss"] == statuses(parity)["memory"] == "NOT_COMPARED"
    assert statuses(parity)["failures"] == "AGREES"


def test_runs_that_ended_in_different_ways_do_not_agree(base: Path, tmp_path: Path) -> None:
    run = edit_verdict(plant(base, tmp_path / "run", dict), end="interrupted")
    parity = compare(base, run, tmp_path / "out", DIFFERS)
    assert parity["reasons"] == ["the base ended completed, the run interrupted"]


def test_runs_without_tasks_do_not_agree(base: Path, tmp_path: Path) -> None:
    empty = plant(base, tmp_path / "run", lambda event: event if event["type"] == "run.ended" else None)
    shutil.copytree(empty, tmp_path / "other")
    parity = compare(empty, tmp_path / "other", tmp_path / "out", DIFFERS)
    assert (parity["status"], parity["reasons"]) == (
        "NOT_COMPARED", ["neither run has a task: there is nothing to compare"],
    )  # fmt: skip


@pytest.mark.drawn
def test_the_plot_has_axes_with_units(base: Path, again: Path, tmp_path: Path) -> None:
    compare(base, again, tmp_path / "out", AGREES)
    svg = (tmp_path / "out" / "parity.svg").read_text(encoding="utf-8")
    words = set(re.findall(r"<text[^>]*>(.*?)</text>", svg))
    assert {"latency", "run minus base", "scenario time", "base: simulation", "run: simulation"} <= words


# What is refused.


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (["queue.workers=3"], "queue.workers is 4 in the one and 3 in the other"),
        (["seed=4"], "their seeds are 3 and 4"),
        (["queue.dispatchers=2"], "queue.dispatchers is not set in the one and 2 in the other"),
        (["duration=21m", "drain=9m", "queue.workers=3", "seed=4"], "; 1 more (name two runs"),
    ],
)
def test_another_scenario_is_refused(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: list[str], what: str
) -> None:
    other = simulate(tmp_path, SCENARIO, settings)
    said = refusal(base, other, tmp_path / "out", USAGE, capsys)
    assert said.startswith(f"{base} and {other} cannot be compared: ")
    assert what in said
    assert not (tmp_path / "out").exists()


def test_a_run_made_once_can_be_held_against_one_that_was_repeated(base: Path, tmp_path: Path) -> None:
    compare(base, simulate(tmp_path, SCENARIO, ["repeat=2"]), tmp_path / "out", AGREES)


def test_another_seed_of_the_same_scenario_is_refused(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = simulate(tmp_path, SCENARIO, seed=8)
    assert "their seeds are 3 and 8" in refusal(base, other, tmp_path / "out", USAGE, capsys)


def test_other_measured_values_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SCENARIO.replace(
        "{distribution: exponential, mean: 3s}", "{distribution: empirical, file: values.txt, unit: s}"
    )
    runs = []
    for values in ("1\n2\n", "1\n3\n"):
        place = tmp_path / values.replace("\n", "-")
        place.mkdir()
        (place / "values.txt").write_text(values, encoding="utf-8")
        runs.append(simulate(place, text))
    said = refusal(*runs, tmp_path / "out", USAGE, capsys)
    assert "a file of values that the scenario names differs" in said


def _remove(name: str) -> Callable[[Path], object]:
    return lambda run: (run / name).unlink()


def _cut(run: Path) -> None:
    stream = run / "soak_small.jsonl"
    stream.write_bytes(stream.read_bytes()[:-10])


def _append(name: str, text: str) -> Callable[[Path], object]:
    def append(run: Path) -> None:
        with (run / name).open("a", encoding="utf-8") as file:
            file.write(text)

    return append


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (_remove("verdict.json"), "verdict.json: No such file or directory"),
        (_remove("soak_small.jsonl"), "soak_small.jsonl: No such file or directory"),
        (_remove("scenario.yaml"), "scenario.yaml: No such file or directory"),
        (_cut, "soak_small.jsonl: is incomplete: it ends before the end of the run"),
        (_append("verdict.json", "}"), "this evidence is damaged"),
        (_append("soak_small.jsonl", "nonsense\n"), "not an event"),
        (
            _append("soak_small.jsonl", '{"t": 9999, "type": "task.done", "task": "999999999"}\n'),
            "task 999999999 is not",
        ),
        (_append("scenario.yaml", "title: other\n"), "is not the scenario of the event stream"),
        (lambda run: edit_verdict(run, seed=4), "is not the verdict on this stream"),
    ],
)
def test_broken_evidence_is_refused(
    base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], object],
    what: str,
) -> None:
    run = shutil.copytree(base, tmp_path / "run")
    damage(run)
    assert what in refusal(base, run, tmp_path / "out", DAMAGED, capsys)


def test_what_is_no_run_directory_is_refused(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not a run directory" in refusal(tmp_path, base, tmp_path / "out", USAGE, capsys)
    assert "is not a directory" in refusal(base, tmp_path / "none", tmp_path / "out", USAGE, capsys)


def test_an_out_that_is_taken_is_refused(
    base: Path, again: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    assert "choose another --out" in refusal(base, again, tmp_path / "taken", USAGE, capsys)
    assert "is inside the run directory" in refusal(base, again, again / "parity", USAGE, capsys)
    assert not (again / "parity").exists()


def test_the_help_text_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compare", "--help"]) == 0
    assert "soak compare" in capsys.readouterr().out.partition("Example")[2]


# The schema.


def test_schema_and_struct_name_the_same_fields() -> None:
    assert list(_differences(Parity, SCHEMA, SCHEMA, "parity")) == []
    assert SCHEMA["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    assert set(SCHEMA["$defs"]["agreement"]["enum"]) == set(Agreement)
    assert SCHEMA["$defs"]["state"]["enum"] == [state.name for state in TaskState]


def test_the_schema_is_closed_and_describes_every_key() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for where, schema in objects(SCHEMA):
        assert schema["additionalProperties"] is False, where
        assert schema["description"], where
        for key, value in schema["properties"].items():
            assert resolve(value, SCHEMA).get("description"), f"{where}/{key}"


SPIKE = """\
version: 1
name: spike
system: queue
duration: 43201s
drain: 5m
workload: {arrivals: {trace: {file: spike.csv, time: t}}, task: {duration: {distribution: constant, value: 10ms}}}
queue: {workers: 50}
telemetry: {sample_interval: 1h}
"""


def test_a_trace_may_have_far_more_rows_at_the_end_than_its_rate_says(tmp_path: Path) -> None:
    (tmp_path / "spike.yaml").write_text(SPIKE, encoding="utf-8")
    rows = sorted([*(60.0 * minute for minute in range(1440)), *(43_190 + place / 2_000 for place in range(20_000))])
    (tmp_path / "spike.csv").write_text("\n".join(["t", *(f"{row:.4f}" for row in rows)]), encoding="utf-8")
    for name in ("base", "run"):
        run_command(["run", str(tmp_path / "spike.yaml"), "--out", str(tmp_path / name)])
    parity = compare(tmp_path / "base", tmp_path / "run", tmp_path / "out", AGREES)
    assert parity["tasks"]["same_state"] == parity["tasks"]["seen"] > 20_000
