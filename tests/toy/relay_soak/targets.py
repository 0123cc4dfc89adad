"""The system `relay` for real: each relay is a process, and one that sticks is a stopped process."""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from functools import partial
from pathlib import Path

from relay_soak import lamp
from relay_soak.language import RELEASED, STICK, STUCK, SWITCHED, Relays
from soak.runner.targets.base import History, Target
from soak.runner.targets.context import RunContext
from soak.runner.targets.losses import put_losses
from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.resources import Resources
from soak.runner.targets.room import Named, Need, Room
from soak.schemas.errors import SoakError
from soak.schemas.language.faults import Fault
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import CENSUS, KEY_SHIFT, Kind
from soak.schemas.stream.states import TaskState
from soak.simulation.plan import Plan


class RelayTarget:
    """Drives a bank of relays with a plan."""

    name = "relay"
    clock = "real"

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._directory = Path()

    def prepare(self, directory: Path, history: History | None = None) -> None:
        self._directory = directory

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        # Whatever happens to the runner, the relays end with the run.
        with offspring_ended(self.name), closing(Bank(plan, self.speed, self._directory)) as bank:
            yield from bank.blocks()


class Bank:
    """The relays of one run."""

    def __init__(self, plan: Plan, speed: float, directory: Path) -> None:
        self._plan, self._relays = plan, plan.scenario.settings(Relays)
        self._selector = selectors.DefaultSelector()
        self._processes = [self._start(place) for place in range(len(self._relays.lamps))]
        for process in self._processes:
            process.stdout.readline()
        # What is drawn first takes time, which is none of the run.
        plan.fate(0, 1, 0.0)
        self._context = RunContext.begin(plan, speed)
        self._travel: dict[int, float] = {}
        self._done = 0
        pids = {name: process.pid for name, process in zip(self._relays.lamps, self._processes, strict=True)}
        self._resources = Resources(self._context, lambda: pids, directory)
        self._work = (
            each
            for chunk in plan.submissions()
            for each in zip(chunk.due_s.tolist(), chunk.number.tolist(), strict=True)
        )

    def blocks(self) -> Generator[Block, None, None]:
        context = self._context
        put_losses(context)
        self._resources.start()
        for fault in self._plan.scenario.faults:
            for window in fault.windows if fault.type == STICK else ():
                context.at(window.start_s, partial(self._stick, fault))
                context.at(window.end_s, partial(self._clear, fault))
        self._next()
        while not context.is_over(lambda: bool(self._travel)):
            self._go_on(context.now() + context.flush_s)
            yield context.journal.take(context.now())
        until_s = context.now()
        counts = {TaskState.IN_PROGRESS: len(self._travel), TaskState.DONE: self._done}
        for state, kind in CENSUS.items():
            context.note(until_s, kind, value=counts.get(state, 0))
        yield context.journal.take(until_s)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self._selector.close()

    def _go_on(self, until_s: float) -> None:
        context = self._context
        while (now_s := context.now()) < until_s and not context.is_over(lambda: bool(self._travel)):
            wait_s = context.clock.real(min(context.agenda.next_s, until_s) - now_s)
            for key, _ in self._selector.select(max(0.0, wait_s)):
                self._answered(key.data)
            context.agenda.run(context.now())

    def _start(self, place: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", lamp.__file__]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._selector.register(process.stdout, selectors.EVENT_READ, place)
        return process

    def _next(self) -> None:
        if work := next(self._work, None):
            self._context.at(work[0], partial(self._signal, *work))

    def _signal(self, due_s: float, number: int) -> None:
        self._next()
        place = (number >> KEY_SHIFT) % len(self._processes)
        self._travel[number] = self._plan.fate(number, 1, due_s)[0]
        self._context.note(self._context.now(), Kind.TASK_ENQUEUED, number=number, value=due_s)
        self._context.note(self._context.now(), Kind.TASK_DISPATCHED, number=number, attempt=1, worker=place)
        self._processes[place].stdin.write(f"{number} {self._context.clock.real(self._travel[number])}\n".encode())

    def _answered(self, place: int) -> None:
        said = os.read(self._processes[place].stdout.fileno(), 65536)
        if not said:
            raise SoakError(f"the relay of {self._relays.lamps[place]} is gone (run it again)")
        for word in said.split():
            number, t_s = int(word), self._context.now()
            travel_s = self._travel.pop(number)
            self._context.note(t_s, SWITCHED, number=number, attempt=1, worker=place, value=travel_s)
            self._context.note(t_s, Kind.TASK_DONE, number=number, attempt=1, worker=place)
            self._done += 1

    def _stick(self, fault: Fault) -> None:
        self._note(fault, Kind.FAULT_INJECTED, STUCK)
        os.kill(self._processes[self._relays.lamps.index(fault.dependency)].pid, signal.SIGSTOP)

    def _clear(self, fault: Fault) -> None:
        self._note(fault, Kind.FAULT_CLEARED)
        if self._relays.springs:
            os.kill(self._processes[self._relays.lamps.index(fault.dependency)].pid, signal.SIGCONT)
            self._note(fault, RELEASED)

    def _note(self, fault: Fault, *kinds: Kind) -> None:
        place, name = self._relays.lamps.index(fault.dependency), self._plan.vocabulary.name(fault.dependency)
        for kind in kinds:
            cause = self._plan.cause_of(fault)
            self._context.note(self._context.now(), kind, worker=place, cause=cause, value=name)


def _make(speed: float) -> Target:
    return RelayTarget(speed)


def _needs(plan: Plan) -> list[Need]:
    count = len(plan.scenario.settings(Relays).lamps)
    return [Need(open_files=2 * count, threads=count, who=f"{count} relays")]


ROOM = Room(named=(Named("relay", _make),), needs=_needs, advice="--target relay")
