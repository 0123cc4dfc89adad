"""Traces through YAML: the same arrivals as the run they are from, and queues whose every wait is known beforehand."""

import hashlib
import heapq
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from test_fidelity import REPLICATIONS, assert_inside_interval

from soak.runner.api import simulate_scenario
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.verify import verify
from soak.runner.session import run_loaded
from soak.runner.targets.make import make_target
from soak.schemas.errors import ScenarioError, UsageError
from soak.schemas.language.load import Loaded, load
from soak.schemas.stream.block import Floats, merge
from soak.schemas.stream.events import KEY_SHIFT, Kind
from soak.schemas.trace import text_file
from soak.schemas.trace.settings import Reading
from soak.schemas.trace.survey import survey
from soak.simulation.plan import Plan
from soak.simulation.run import simulate
from soak.simulation.streams import Stream

DRAWN = """\
version: 1
name: drawn
system: queue
duration: 3h
workload:
  arrivals: {stages: [{to: 2/s, for: 1h}, {rate: 1/s, for: 1h}], burst: {every: 30m, for: 1m, rate: 9/s}}
  task: {duration: {distribution: exponential, mean: 1s}}
"""
TRACED = """\
version: 1
name: traced
system: queue
duration: 10h
drain: 2h
workload: {arrivals: {trace: {file: trace.csv, time: due, service: took}}}
queue: {workers: WORKERS, poll_interval: 0s, retry: {backoff: [1s]}}
"""


def loaded_of(folder: Path, text: str) -> Loaded:
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def due(loaded: Loaded) -> list[float]:
    return [due_s for chunk in Plan(loaded.scenario).submissions() for due_s in chunk.due_s.tolist()]


def write_trace(folder: Path, due_s: Floats, service_s: Floats) -> None:
    rows = "".join(f"{at:.6f},{took:.6f}\n" for at, took in zip(due_s.tolist(), service_s.tolist(), strict=True))
    (folder / "trace.csv").write_text(f"due,took\n{rows}", encoding="utf-8")


def test_the_arrivals_of_a_run_are_those_of_its_trace(tmp_path: Path) -> None:
    drawn = due(loaded_of(tmp_path, DRAWN))
    assert len(drawn) > 10_000
    write_trace(tmp_path, np.array(drawn), np.ones(len(drawn)))
    assert due(loaded_of(tmp_path, TRACED.replace("WORKERS", "4"))) == drawn


def known_process(folder: Path, seed: int, rate_per_s: float, mean_s: float) -> tuple[Floats, Floats]:
    """A trace of Poisson arrivals over ten hours with exponential service times, written to the folder."""
    generator = Stream(seed, "known process").at(0)
    due_s = np.cumsum(generator.exponential(1 / rate_per_s, round(36_000 * rate_per_s)))
    due_s = np.round(due_s[due_s < 36_000], 6)
    service_s = np.round(generator.exponential(mean_s, len(due_s)), 6)
    write_trace(folder, due_s, service_s)
    return due_s, service_s


@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_waits_as_long_as_the_recursion_says(tmp_path: Path, workers: int) -> None:
    """First come, first served, with c servers (Kiefer and Wolfowitz 1955): each task has the first server that is free."""
    due_s, service_s = known_process(tmp_path, workers, 0.09 * workers, 10.0)
    free, expected = [0.0] * workers, []
    for at, took in zip(due_s.tolist(), service_s.tolist(), strict=True):
        ended = max(at, heapq.heappop(free)) + took
        heapq.heappush(free, ended)
        expected.append(ended)
    plan = Plan(loaded_of(tmp_path, TRACED.replace("WORKERS", str(workers))).scenario)
    events = merge(list(simulate(plan)))
    done = events.kind == Kind.TASK_DONE
    ends = dict(zip((events.task[done] >> KEY_SHIFT).tolist(), events.t[done].tolist(), strict=True))
    assert [ends[arrival] for arrival in range(len(due_s))] == pytest.approx(expected, abs=1e-3)


def test_a_trace_of_a_known_process_gives_its_mean_wait(tmp_path: Path) -> None:
    """M/M/1 at half of its capacity: a task is in the system for 1 s / 0.5 on average."""
    values = []
    for seed in range(REPLICATIONS):
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        known_process(folder, seed, 0.5, 1.0)
        text = TRACED.replace("WORKERS", "1").replace("10h", "10h\nslos: [latency_mean <= 1h]")
        value = simulate_scenario(loaded_of(folder, text))[0].objectives[0].value
        assert value is not None
        values.append(value)
    assert_inside_interval(values, 2.0)


def test_a_retry_takes_as_long_as_the_row_says(tmp_path: Path) -> None:
    _, service_s = known_process(tmp_path, 1, 0.3, 2.0)
    fault = "faults: [{name: flaky, type: transient_error, rate: 30%}]\n"
    plan = Plan(loaded_of(tmp_path, TRACED.replace("WORKERS", "4") + fault).scenario)
    for arrival in (len(service_s) - 1, 0, 5000):
        for attempt in (1, 2, 5):
            assert plan.fate(arrival << KEY_SHIFT, attempt, 0.0)[0] == service_s[arrival]
            assert plan.fate((arrival << KEY_SHIFT) + 1, attempt, 0.0)[0] == service_s[arrival]


NAMED = """\
version: 1
name: named
system: queue
duration: 10h
workload:
  arrivals: {trace: {file: trace.csv, time: due, tenant: whose, kind: what}}
  task: {duration: {distribution: constant, value: 1s}}
  tenants: [{name: B, share: 50%}, {name: A, share: 50%}]
  kinds: [{name: slow, share: 50%, task: {duration: {distribution: constant, value: 3s}}}, {name: fast, share: 50%}]
queue: {workers: 40, poll_interval: 0s}
slos: ["latency_p50{kind=slow} <= 3s", "latency_p50{kind=fast} <= 1s"]
"""


def test_tenants_and_kinds_are_those_of_the_rows(tmp_path: Path) -> None:
    rows = "".join(f"{n},{'AB'[n % 5 == 0]},{'fast' if n % 4 else 'slow'}\n" for n in range(10_000))
    (tmp_path / "trace.csv").write_text(f"due,whose,what\n{rows}", encoding="utf-8")
    loaded = loaded_of(tmp_path, NAMED)
    workload = loaded.scenario.workload
    assert [(each.name, each.share) for each in workload.tenants] == [("B", 0.2), ("A", 0.8)]
    assert [(each.name, each.share) for each in workload.kinds] == [("slow", 0.25), ("fast", 0.75)]
    plan = Plan(loaded.scenario)
    arrivals = [9_999, 0, 5, 4_096, 4_097, 8_000]
    labels = [plan.vocabulary.labels[index] for index in plan.labels_of(np.array(arrivals) << KEY_SHIFT).tolist()]
    expected = [("AB"[n % 5 == 0], "fast" if n % 4 else "slow") for n in arrivals]
    assert [(label.tenant, label.kind) for label in labels] == expected
    assert [plan.fate(n << KEY_SHIFT, 2, 0.0)[0] for n in arrivals] == [1.0 if n % 4 else 3.0 for n in arrivals]
    assert simulate_scenario(loaded)[0].verdict.value == "PASS"


# Evidence.


def run_of(folder: Path, loaded: Loaded, name: str) -> RunDirectory:
    return run_loaded(loaded, make_target("simulation"), out=folder / name, abort=True, notify=False)[1]


def test_a_run_is_verified_without_its_trace_but_not_repeated(tmp_path: Path) -> None:
    known_process(tmp_path, 1, 0.05, 2.0)
    directory = run_of(tmp_path, loaded_of(tmp_path, TRACED.replace("WORKERS", "1")), "run")
    assert not directory.file("trace.csv").exists()
    findings, verdict = verify(directory)
    assert [str(finding) for finding in findings if finding.problem] == []
    assert verdict is not None
    summary = directory.file("soak_summary.md").read_text(encoding="utf-8")
    assert f"SHA-256 `{hashlib.sha256((tmp_path / 'trace.csv').read_bytes()).hexdigest()}`" in summary
    stored = load(directory.file("scenario.yaml"))
    with pytest.raises(UsageError, match=r"trace\.csv: is not here, and the run needs its rows"):
        run_of(tmp_path, stored, "again")
    assert not (tmp_path / "again").exists()
    content = (tmp_path / "trace.csv").read_bytes()
    directory.file("trace.csv").write_bytes(content)
    again = run_of(tmp_path, load(directory.file("scenario.yaml")), "again")
    name = "soak_traced.jsonl"
    assert again.file(name).read_bytes() == directory.file(name).read_bytes()
    directory.file("trace.csv").write_bytes(content + b"35999,1\n")
    with pytest.raises(ScenarioError, match="is not the file of this run"):
        load(directory.file("scenario.yaml"))


def test_another_file_of_the_same_name_is_another_scenario(tmp_path: Path) -> None:
    known_process(tmp_path, 1, 0.05, 2.0)
    one = loaded_of(tmp_path, TRACED.replace("WORKERS", "1"))
    known_process(tmp_path, 2, 0.05, 2.0)
    other = loaded_of(tmp_path, TRACED.replace("WORKERS", "1"))
    assert one.data == other.data
    assert one.sha256 != other.sha256


# Memory.


def peak_bytes(folder: Path, rows: int) -> int:
    """The most memory that reading a trace of this many rows takes, and playing it with its service times."""
    path = folder / f"{rows}.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("due,took\n")
        file.writelines(f"{n * 0.25},{n % 7}.5\n" for n in range(rows))
    tracemalloc.start()
    try:
        survey(Reading(path, "due", service="took"))
        text = TRACED.replace("trace.csv", path.name).replace("10h", f"{rows // 4}s").replace("WORKERS", "4")
        plan, total = Plan(loaded_of(folder, text).scenario), 0
        for chunk in plan.submissions():
            total += len(chunk)
            plan.fate(int(chunk.number[0]) if len(chunk) else 0, 1, 0.0)
            plan.fate(0, 2, 0.0)
        assert total == rows
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "PIECE_BYTES", 1 << 13)
    peak_bytes(tmp_path, 1_000)
    # Five times the rows: 1 MB of text and 1.6 MB of columns more.
    assert peak_bytes(tmp_path, 125_000) < peak_bytes(tmp_path, 25_000) + 300_000
