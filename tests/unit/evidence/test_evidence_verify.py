"""`verify` finds whatever was changed in the evidence, and agrees with what was not."""

import json
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from recordings import ABORT, SCENARIO

from soak.runner.cli import run_command
from soak.runner.evidence.directory import CHECKSUMS, METRICS, VERDICT, RunDirectory
from soak.runner.evidence.verify import recompute, verify
from soak.schemas.errors import EvidenceError, UsageError
from soak.schemas.evidence.verdict import End

STREAM = "soak_small.jsonl"
Recorder = Callable[..., RunDirectory]


def problems(run: RunDirectory) -> dict[str, str]:
    """What verification finds wrong, by name."""
    findings, _ = verify(run)
    return {finding.what: finding.problem for finding in findings if finding.problem}


def change(run: RunDirectory, name: str, old: str, new: str) -> None:
    """Replace one piece of text in a file."""
    path = run.file(name)
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_sound_evidence_agrees(run: RunDirectory) -> None:
    findings, verdict = verify(run)
    assert [finding for finding in findings if finding.problem] == []
    assert {finding.what for finding in findings} >= {
        *run.names(),
        "event stream",
        "verdict.json recomputed",
        "alerts.json recomputed",
        "checkpoints.json recomputed",
    }
    assert verdict is not None
    assert verdict.end is End.COMPLETED


@pytest.mark.parametrize(
    "text",
    [
        SCENARIO,
        SCENARIO + ABORT,
        SCENARIO + "warmup: 7m",
        SCENARIO.replace("exponential, mean: 3s", "constant, value: 5s").replace("rate: 37/min", "rate: 30/min"),
        SCENARIO + "phases: [{name: a, at: 0s, for: 10m}]",
        "duration: 10m\ncheckpoints: {every: 1m}\ndrain: 0s\nname: small",
    ],
)
def test_every_kind_of_run_agrees_with_itself(recorder: Recorder, text: str) -> None:
    assert problems(recorder(text)) == {}


def test_a_run_without_abort_agrees_with_itself(recorder: Recorder) -> None:
    run = recorder(SCENARIO + ABORT, abort=False)
    assert problems(run) == {}
    assert b"the run continued" in run.read(VERDICT)


def test_a_run_with_overrides_agrees_with_itself(recorder: Recorder) -> None:
    tiers = "title: 'yes: \"no\" 1e3 # 한국어'\ntiers: {quick: {duration: 15m}}\n"
    run = recorder(SCENARIO + tiers, tier="quick", settings=("seed=9", "queue.workers=2"))
    assert problems(run) == {}
    assert json.loads(run.read(VERDICT))["seed"] == 9


@pytest.mark.parametrize("blocks", [1, 2])
def test_an_interrupted_run_agrees_with_itself(recorder: Recorder, blocks: int) -> None:
    asked = count(1)
    # Blocks of this load end at a time that is no whole number of microseconds.
    text = SCENARIO.replace("20m", "3h").replace("37/min", "37.7/min")
    run = recorder(text, interrupted=lambda: next(asked) > blocks)
    assert problems(run) == {}
    assert json.loads(run.read(VERDICT))["end"] == "interrupted"


# What was changed.


def test_one_digit_of_the_verdict(run: RunDirectory) -> None:
    text = run.read(VERDICT).decode()
    value = re.search(r'("latency_mean": [0-9]+\.)([0-9])', text)
    assert value is not None
    changed = value[1] + str((int(value[2]) + 1) % 10)
    change(run, VERDICT, value[0], changed)
    found = problems(run)
    assert found[VERDICT] == "was changed: its hash differs"
    assert found["verdict.json recomputed"].startswith(changed.replace('"latency_mean":', "slis.latency_mean is"))


@pytest.mark.parametrize(
    ("name", "old", "new", "where"),
    [
        ("verdict.json", '"verdict": "', '"verdict": "X', "verdict is"),
        ("verdict.json", '"samples": ', '"samples": 1', "objectives[0].samples is"),
        ("verdict.json", '"seed": 3', '"seed": 4', "seed is 4"),
        ("alerts.json", '"fired_s": ', '"fired_s": 1', "alerts[0].firings[0].fired_s is"),
        ("checkpoints.json", '"DONE": ', '"DONE": 1', "checkpoints[0].states.DONE is"),
        ("checkpoints.json", '"every_s": 300.0', '"every_s": 301.0', "every_s is 301"),
        ("verdict.json", '"schema_version": ', '"extra": 5, "schema_version": ', "extra is 5"),
        ("verdict.json", "{", "", "is not JSON"),
        ("metrics.csv", "\n120,", "\n120,1", "line 3 is not"),
        ("run_manifest.json", '"seed": ', '"seed": 1', "seed is"),
        ("run_manifest.json", '"verdict": "', '"verdict": "X', "verdict is"),
        ("run_manifest.json", '"events": ', '"events": 1', "events is"),
    ],
)
def test_a_change_that_was_sealed_again(run: RunDirectory, name: str, old: str, new: str, where: str) -> None:
    change(run, name, old, new)
    run.write_checksums()
    found = problems(run)
    assert list(found) == [f"{name} recomputed"]
    assert found[f"{name} recomputed"].startswith(where)


def test_one_line_removed_from_the_stream(run: RunDirectory) -> None:
    lines = run.file(STREAM).read_bytes().splitlines(keepends=True)
    place = next(index for index, line in enumerate(lines) if b'"task.done"' in line)
    run.file(STREAM).write_bytes(b"".join(lines[:place] + lines[place + 1 :]))
    found = problems(run)
    assert found[STREAM] == "was changed: its hash differs"
    assert "verdict.json recomputed" in found
    run.write_checksums()
    assert "verdict.json recomputed" in problems(run)


def test_a_stream_that_breaks_off(run: RunDirectory) -> None:
    whole = run.read(STREAM)
    run.file(STREAM).write_bytes(whole[: len(whole) // 2])
    found = problems(run)
    assert found["event stream"] == "is incomplete: it ends before the end of the run"
    assert verify(run)[1].verdict == "INCONCLUSIVE"


def test_a_stream_whose_last_line_is_cut(run: RunDirectory) -> None:
    run.file(STREAM).write_bytes(run.read(STREAM)[:-3])
    assert problems(run)["event stream"] == "is incomplete: it ends before the end of the run"


def test_a_damaged_stream(run: RunDirectory) -> None:
    lines = run.read(STREAM).splitlines(keepends=True)
    run.file(STREAM).write_bytes(b"".join([*lines[:99], b"garbage\n", *lines[100:]]))
    findings, verdict = verify(run)
    assert verdict is None
    assert f"{STREAM}:100: not an event" in findings[-1].problem


@pytest.mark.parametrize("name", ["plots/latency.svg", "soak_summary.md"])
def test_a_changed_file(run: RunDirectory, name: str) -> None:
    run.file(name).write_bytes(run.read(name).replace(b"0", b"1", 1))
    assert problems(run) == {name: "was changed: its hash differs"}


@pytest.mark.parametrize("name", ["plots/latency.svg", "soak_summary.md"])
def test_a_missing_file(run: RunDirectory, name: str) -> None:
    run.file(name).unlink()
    assert problems(run) == {name: "is missing"}


@pytest.mark.parametrize(
    "name", ["verdict.json", "alerts.json", "checkpoints.json", "metrics.csv", "run_manifest.json"]
)
def test_a_missing_result(run: RunDirectory, name: str) -> None:
    run.file(name).unlink()
    found = problems(run)
    assert found[name] == "is missing"
    assert "this evidence is missing" in found[f"{name} recomputed"]


@pytest.mark.parametrize("name", [STREAM, "scenario.yaml"])
def test_without_stream_or_scenario_there_is_no_verdict(run: RunDirectory, name: str) -> None:
    run.file(name).unlink()
    assert verify(run)[1] is None
    assert problems(run)[name] == "is missing"
    assert "missing" in problems(run)["event stream"]


@pytest.mark.parametrize("name", ["notes.txt", "plots/more.svg", ".hidden"])
def test_an_extra_file(run: RunDirectory, name: str) -> None:
    run.file(name).write_text("what is this")
    assert problems(run) == {name: "is not listed in SHA256SUMS"}


# Checksums.


def test_no_checksums(run: RunDirectory) -> None:
    run.file(CHECKSUMS).unlink()
    assert "missing" in problems(run)[CHECKSUMS]


def test_damaged_checksums(run: RunDirectory) -> None:
    run.file(CHECKSUMS).write_bytes(b"\xff\xfe not what it was")
    assert "is damaged" in problems(run)[CHECKSUMS]


def test_a_checksum_that_was_taken_out(run: RunDirectory) -> None:
    lines = run.read(CHECKSUMS).decode().splitlines(keepends=True)
    run.file(CHECKSUMS).write_text("".join(line for line in lines if "metrics.csv" not in line))
    assert problems(run) == {"metrics.csv": "is not listed in SHA256SUMS"}


def test_checksums_are_those_of_the_usual_tool(run: RunDirectory) -> None:
    for line in run.read(CHECKSUMS).decode().splitlines():
        assert re.fullmatch(r"[0-9a-f]{64}  [\w./-]+", line)


# The scenario.


@pytest.mark.parametrize("old", ["rate: 10%", "success_rate >= 90%", "seed: 3"])
def test_another_scenario(run: RunDirectory, old: str) -> None:
    change(run, "scenario.yaml", old, old.replace("0%", "1%").replace("3", "4"))
    with pytest.raises(EvidenceError, match="is not the scenario of the event stream"):
        recompute(run)
    assert "its hash differs" in problems(run)["event stream"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\0", b"nonsense: [", b"version: 1\nname: small\n", b"a" * 2_000_000]
)
def test_a_damaged_scenario(run: RunDirectory, content: bytes) -> None:
    run.file("scenario.yaml").write_bytes(content)
    assert problems(run)["scenario.yaml"] == "was changed: its hash differs"
    assert "scenario.yaml" in problems(run)["event stream"]


def test_a_comment_changes_nothing_but_the_hash(run: RunDirectory) -> None:
    run.file("scenario.yaml").write_bytes(run.read("scenario.yaml") + b"# a word\n")
    assert problems(run) == {"scenario.yaml": "was changed: its hash differs"}


def test_measured_values_stand_beside_the_scenario(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "times.txt").write_text("1.5\n2.5\n")
    service = "{distribution: empirical, file: data/times.txt, unit: s}"
    run = recorder(
        f"name: small\nduration: 5m\nworkload: {{arrivals: {{rate: 10/min}}, task: {{duration: {service}}}}}"
    )
    assert problems(run) == {}
    run.file("data/times.txt").write_text("1.5\n")
    assert problems(run) == {"data/times.txt": "was changed: its hash differs"}
    run.file("data/times.txt").unlink()
    assert "cannot be loaded any more" in problems(run)["event stream"]


def test_what_the_author_keeps_for_himself_names_no_file(recorder: Recorder) -> None:
    own = "x-old: {distribution: empirical, file: gone.txt}\nx-older: [{distribution: empirical}]\n"
    assert problems(recorder(f"name: small\nduration: 5m\n{own}")) == {}


# No run directory.


def test_what_is_no_run_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a directory"):
        RunDirectory.open(tmp_path / "none")
    with pytest.raises(UsageError, match="is not a run directory"):
        RunDirectory.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is not a directory"):
        RunDirectory.open(tmp_path / "file")


CALLS = """\
version: 1
name: small
system: calls
duration: 5m
workload: {arrivals: {rate: 10/min}}
calls: {dependencies: [{name: api, latency: {distribution: constant, value: 1s}}]}
faults: [{name: f, type: server_error, rate: 20%}]
slos: [success_rate >= 10%]
"""


@pytest.mark.parametrize(("columns", "agrees"), [(5, True), (4, False), (6, False)])
def test_evidence_from_before_a_systems_columns_were_added_agrees(tmp_path: Path, columns: int, agrees: bool) -> None:
    """A run of calls had no columns of calls once; to take any other column away is a change."""
    (tmp_path / "small.yaml").write_text(CALLS)
    assert run_command(["run", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "run")]) == 0
    run = RunDirectory(tmp_path / "run")
    lines = run.file(METRICS).read_text().splitlines()
    assert lines[0].endswith(",injected:f,calls,calls_failed,calls_rejected,in_flight,in_flight_max")
    run.file(METRICS).write_text("".join(f"{line.rsplit(',', columns)[0]}\n" for line in lines))
    run.write_checksums()
    assert run_command(["report", str(run.path)]) == 0
    expected = {} if agrees else {"metrics.csv recomputed": "line 1 is not what the stream gives"}
    assert problems(run) == expected
