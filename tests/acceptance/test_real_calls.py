"""Scenarios of the system `calls` against real dependencies: tasks meet the fate that the model gives them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import psutil
import pytest

from soak.runner.engine import execute, identify
from soak.runner.targets.calls.target import CallsTarget
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.verdict import Outcome, Verdict
from soak.schemas.language.load import load
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "scenarios" / "resilience"
COPIES = ROOT / "tests" / "scenarios" / "calls"
SPEEDS = {
    SHIPPED / "queue-fallback.yaml": 5.0,
    SHIPPED / "memory-degradation.yaml": 4.0,
    COPIES / "every-fault.yaml": 2.0,
    COPIES / "circuit-breaker.yaml": 3.0,
    COPIES / "bulkhead.yaml": 2.0,
    COPIES / "pool.yaml": 2.0,
    COPIES / "rate-limits.yaml": 2.0,
    COPIES / "race.yaml": 2.0,
    COPIES / "auto-healing.yaml": 2.0,
    COPIES / "rollback.yaml": 2.0,
}
"""How fast each is run: so that a busy machine does not make a timeout of what is none."""

AT_ONCE = 3
_FOLLOWED = {Kind.CALL_STARTED, Kind.CALL_SUCCEEDED, Kind.CALL_FAILED, Kind.CALL_REJECTED, Kind.TASK_RETRY}
_FOLLOWED |= {Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_DEGRADED}


class Kept:
    """A sink that keeps the blocks."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []

    def append(self, block: Block, facts: object) -> None:
        """Keep one."""
        self.blocks.append(block)


@dataclass(frozen=True)
class Run:
    """What became of a scenario: the verdict, and how often each kind of event came, and what each task went through."""

    verdict: Verdict
    counts: dict[str, int]
    tasks: dict[int, list[tuple[str, int, str, str]]]

    most_at_once: int
    """Calls that were under way at the same time."""


def run(path: Path, speed: float | None, directory: Path) -> Run:
    """A run against real dependencies, or a simulation where no speed is given."""
    loaded = load(path, settings=("repeat=1",))
    target = CallsTarget(speed) if speed else Simulation()
    if isinstance(target, CallsTarget):
        target.admit(loaded.scenario)
    target.prepare(directory)
    plan, kept = Plan(loaded.scenario), Kept()
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True)
    verdict, _ = execute(plan, target, identity, (kept,))
    return Run(verdict, *_told(kept.blocks, plan), _most_at_once(kept.blocks))


def _told(blocks: list[Block], plan: Plan) -> tuple[dict[str, int], dict[int, list[tuple[str, int, str, str]]]]:
    counts: dict[str, int] = {}
    tasks: dict[int, list[tuple[str, int, str, str]]] = {}
    for block in blocks:
        for place, kind in enumerate(map(Kind, block.kind.tolist())):
            counts[kind.name] = counts.get(kind.name, 0) + 1
            if kind in _FOLLOWED:
                cause = plan.vocabulary.causes[int(block.cause[place])]
                story = tasks.setdefault(int(block.task[place]), [])
                story.append((kind.name, int(block.attempt[place]), cause.fault, cause.error))
    return counts, tasks


def _most_at_once(blocks: list[Block]) -> int:
    steps = {Kind.CALL_STARTED: 1, Kind.CALL_SUCCEEDED: -1, Kind.CALL_FAILED: -1}
    return max(accumulate(steps.get(Kind(kind), 0) for block in blocks for kind in block.kind.tolist()))


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The command under way, and where its evidence will be."""
    out = tmp_path_factory.mktemp("command") / "run"
    with start(out, "--speed", "2") as process:
        yield process, out
        process.kill()


@pytest.fixture(scope="module")
def real(command: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, Future[Run]]]:
    """All of them for real, some at a time."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield {
            path: threads.submit(run, path, speed, tmp_path_factory.mktemp(path.stem)) for path, speed in SPEEDS.items()
        }


def both(real: dict[Path, Future[Run]], name: str, tmp_path: Path) -> tuple[Run, Run]:
    """The real run of a scenario, and that of the model."""
    path = next(path for path in SPEEDS if path.stem == name)
    return real[path].result(), run(path, None, tmp_path)


@pytest.mark.parametrize("name", ["queue-fallback", "memory-degradation", "every-fault"])
def test_tasks_meet_the_fate_that_the_model_gives_them(
    name: str, real: dict[Path, Future[Run]], tmp_path: Path
) -> None:
    observed, model = both(real, name, tmp_path)
    assert observed.tasks == model.tasks
    assert observed.verdict.verdict is model.verdict.verdict
    for one, other in zip(observed.verdict.faults, model.verdict.faults, strict=True):
        assert one.seen == other.seen
        # The model does not tell a delay when it takes place, only when it shows.
        assert one.injected == (other.seen if one.type == "delay" else other.injected)
    if name == "every-fault":
        assert all(fault.seen for fault in observed.verdict.faults)


def test_memory_is_what_the_scenario_says(real: dict[Path, Future[Run]], tmp_path: Path) -> None:
    observed, _ = both(real, "memory-degradation", tmp_path)
    assert observed.verdict.verdict is Outcome.PASS
    assert (observed.verdict.slis["memory_held"], observed.verdict.slis["degraded_tasks"]) == (pytest.approx(0.8), 2)


def test_a_circuit_breaker_opens_tries_and_closes(real: dict[Path, Future[Run]], tmp_path: Path) -> None:
    observed, model = both(real, "circuit-breaker", tmp_path)
    assert observed.verdict.verdict is Outcome.PASS
    for each in (observed, model):
        assert each.counts["CIRCUIT_OPENED"] == each.counts["CIRCUIT_HALF_OPENED"] >= 2
        assert each.counts["CIRCUIT_CLOSED"] == 1
        assert each.counts["CALL_REJECTED"] > 5


@pytest.mark.parametrize(
    ("name", "rejections"),
    [("bulkhead", {"bulkhead_full"}), ("pool", {"pool_exhausted"}), ("rate-limits", {"rate_limit"})],
)
def test_what_is_too_much_is_rejected(
    name: str, rejections: set[str], real: dict[Path, Future[Run]], tmp_path: Path
) -> None:
    observed, model = both(real, name, tmp_path)
    assert observed.verdict.verdict is Outcome.PASS
    for each in (observed, model):
        told = [step for story in each.tasks.values() for step in story if step[0] == "CALL_REJECTED"]
        assert {error for _, _, _, error in told} == rejections
        assert 0 < each.verdict.tasks["DONE"] < each.verdict.tasks["accepted"]
        if name != "rate-limits":
            assert each.most_at_once == 3


def test_a_dependency_says_when_it_is_asked_too_much(real: dict[Path, Future[Run]], tmp_path: Path) -> None:
    observed, _ = both(real, "rate-limits", tmp_path)
    told = {error for story in observed.tasks.values() for kind, _, _, error in story if kind == "CALL_FAILED"}
    assert told == {"rate_limited"}
    assert observed.verdict.slis["backoff_violations"] == 0


def test_a_race_loses_updates(real: dict[Path, Future[Run]], tmp_path: Path) -> None:
    observed, model = both(real, "race", tmp_path)
    assert observed.verdict.verdict is model.verdict.verdict is Outcome.PASS
    assert min(observed.counts["UPDATE_LOST"], model.counts["UPDATE_LOST"]) > 5


def test_a_dependency_that_is_killed_is_started_by_its_health_check(
    real: dict[Path, Future[Run]], tmp_path: Path
) -> None:
    observed, model = both(real, "auto-healing", tmp_path)
    assert observed.verdict.verdict is Outcome.PASS
    assert observed.verdict.tasks["DONE"] == model.verdict.tasks["DONE"]
    for each in (observed, model):
        assert each.counts["PROCESS_EXITED"] == each.counts["PROCESS_STARTED"] == 1
    seen = {
        (fault, error) for story in observed.tasks.values() for kind, _, fault, error in story if kind == "CALL_FAILED"
    }
    assert ("crash", "dependency_crash") in seen


def test_a_bad_release_is_rolled_back(real: dict[Path, Future[Run]], tmp_path: Path) -> None:
    observed, model = both(real, "rollback", tmp_path)
    assert observed.verdict.verdict is Outcome.PASS
    for each in (observed, model):
        assert each.counts["RELEASE_DEPLOYED"] == each.counts["RELEASE_ROLLED_BACK"] == 1
    # After it nothing fails any more.
    assert all(observed.tasks[number][-1][0] == "TASK_DONE" for number in sorted(observed.tasks)[-20:])


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_can_be_run_for_real(path: Path) -> None:
    CallsTarget().admit(load(path, settings=("repeat=1",)).scenario)


# The command.


def start(out: Path, *more: str) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    command = [sys.executable, "-m", "soak", "run", str(SHIPPED / "network-retry.yaml"), "--target", "calls"]
    return subprocess.Popen(
        [*command, "--out", str(out), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def family(process: subprocess.Popen[str], out: Path) -> list[psutil.Process]:
    """The processes that a run has started, when it is under way."""
    until, stream = time.monotonic() + 60, out / "soak_network-retry.jsonl"
    while time.monotonic() < until and not (stream.exists() and "call.started" in stream.read_text()):
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    return children


def test_the_command_runs_it_and_its_evidence_is_true(
    command: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    process, out = command
    said, complained = process.communicate(timeout=120)
    sys.stderr.write(said + complained)
    assert process.returncode == 0
    verify = subprocess.run([sys.executable, "-m", "soak", "verify", str(out)], cwd=ROOT, check=False)
    assert verify.returncode == 0
    manifest = json.loads((out / "run_manifest.json").read_text())
    assert (manifest["target"], manifest["clock"], manifest["speed"]) == ("calls", "real", 2)
    events = [json.loads(line) for line in (out / "soak_network-retry.jsonl").read_text().splitlines()]
    ends = Counter(event["type"] for event in events)
    model = run(SHIPPED / "network-retry.yaml", None, tmp_path).verdict.tasks
    assert (ends["task.done"], ends["task.failed"]) == (model["DONE"], model["FAILED"])
    assert {"sample.in_flight", "sample.queue_depth", "sample.rss", "fault.injected"} <= ends.keys()
    kept = {path.name for path in (out / "system").iterdir()}
    assert kept == {"primary.log", "primary.account.jsonl", "processes.csv"}
    assert ",primary," in (out / "system" / "processes.csv").read_text()


def test_no_process_outlives_its_runner(tmp_path: Path) -> None:
    """Each is started when the other has ended: they last some twenty seconds, which a busy machine takes to end one."""
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        with start(tmp_path / number.name) as process:
            try:
                children = family(process, tmp_path / number.name)
                os.kill(process.pid, number)
                process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == code
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive


WAITS = """\
version: 1
name: waits
system: calls
drain: 1m
workload: {tasks: 3, arrivals: {process: constant, rate: 1/s}}
calls:
  dependencies: [{name: a, latency: {distribution: constant, value: 3s}}]
  policy: [{pool: {size: 1, max_wait: 1m}}, {timeout: 4s}]
slos: [latency_max <= 1m]
telemetry: {sample_interval: 1s}
"""


def test_the_wait_for_a_connection_counts_towards_a_timeout(tmp_path: Path) -> None:
    """The second call gets its connection at 3 s, and would be answered at 6 s: a second after its time was up."""
    path = tmp_path / "waits.yaml"
    path.write_text(WAITS)
    real, model = run(path, 2.0, tmp_path), run(path, None, tmp_path)
    assert model.verdict.tasks["DONE"] == 1
    assert real.verdict.tasks["DONE"] <= 1
    assert real.verdict.tasks["FAILED"] >= 2
    assert real.verdict.slis["latency_max"] < 5.0
