"""The tiny task system as a target file, and a run of it as faults see it."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from servers import until

from soak.runner.targets.context import RunContext
from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.prepared import Prepared, prepare
from soak.runner.targets.queue.foreign.control import Control, with_workers
from soak.schemas.language.document import Document
from soak.schemas.language.load import load
from soak.schemas.stream.events import Kind
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import Kill, Killed, Probe, ProbeKind, Program, Stop, TargetFile, Workers
from soak.simulation.plan import Plan

TINY = f"{sys.executable} {Path(__file__).with_name('tiny.py')}"
SCENARIO = """
version: 1
name: tiny
system: queue
duration: 1h
workload: {arrivals: {rate: 1/s}, task: {duration: {distribution: constant, value: 1s}}}
slos: [lost_tasks == 0]
"""
KINDS: Mapping[Kind, str] = {
    Kind.PROCESS_EXITED: "exited",
    Kind.PROCESS_STARTED: "started",
    Kind.FAULT_INJECTED: "injected",
    Kind.FAULT_SEEN: "seen",
    Kind.FAULT_CLEARED: "cleared",
}


def program(name: str, words: str, ready: Probe | None = None, role: str | None = None) -> Program:
    return Program(name, f"{TINY} {words}", ".", {}, (), ready, Stop(grace_s=1.0), role=role)


BROKER = program("store", "broker {port.store}", Probe(ProbeKind.TCP, "{port.store}", 1.0), "broker")
READY = Probe(ProbeKind.LOG, "ready", 1.0)


def target(what: str = "worker {name} {port.store}", **more: object) -> LoadedTarget:
    """The tiny system with two workers."""
    workers = Workers(program("worker", what, READY), 2, kill=Kill(Killed.TREE))
    file = TargetFile("tiny", "", "queue", {}, ("store",), (), (BROKER,), None, (), {}, {}, None, {}, {})
    file = replace(file, workers=replace(workers, **more))  # type: ignore[arg-type]
    return LoadedTarget(file, Path(), b"", Document("target.yaml", "", {}))


@dataclass
class Made:
    """A system that runs."""

    context: RunContext
    prepared: Prepared
    background: Background
    control: Control

    def noted(self) -> list[tuple[str, ...]]:
        """What was noted since the last call: kind, name of the process if any, and cause."""
        self.control.look()
        rows, words = self.context.journal.take(self.context.now()), self.context.plan.vocabulary
        found = []
        for kind, value, cause in zip(rows.kind.tolist(), rows.value.tolist(), rows.cause.tolist(), strict=True):
            if word := KINDS.get(Kind(kind)):
                named = [words.names[int(value)]] if word in {"exited", "started"} else []
                told = words.causes[cause]
                found.append((word, *named, told.fault or told.error))
        return found

    def sees(self, *wanted: tuple[str, ...]) -> None:
        """Wait until all of these were noted, in whatever order, and nothing else."""
        found: list[tuple[str, ...]] = []

        def all_there() -> bool:
            found.extend(self.noted())
            return len(found) >= len(wanted)

        until(all_there)
        assert sorted(found) == sorted(wanted)


def plan_of(folder: Path, faults: str = "") -> Plan:
    (folder / "scenario.yaml").write_text(SCENARIO + faults)
    return Plan(load(folder / "scenario.yaml").scenario)


@contextmanager
def running(
    folder: Path, loaded: LoadedTarget, faults: str = "", restart_s: float = 0.1, port: int | None = None
) -> Iterator[Made]:
    """The tiny system, up and ready; `port`: of its broker."""
    plan = plan_of(folder, faults)
    (folder / "system").mkdir()
    with offspring_ended("the test"), Background() as background:
        prepared = prepare(with_workers(loaded, 2), folder / "system", {}, None if port is None else {"store": port})
        with closing(Control(prepared, background, restart_s)) as control:
            control.start()
            context = RunContext.begin(plan, 1.0)
            control.begin(context)
            yield Made(context, prepared, background, control)
