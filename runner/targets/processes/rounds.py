"""Probes of several processes at each multiple of an interval, each by itself: one that is slow holds up no other."""

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from msgspec import Struct
from msgspec.structs import replace

from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.identity import ProcessId, stat
from soak.runner.targets.processes.probes import Probed, Subject, probe
from soak.schemas.target.model import Probe

_SHARE = 0.8
"""Of the interval: a probe that takes longer would be answered in the next round."""

DOWN, STARTING, STOPPED, BUSY = "is down", "is starting", "is stopped", "the probe before is still not answered"


class Round(Struct, frozen=True):
    """The probe of one process in one round.

    number: of the round, which was due at `number * every_s` after the epoch. at: when it was answered, in seconds since 1970;
    began: when it was begun, where that is not the same.
    """

    number: int
    name: str
    at: float
    green: bool
    reason: str
    process: ProcessId | None
    began: float | None = None


class Rounds:
    """Probes by the name of the process; None: it is green while it is alive and not stopped. Each ends before the next round.

    epoch: the time of round 0, in monotonic seconds. current: the process of a name now, None while it is down. subject: what is
    probed. starts: whether a process is starting up, and so not green whatever a probe would say.
    """

    def __init__(
        self,
        background: Background,
        probes: Mapping[str, Probe | None],
        every_s: float,
        epoch: float,
        current: Callable[[str], ProcessId | None],
        subject: Callable[[str], Subject],
        starts: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._background = background
        self._probes = {name: each and _in_time(each, every_s) for name, each in probes.items()}
        self.every_s = every_s
        self._epoch = epoch
        self._current = current
        self._subject = subject
        self._starts = starts
        self._next = max(1, math.floor((time.monotonic() - epoch) / every_s) + 1)
        self._asked: dict[str, tuple[int, ProcessId, Future[Probed], float]] = {}

    @property
    def due_at(self) -> float:
        """When the next round is due, in monotonic seconds."""
        return self._epoch + self._next * self.every_s

    def poll(self) -> list[Round]:
        """Begin rounds that are due, and return what was answered since the last call. Call it often; it never waits."""
        done = self._answers()
        if time.monotonic() >= self.due_at:
            number = math.floor((time.monotonic() - self._epoch) / self.every_s)
            self._next = number + 1
            done += [each for name in self._probes if (each := self._begin(number, name))]
        return done

    def _begin(self, number: int, name: str) -> Round | None:
        """Probe one process; the result, where it is known at once."""
        process = self._current(name)
        state = stat(process.pid) if process else None
        if process is None or state is None or state.id != process or state.ended:
            return Round(number, name, time.time(), False, DOWN, None)
        if self._starts(name):
            return Round(number, name, time.time(), False, STARTING, process)
        if name in self._asked:
            return Round(number, name, time.time(), False, BUSY, process)
        how = self._probes[name]
        if how is None:
            return Round(number, name, time.time(), not state.stopped, STOPPED if state.stopped else "", process)
        asked = self._background.submit(probe(how, self._subject(name)))
        self._asked[name] = number, process, asked, time.time()
        return None

    def _answers(self) -> list[Round]:
        found = []
        for name, (number, process, future, began) in list(self._asked.items()):
            if future.done():
                del self._asked[name]
                said = future.result()
                # What answers in its place, or at its port, is another process.
                green = said.green and process.is_alive()
                why = said.reason if said.reason or green else DOWN
                found.append(Round(number, name, time.time(), green, why, process, began))
        return found


def _in_time(how: Probe, every_s: float) -> Probe:
    """A probe whose answer comes before the next round."""
    return replace(how, timeout_s=min(how.timeout_s, _SHARE * every_s))
