"""A trial of a target file, without a scenario: everything is started, probed, killed, looked for again, and stopped.

`soak target check FILE.yaml` prints its steps.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from soak.runner.targets.offspring import Offspring, offspring_ended
from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import kill, kill_tree
from soak.runner.targets.processes.identity import ProcessId, stat
from soak.runner.targets.processes.kept import SUPERVISOR, Kept, kept, look
from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.processes.ledger_trial import fault_of_ledger
from soak.runner.targets.processes.metrics import MetricReader
from soak.runner.targets.processes.orphans import orphans
from soak.runner.targets.processes.prepared import Prepared, missing_commands, prepare
from soak.runner.targets.processes.starting import Programs
from soak.schemas.errors import ScenarioError
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import Ledger, Process
from soak.schemas.target.templates import expand

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
_READY_S, _BACK_S, _RECORDS_S, _LEFT_S = 30.0, 60.0, 10.0, 1.0
_LOOK_EVERY_S = 0.05
_RECORDS = 500
"""Of a source that replays: for ten seconds."""

_SLACK_S = 1.0


class Step(Struct, frozen=True):
    """A step of a trial: `status` is ok, failed or skipped; detail: figures, or what went wrong."""

    name: str
    status: str
    detail: str = ""


def trial(loaded: LoadedTarget) -> Iterator[Step]:
    """Try a target file, in a temporary directory that is removed afterwards. Raises ScenarioError for missing commands."""
    if missing := list(missing_commands(loaded)):
        raise ScenarioError(missing)
    with (
        tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as top,
        offspring_ended(loaded.file.name) as offspring,
        Background() as background,
    ):
        prepared = prepare(loaded, Path(top), _values(Path(top)))
        with prepared.launcher:
            yield from _Trial(prepared, background, offspring).steps()


def _values(directory: Path) -> dict[str, str]:
    """What names in braces stand for without a scenario: settings without any, and a few records."""
    config, replay = directory / "config.json", directory / "replay.jsonl"
    config.write_text("{}\n", encoding="utf-8")
    records = [
        {"seq": seq, "t": seq * 0.02, "symbol": "A", "strength": seq % 100 / 100, "consistency": 0.99}
        for seq in range(_RECORDS)
    ]
    lines = [json.dumps(each) + "\n" for each in (*records, {"end": True})]
    replay.write_text("".join(lines), encoding="utf-8")
    fixed = {"speed": "1", "seed": "1", "duration": "60", "timezone": "UTC"}
    return {**fixed, "config": str(config), "replay": str(replay)}


class _Trial:
    """One trial."""

    def __init__(self, prepared: Prepared, background: Background, offspring: Offspring) -> None:
        self._prepared, self._file, self._background = prepared, prepared.file, background
        self._offspring = offspring
        self._programs = Programs(prepared.launcher, background)
        self._actions = Actions(background, prepared.launcher.environment, prepared.launcher.here)
        self._kept: Kept = kept(prepared, self._programs, background)

    def steps(self) -> Iterator[Step]:
        """All steps; the first that leaves nothing to be tried is the last."""
        started = True
        for step in self._start():
            yield step
            started &= step.status != FAILED
        if started:
            for process in self._file.processes:
                yield from self._look_at(process)
            yield from self._ledgers()
            for process in self._file.processes:
                yield self._killed(process)
            yield from self._stop()
        self._programs.stop_all()
        self._actions.close()

    def _start(self) -> Iterator[Step]:
        own = {each.program.name for each in self._file.processes if each.program}
        for program in self._file.programs:
            if program.name in own:
                continue
            began = time.monotonic()
            try:
                self._programs.start(program)
            except StartError as error:
                yield Step(f"{program.name} starts", FAILED, str(error))
                return
            yield Step(f"{program.name} starts", OK, f"{time.monotonic() - began:.2f} s")
        if self._file.source and self._file.source.go:
            why = self._actions.do(expand(self._file.source.go, {"epoch": f"{time.time():.3f}"}))
            yield Step("source is told to go", FAILED if why else OK, why)
        self._kept.start()
        began = time.monotonic()
        for process in self._file.processes:
            why = self._wait_for(process.name, None, _READY_S)
            detail = why or f"{time.monotonic() - began:.2f} s"
            yield Step(f"{process.name} is ready", FAILED if why else OK, detail)

    def _wait_for(self, name: str, but: ProcessId | None, within_s: float) -> str:
        """Wait until a process of this name is ready, `but` another one; why it is not, or nothing."""

        def ready() -> bool:
            return self._kept.current(name) not in {None, but} and self._kept.is_ready(name)

        if self._until(lambda: ready() or self._kept.is_given_up(name), within_s) and ready():
            return ""
        when = "" if self._kept.is_given_up(name) else f"not within {within_s:g} s: "
        return f"{when}{self._kept.trouble(name)}"

    def _until(self, what: Callable[[], bool], within_s: float) -> bool:
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            self._kept.poll()
            if what():
                return True
            time.sleep(_LOOK_EVERY_S)
        return False

    def _look_at(self, process: Process) -> Iterator[Step]:
        """Its probe while it runs, and its metrics."""
        if process.live is not None and process.live != process.ready:
            said = look(process.live, self._kept.subject(process.name), self._background)
            yield Step(f"{process.name} is alive", OK if said.green else FAILED, said.reason)
        for name, how in process.metrics.items():
            value = self._background.run(MetricReader(how).read(), how.timeout_s + _SLACK_S)
            yield Step(f"{process.name} reports {name}", FAILED if value is None else OK, _shown(value))

    def _ledgers(self) -> Iterator[Step]:
        """Whether every ledger is there, with the fields that the file names."""
        ledgers = [*(("stream", *each) for each in self._file.streams.items())]
        ledgers += [("sink", *each) for each in self._file.sinks.items()]
        until = time.monotonic() + _RECORDS_S
        for kind, name, ledger in ledgers:
            yield self._ledger(f"{kind} {name} is read", ledger, until)

    def _ledger(self, step: str, ledger: Ledger, until: float) -> Step:
        why = fault_of_ledger(ledger)
        while why is None and time.monotonic() < until:
            self._kept.poll()
            time.sleep(_LOOK_EVERY_S)
            why = fault_of_ledger(ledger)
        if why is None:
            # Perhaps there are none of this kind.
            return Step(step, SKIPPED, f"no records within {_RECORDS_S:g} s")
        return Step(step, FAILED if why else OK, why)

    def _killed(self, process: Process) -> Step:
        """Kill a process, and wait until another one is ready in its place."""
        step, before = f"{process.name} comes back after a kill", self._kept.current(process.name)
        if before is None:
            return Step(step, SKIPPED, "it does not run")
        began = time.monotonic()
        kill(before, process.kill)
        if not self._until(lambda: not before.is_alive(), _LEFT_S * 5):
            return Step(step, FAILED, "it is still alive (correct its kill:)")
        if why := self._wait_for(process.name, before, _BACK_S):
            return Step(step, FAILED, why)
        return Step(step, OK, f"{time.monotonic() - began:.2f} s")

    def _stop(self) -> Iterator[Step]:
        began = time.monotonic()
        in_time = self._kept.stop()
        detail = f"{time.monotonic() - began:.2f} s"
        yield Step("processes stop", OK if in_time else FAILED, detail if in_time else "not within their grace period")
        self._until(lambda: not self._left(), _LEFT_S)
        found = orphans(self._left(), dict(self._prepared.ports))
        for each in found:
            kill_tree(each.process)
        yield Step("nothing is left", FAILED if found else OK, ", ".join(map(str, found)))

    def _left(self) -> list[int]:
        """What runs that is not a service, the source, or of one of these."""
        sessions = {each.pid for name, each in self._programs.processes().items() if name != SUPERVISOR}
        return [pid for pid in self._offspring.alive() if _session(pid) not in sessions]


def _session(pid: int) -> int:
    found = stat(pid)
    return found.session if found else 0


def _shown(value: float | None) -> str:
    return "it is missing" if value is None else f"{value:g}"
