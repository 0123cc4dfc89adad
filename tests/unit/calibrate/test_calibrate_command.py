"""`soak calibrate` from run directory to overlay and answer: what it writes, what it refuses, and when it says no."""

import json
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator
from truth import SCENARIO

from soak.runner.cli import run_command
from soak.schemas.evidence.calibration import Answer, Calibration, Taken
from soak.schemas.language.distributions import Empirical, LogNormal
from soak.schemas.language.load import load
from soak.schemas.language.schema import read_schema
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import queue_of

pytestmark = pytest.mark.usefixtures("undrawn")

SHORT = SCENARIO.replace("duration: 3h", "duration: 90m")
END_S = 5400.0
Edit = Callable[[dict[str, object]], dict[str, object] | None]


def soak(folder: Path, text: str = SHORT, *more: str) -> Path:
    folder.mkdir()
    (folder / "s.yaml").write_text(textwrap.dedent(text))
    run_command(["run", str(folder / "s.yaml"), "--out", str(folder / "run"), *more])
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return soak(tmp_path_factory.mktemp("calibrate") / "sound")


@pytest.fixture(scope="module")
def calibrated(run: Path) -> Path:
    assert run_command(["calibrate", str(run), "-n", "40", "--out", str(run.parent / "out")]) == 0
    return run.parent / "out"


def read(directory: Path) -> Calibration:
    return msgspec.json.decode((directory / "calibration.json").read_bytes(), type=Calibration)


def rewritten(run: Path, path: Path, change: Edit) -> Path:
    """A copy of a run with every event changed (None: left out) and put in order again; nobody has sealed it."""
    shutil.copytree(run, path)
    (path / "SHA256SUMS").unlink()
    stream = path / "soak_truth.jsonl"
    header, *lines = stream.read_text().splitlines()
    events = [event for line in lines if (event := change(json.loads(line))) is not None]
    events.sort(key=lambda event: float(str(event["t"])))
    stream.write_text("\n".join([header, *map(json.dumps, events)]) + "\n")
    return path


def test_what_is_written_says_the_same_everywhere(calibrated: Path) -> None:
    document = json.loads((calibrated / "calibration.json").read_text())
    Draft202012Validator(read_schema("calibration")).validate(document)
    found = read(calibrated)
    assert found.check.answer is Answer.PREDICTS
    assert (found.run, found.scenario, found.speed, found.for_speed) == ("run", "truth", 1.0, 1.0)
    assert (found.from_s, found.cut_s, found.to_s) == (0.0, pytest.approx(0.7 * END_S), END_S)
    text = (calibrated / "calibration.md").read_text()
    assert text.startswith("# truth: the calibrated model predicts the held-back part\n")
    for parameter in found.parameters:
        assert f"`{parameter.key}`" in text
    for prediction in found.check.predictions:
        assert f"`{prediction.sli}`" in text
    assert {path.name for path in calibrated.iterdir()} == {
        "overlay.yaml",
        "calibration.html",
        "calibration.json",
        "calibration.md",
        "fit.svg",
        "held_back.svg",
        "SHA256SUMS",
    }
    sums = (calibrated / "SHA256SUMS").read_text()
    assert len(sums.splitlines()) == 6 and "overlay.yaml" in sums


def test_the_throughput_is_that_of_the_held_back_part(run: Path, calibrated: Path) -> None:
    found = read(calibrated)
    events = [json.loads(line) for line in (run / "soak_truth.jsonl").read_text().splitlines()[1:]]
    # A task is of the phase in which it was submitted.
    tasks = {event["task"] for event in events if event["type"] == "task.enqueued" and event["t"] >= found.cut_s}
    ended = sum(event["type"] in {"task.done", "task.failed"} and event["task"] in tasks for event in events)
    [seen] = [each for each in found.check.predictions if each.sli == "throughput"]
    assert seen.observed == pytest.approx(ended / (found.to_s - found.cut_s), rel=1e-6)


def test_the_schema_names_the_fields_of_the_code() -> None:
    schema = read_schema("calibration")
    assert list(schema["properties"]) == list(Calibration.__struct_fields__)


def test_the_overlay_leads_to_what_was_estimated(run: Path, calibrated: Path) -> None:
    found = {each.key: each for each in read(calibrated).parameters}
    scenario = load(run / "scenario.yaml", overlays=[calibrated / "overlay.yaml"]).scenario
    service = scenario.workload.service
    assert isinstance(service, LogNormal)
    assert service.median_s == pytest.approx(found["workload.task.duration.median"].value, rel=1e-4)
    assert service.p95_s == pytest.approx(found["workload.task.duration.p95"].value, rel=1e-4)
    assert queue_of(scenario).poll_interval_s == pytest.approx(found["queue.poll_interval"].value, rel=1e-4)
    for fault in scenario.faults:
        assert fault.rate == pytest.approx(found[f"faults.{fault.name}.rate"].value, rel=1e-4)
    plain = load(run / "scenario.yaml").scenario
    assert [fault.type for fault in scenario.faults] == [fault.type for fault in plain.faults]
    assert scenario.slis == plain.slis and scenario.duration_s == plain.duration_s
    overlay = (calibrated / "overlay.yaml").read_text()
    assert "95 % interval" in overlay and "successful attempts" in overlay


def test_a_run_with_the_overlay_verifies(run: Path, calibrated: Path, tmp_path: Path) -> None:
    words = [str(run / "scenario.yaml"), "--overlay", str(calibrated / "overlay.yaml")]
    assert run_command(["validate", *words]) == 0
    assert run_command(["run", *words, "--out", str(tmp_path / "again")]) == 0
    assert run_command(["verify", str(tmp_path / "again")]) == 0


@pytest.mark.drawn
def test_the_same_run_and_seed_give_the_same_calibration(run: Path, calibrated: Path, tmp_path: Path) -> None:
    assert run_command(["calibrate", str(run), "-n", "40", "--out", str(tmp_path / "again")]) == 0
    for name in ("overlay.yaml", "calibration.json", "fit.svg", "held_back.svg"):
        assert (tmp_path / "again" / name).read_bytes() == (calibrated / name).read_bytes()


def test_estimates_can_all_be_taken(run: Path, tmp_path: Path) -> None:
    assert run_command(["calibrate", str(run), "-n", "1", "--estimates", "--out", str(tmp_path / "out")]) == 5
    found = read(tmp_path / "out")
    assert {each.taken for each in found.parameters} == {Taken.RUN}
    transient = next(each for each in found.parameters if each.key == "faults.transient.rate")
    scenario = load(run / "scenario.yaml", overlays=[tmp_path / "out" / "overlay.yaml"]).scenario
    assert scenario.faults[0].rate == pytest.approx(transient.estimate, rel=1e-4) != 0.1
    assert sum(tenant.share for tenant in scenario.workload.tenants) == pytest.approx(1.0)


# A model that is wrong.


def test_a_system_that_becomes_slow_is_not_predicted(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow: set[object] = set()

    def slower(event: dict[str, object]) -> dict[str, object]:
        """Whatever ends well in the held-back part has taken half as long again."""
        t_s = float(str(event["t"]))
        attempt = (event.get("task"), event.get("attempt"))
        if event["type"] == "execution.ended" and "fault" not in event and t_s > 0.7 * END_S:
            slow.add((attempt, ran_s := float(str(event["ran"]))))
            return {**event, "t": t_s + ran_s / 2, "ran": 1.5 * ran_s}
        if event["type"] == "task.done":
            more_s = next((ran_s for known, ran_s in slow if known == attempt), 0.0)  # type: ignore[misc,attr-defined]
            return {**event, "t": t_s + more_s / 2}
        return {**event, "t": t_s + 600} if event["type"] in {"run.ended", "sample.state"} else event

    path = rewritten(run, tmp_path / "slow", slower)
    assert run_command(["calibrate", str(path), "-n", "40", "--out", str(tmp_path / "out")]) == 3
    check = read(tmp_path / "out").check
    assert check.answer is Answer.DOES_NOT
    assert any(reason.startswith("latency_p50 is farther out than chance explains") for reason in check.reasons)
    assert "success_rate" not in " ".join(check.reasons)
    assert capsys.readouterr().out.startswith("DOES NOT PREDICT  truth\n")
    assert run_command(["calibrate", str(path), "-n", "40", "--least", "9", "--out", str(tmp_path / "any")]) == 0


def test_failures_of_the_system_are_in_the_overlay(run: Path, tmp_path: Path) -> None:
    def failing(event: dict[str, object]) -> dict[str, object]:
        number = str(event.get("task", "")).partition(".")[0]
        if event["type"] == "task.done" and number.endswith("7"):
            return {**event, "type": "task.failed", "error": "disk_io"}
        return event

    path = rewritten(run, tmp_path / "failing", failing)
    assert run_command(["calibrate", str(path), "-n", "1", "--out", str(tmp_path / "out")]) == 5
    scenario = load(path / "scenario.yaml", overlays=[tmp_path / "out" / "overlay.yaml"]).scenario
    own = scenario.faults[-1]
    assert (own.name, own.type, own.errors) == ("own-failures", QueueFault.PERMANENT_ERROR, ("disk_io",))
    assert own.rate == pytest.approx(0.1, abs=0.03)
    assert any("is not sealed" in note for note in read(tmp_path / "out").notes)


def test_service_times_that_fit_nothing_go_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    times = "\n".join(["2.0", "2.1", "2.2", "50.0", "51.0"] * 3)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "times.txt").write_text(times)
    empirical = "{distribution: empirical, file: times.txt, unit: s}"
    text = SHORT.replace("{distribution: lognormal, median: 8s, p95: 20s}", empirical)
    (tmp_path / "x" / "s.yaml").write_text(textwrap.dedent(text))
    run_command(["run", str(tmp_path / "x" / "s.yaml"), "--out", str(tmp_path / "run")])
    overlay = tmp_path / "overlays" / "mine.yaml"
    overlay.parent.mkdir()
    assert run_command(["calibrate", str(tmp_path / "run"), "-n", "1", "--out", str(overlay)]) == 5
    service = load(tmp_path / "x" / "s.yaml", overlays=[overlay]).scenario.workload.service
    assert isinstance(service, Empirical)
    assert set(service.values_s) == {2.0, 2.1, 2.2, 50.0, 51.0}
    assert (overlay.parent / "service-times.txt").exists()


# Runs that say too little, or are not to be believed.


def test_a_run_that_is_too_short_says_how_long_would_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = soak(tmp_path / "short", SHORT, "--duration", "4m")
    assert run_command(["calibrate", str(run), "--out", str(tmp_path / "out")]) == 5
    said = capsys.readouterr().err.splitlines()[-1]
    assert "too few observations: " in said and " of at least 100 attempts succeeded" in said
    needed = said.split("a run of ")[1].split(" is long enough")[0]
    assert not (tmp_path / "out").exists()
    longer = soak(tmp_path / "longer", SHORT, "--duration", needed)
    assert run_command(["calibrate", str(longer), "-n", "1", "--out", str(tmp_path / "out")]) == 5
    assert read(tmp_path / "out").service_observations >= 100


def test_a_held_back_part_with_few_tasks_says_nothing(run: Path, tmp_path: Path) -> None:
    words = ["calibrate", str(run), "-n", "1", "--hold-back", "1%", "--out", str(tmp_path / "out")]
    assert run_command(words) == 5
    check = read(tmp_path / "out").check
    assert check.answer is Answer.TOO_LITTLE
    assert "of at least 20 tasks ended in the held-back part" in check.reasons[0]
    assert (tmp_path / "out" / "overlay.yaml").exists()


def test_few_replications_say_nothing(run: Path, tmp_path: Path) -> None:
    assert run_command(["calibrate", str(run), "-n", "5", "--out", str(tmp_path / "out")]) == 5
    assert "5 of at least 40 replications" in read(tmp_path / "out").check.reasons[0]


def test_a_run_that_was_aborted_counts_as_far_as_it_got(tmp_path: Path) -> None:
    abort = "    abort: [{name: enough, when: state_transitions >= 1000}]\n"
    run = soak(tmp_path / "aborted", SHORT + abort)
    assert run_command(["calibrate", str(run), "-n", "40", "--out", str(tmp_path / "out")]) == 0
    found = read(tmp_path / "out")
    assert found.end == "aborted"
    assert found.to_s < END_S - 60
    assert any(note.startswith("the run was aborted at ") for note in found.notes)


@pytest.mark.parametrize(("last", "end", "count"), [("run.interrupted", "interrupted", 1), ("", "cut", 40)])
def test_a_run_that_came_to_no_end_counts_as_far_as_it_got(
    run: Path, tmp_path: Path, last: str, end: str, count: int
) -> None:
    def until_75_minutes(event: dict[str, object]) -> dict[str, object] | None:
        if event["type"] == "run.ended":
            return {"t": 4500.0, "type": last} if last else None
        return event if float(str(event["t"])) < 4500 else None

    path = rewritten(run, tmp_path / "ended", until_75_minutes)
    assert run_command(["calibrate", str(path), "-n", f"{count}", "--out", str(tmp_path / "out")]) == (
        5 if count == 1 else 0
    )
    found = read(tmp_path / "out")
    assert (found.end, found.to_s) == (end, pytest.approx(4500, abs=60))


def test_a_stream_that_was_changed_is_not_believed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run, tmp_path / "run")
    stream = tmp_path / "run" / "soak_truth.jsonl"
    stream.write_text(stream.read_text().replace('"worker":1', '"worker":2', 1))
    assert run_command(["calibrate", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 5
    assert "soak_truth.jsonl was changed: its hash differs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["soak_truth.jsonl", "scenario.yaml"])
def test_missing_evidence_is_told(run: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    assert run_command(["calibrate", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 5


def test_a_damaged_line_is_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rewritten(run, tmp_path / "run", lambda event: event)
    stream = path / "soak_truth.jsonl"
    lines = stream.read_text().splitlines()
    stream.write_text("\n".join([*lines[:100], "{", *lines[100:]]) + "\n")
    assert run_command(["calibrate", str(path), "--out", str(tmp_path / "out")]) == 5
    assert "soak_truth.jsonl:101: not an event" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--hold-back", "0%"],
        ["--hold-back", "100%"],
        ["--hold-back", "a third"],
        ["-n", "0"],
        ["--for-speed", "0"],
        ["--least", "-1"],
    ],
)
def test_what_cannot_be_asked_for(run: Path, tmp_path: Path, words: list[str]) -> None:
    assert run_command(["calibrate", str(run), *words, "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_evidence_is_not_written_into(run: Path, calibrated: Path, tmp_path: Path) -> None:
    assert run_command(["calibrate", str(run), "--out", str(run / "calibration")]) == 2
    assert run_command(["calibrate", str(run), "--out", str(run / "o.yaml")]) == 2
    assert run_command(["calibrate", str(run), "--out", str(calibrated)]) == 2
    assert run_command(["calibrate", str(run), "--out", str(calibrated / "overlay.yaml")]) == 2
    assert run_command(["calibrate", str(tmp_path)]) == 2


def test_the_default_place_and_json(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["calibrate", str(run), "-n", "1", "--json"]) == 5
    [directory] = tmp_path.glob("calibrations/truth-*Z")
    assert json.loads(capsys.readouterr().out) == json.loads((directory / "calibration.json").read_text())


def test_a_run_of_calls_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = Path(__file__).parents[3] / "scenarios" / "resilience" / "network-retry.yaml"
    run_command(["run", str(scenario), "--out", str(tmp_path / "run")])
    capsys.readouterr()
    assert run_command(["calibrate", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert "is a run of the system calls, whose model cannot be calibrated" in said
    assert not (tmp_path / "out").exists()


SERVED = """\
version: 1
name: served
system: queue
duration: 2m
drain: 10s
workload: {arrivals: {trace: {file: served.csv, time: at, service: took}}}
"""


def test_a_run_whose_trace_has_the_service_times_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "served.yaml").write_text(SERVED, encoding="utf-8")
    rows = "".join(f"{second},1.5\n" for second in range(120))
    (tmp_path / "served.csv").write_text(f"at,took\n{rows}", encoding="utf-8")
    run_command(["run", str(tmp_path / "served.yaml"), "--out", str(tmp_path / "run")])
    capsys.readouterr()
    assert run_command(["calibrate", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert "the trace of this run has the service times" in said
