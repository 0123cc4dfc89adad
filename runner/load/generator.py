"""Load as the runner sees it: processes that are told a plan, and blocks of the events of what they sent."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from soak.runner.console import remark
from soak.runner.load.children import Children
from soak.runner.load.division import Division
from soak.runner.load.events import Merged
from soak.runner.load.frames import Message
from soak.runner.load.options import ONE_PROCESS, Options
from soak.runner.load.order import Order
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.stream.block import Block, make_block, merge
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan

_ANSWER_REAL_S = 60.0
_TAKE_OVER_REAL_S = 0.5
"""How long after a process was found lost the others go on with its work: they must have been told by then."""
_LAST_WORDS_REAL_S = 2.0
_SILENT_REAL_S = 15.0
"""A process that tells nothing for so long is lost: it is stopped, or cut off."""


class Detail(NamedTuple):
    """Why a request was not a success: when it ended, its task, the error, the status (0: no answer), and a reason in words."""

    t_s: float
    number: int
    error: str
    status: int
    reason: str


def _nothing() -> None:
    """What is done while waiting."""


class Generator:
    """The processes that make the load of a plan. Leaving it as a context ends them all.

    order: the work. log: the file that what they write to standard error goes to.
    """

    def __init__(self, plan: Plan, order: Order, options: Options = ONE_PROCESS, log: Path | None = None) -> None:
        self._plan, self._order, self._options = plan, order, options
        self._children = Children(log)
        self._division = Division(plan, options.workers)
        self._merged = Merged(plan, range(options.workers))
        self._planned = plan.submissions()
        self._planned_s = 0.0
        self._names: list[str] = []
        self._there: set[int] = set()
        self._notes: list[tuple[float, Kind, int]] = []
        self._epoch_s, self._ends_s = 0.0, plan.ends_s
        self._details: list[Detail] = []
        self._heard_s: dict[int, float] = {}

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Before the start.

    def prepare(self, meanwhile: Callable[[], None] = _nothing) -> None:
        """Start the processes and wait until each of them knows its work. `meanwhile` is called several times a second.

        Raises UsageError where too few workers come or the port is taken, SoakError for processes that fail.
        """
        options, self._meanwhile = self._options, meanwhile
        if options.workers == 1 and options.master is None:
            self._children.start("load0", ["alone"])
            self._children.number("load0", 0)
            self._names = ["load0"]
        else:
            self._gather(options)
        order = self._order
        for index in range(options.workers):
            part = self._division.part(index)
            self._children.say({"is": "prepare", "worker": index, "order": order, "part": part})
        ready: set[int] = set()
        until_s = time.monotonic() + _ANSWER_REAL_S
        while len(ready) < options.workers:
            ready |= {each["worker"] for each in self._await("ready", until_s, "prepare the load")}
        self._there = set(range(options.workers))
        self._notes = [(0.0, Kind.LOAD_WORKER_JOINED, index) for index in range(options.workers)]

    def _gather(self, options: Options) -> None:
        host, port = options.master or ("127.0.0.1", 0)
        self._children.start("load-master", ["master", host, str(port), str(options.workers)])
        until_s = time.monotonic() + _ANSWER_REAL_S
        listening = self._await("listening", until_s, "listen for workers")[0]
        if options.master is None:
            for index in range(options.workers):
                self._children.start(
                    f"load{index}", ["worker", "127.0.0.1", str(listening["port"]), f"load{index}", "60"]
                )
        else:
            remark(
                f"waiting for {options.expect} load workers (`soak locust-worker --master HOST:{listening['port']}`)"
            )
        until_s = time.monotonic() + options.patience_s
        joined: list[Message] = []
        while len(joined) < options.workers:
            try:
                joined += self._await("joined", until_s, "")
            except TimeoutError:
                raise UsageError(_too_few(options, len(joined), listening["port"])) from None
        self._names = [each["name"] for each in joined]
        for each in joined:
            self._children.number(each["name"], each["worker"])

    def _await(self, kind: str, until_s: float, what: str) -> list[Message]:
        while (left_s := until_s - time.monotonic()) > 0:
            found = [each for each in self._children.read(min(left_s, 0.2)) if each["is"] == kind]
            self._children.refuse_end(of_any=True)
            self._meanwhile()
            if found:
                return found
        if not what:
            raise TimeoutError
        raise SoakError(f"the load generator did not {what} within {_ANSWER_REAL_S:g} s (see {self._children.log})")

    # The run.

    def start(self, epoch_s: float) -> None:
        """Scenario time 0 is at `epoch_s` of the monotonic clock: a little from now, so that all are told in time."""
        self._epoch_s = epoch_s
        self._heard_s = dict.fromkeys(self._there, max(epoch_s, time.monotonic()))
        self._children.say({"is": "start", "epoch": epoch_s})

    def _tell_end(self) -> None:
        """Where the plan has come to end earlier, nothing that is due from then on is sent."""
        if self._plan.ends_s < self._ends_s:
            self._ends_s = self._plan.ends_s
            self._children.say({"is": "end", "at": self._ends_s})

    @property
    def names(self) -> list[str]:
        """The names of the processes that send requests, by their numbers."""
        return list(self._names)

    @property
    def pids(self) -> Mapping[str, int]:
        """The processes of this machine, by name."""
        return self._children.pids

    @property
    def safe_s(self) -> float:
        """Up to when no event can come any more, as of the last `read` or `take`."""
        return self._merged.safe_s

    @property
    def in_flight(self) -> int:
        """Requests that are not answered, as far as is known."""
        return self._division.open

    @property
    def is_busy(self) -> bool:
        """Whether work is open, or may still be sent."""
        return self.safe_s < self._plan.ends_s or self._division.open > 0

    def read(self, patience_s: float = 0.0) -> None:
        """Read what the processes told, waiting for `patience_s` at most. Raises SoakError when none is left."""
        for message in self._children.read(patience_s):
            self._handle(message)
        for index in self._children.ended():
            self._lose(index)
        self._children.refuse_end()
        silent_since_s = time.monotonic() - _SILENT_REAL_S
        for index in [each for each, heard_s in self._heard_s.items() if heard_s < silent_since_s]:
            self._lose(index)

    def take(self, until_s: float | None = None) -> Block:
        """The events up to `until_s`, or `safe_s` if that is earlier, in time order. Raises SoakError when no process is left."""
        self.read()
        self._tell_end()
        until_s = self.safe_s if until_s is None else min(until_s, self.safe_s)
        self._count_planned(until_s)
        block = self._merged.take(until_s)
        return merge([self._noted(until_s), block]) if self._notes else block

    def details(self) -> list[Detail]:
        """Why requests were not successes: a few of each error and moment, since the last time. Secrets are hidden."""
        found, self._details = self._details, []
        return found

    def stop(self, until_s: float | None = None) -> Block:
        """End the load; the last block, of what was told until then. Requests that are open stay so."""
        self._children.say({"is": "stop"})
        waited_for = set(self._there)
        end_s = time.monotonic() + _LAST_WORDS_REAL_S
        while waited_for and time.monotonic() < end_s:
            for message in self._children.read(0.05):
                if message["is"] == "stopped":
                    waited_for.discard(message["worker"])
                elif message["is"] == "rows":
                    self._handle(message)
        self.close()
        return self.take(until_s)

    def close(self) -> None:
        """End all processes."""
        self._children.close()

    def _handle(self, message: Message) -> None:
        if message["is"] == "rows" and (worker := message["worker"]) in self._there:
            self._division.observe(worker, self._merged.add(worker, message["until"], message["rows"]))
            self._heard_s[worker] = time.monotonic()
            self._details += [Detail(*each) for each in message["details"]]
        elif message["is"] == "lost":
            self._lose(message["worker"])

    def _lose(self, index: int) -> None:
        if index not in self._there:
            return
        self._there.remove(index)
        self._children.kill(index)
        until_s = self._merged.gone(index, self._division.open_tasks(index))
        self._notes.append((until_s, Kind.LOAD_WORKER_LOST, index))
        if not self._there:
            raise SoakError(f"the load generator {self._names[index]} ended (see {self._children.log})")
        from_s = (time.monotonic() + _TAKE_OVER_REAL_S - self._epoch_s) * self._order.speed
        for heir, message in self._division.lost(index, from_s, sorted(self._there)).items():
            self._children.say({**message, "worker": heir})

    def _noted(self, until_s: float) -> Block:
        name = self._plan.vocabulary.name
        ripe = [(max(t_s, 0.0), kind, index) for t_s, kind, index in self._notes if t_s <= until_s]
        self._notes = [each for each in self._notes if each[0] > until_s]
        times, kinds, workers = zip(*ripe, strict=True) if ripe else ((), (), ())
        return make_block(
            times,
            kinds,
            until_s=until_s,
            worker=workers,
            value=[name(self._names[index]) for index in workers],
        )

    def _count_planned(self, until_s: float) -> None:
        """Have the plan count what was due: as it would if the runner sent it itself."""
        if self._plan.users:
            self._plan.offered = self._division.begun
            return
        while self._planned_s <= until_s:
            chunk = next(self._planned, None)
            self._planned_s = (
                float("inf") if chunk is None else float(chunk.due_s[-1]) if len(chunk) else self._planned_s
            )


def _too_few(options: Options, there: int, port: int) -> str:
    what = f"{there} of {options.workers} load workers came within {options.patience_s:g} s"
    return f"{what} (start the others with `soak locust-worker --master HOST:{port}`, or lower --expect-workers)"
