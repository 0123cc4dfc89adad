"""When processes end and start that somebody else keeps alive: exactly, by the kernel's word where it gives one."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum

from msgspec import Struct

from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.finding import AmbiguousError, find, is_still
from soak.runner.targets.processes.identity import ProcessId, since_boot_s
from soak.schemas.target.model import Find

_LOOK_EVERY_S = 0.02
_LOOK_AGAIN_S = 1.0
"""How often to look whether a process that is alive is still the one that is meant."""

_SEEN_WITHIN_S = 0.25
"""How much later than it happened an end may be seen. What was started before it, by no more than that, came after it."""


class Ends:
    """When processes ended, in seconds since 1970: to a millisecond where the kernel says so (pidfd), else to 20 ms.

    They need not be children of soak. What ended before it was watched ended when that began.
    """

    def __init__(self, background: Background) -> None:
        self._background = background
        self._ended: dict[ProcessId, float] = {}
        self._watched: set[ProcessId] = set()

    def watch(self, process: ProcessId) -> None:
        """Note the end of a process from now on."""
        if process in self._watched:
            return
        self._watched.add(process)
        try:
            handle = os.pidfd_open(process.pid)
        except ProcessLookupError:
            self._ended[process] = time.time()
            return
        except OSError:
            self._background.submit(self._look(process))
            return
        if not process.is_alive():
            # The id is that of another process by now, or its parent has not waited for it.
            os.close(handle)
            self._ended[process] = time.time()
            return
        self._background.listen(handle, lambda: self._note(process, handle), owned=True)

    def ended_at(self, process: ProcessId) -> float | None:
        """When a watched process ended; None while it is alive."""
        return self._ended.get(process)

    def _note(self, process: ProcessId, handle: int) -> None:
        self._ended.setdefault(process, time.time())
        self._background.forget(handle)

    async def _look(self, process: ProcessId) -> None:
        while process.is_alive():
            await asyncio.sleep(_LOOK_EVERY_S)
        self._ended.setdefault(process, time.time())


class Sight(StrEnum):
    """What was seen of a process."""

    STARTED = "started"
    ENDED = "ended"


class Sighting(Struct, frozen=True):
    """A process of this name started, or ended, at a time in seconds since 1970."""

    at: float
    name: str
    process: ProcessId
    change: Sight


class Watcher:
    """Follows processes by name through all their restarts; `finds` says how each is found (`finding.find`, or any function).

    One that started and ended between two looks (20 ms, while it is down) is not seen.
    """

    def __init__(self, background: Background, finds: "Mapping[str, Find | Callable[[], ProcessId | None]]") -> None:
        self._finds = finds
        self._ends = Ends(background)
        self._current: dict[str, ProcessId] = {}
        self._looked: dict[str, float] = {}
        self._last_end: dict[str, float] = {}
        self.replaced: list[tuple[str, ProcessId]] = []
        """Processes that were still alive when another one took their place: orphans, perhaps."""
        self.trouble: dict[str, str] = {}
        """Why a process is not found, other than that it is not there."""

    def current(self, name: str) -> ProcessId | None:
        """The process of a name as it was at the last `poll`; None while it is down."""
        return self._current.get(name)

    def poll(self) -> list[Sighting]:
        """What happened since the last call, in time order. Call it often: while one is down, every 20 ms. It never waits."""
        found: list[Sighting] = []
        for name in self._finds:
            found += self._ended(name)
            found += self._started(name)
        return sorted(found, key=lambda each: each.at)

    def _ended(self, name: str) -> list[Sighting]:
        process = self._current.get(name)
        at = self._ends.ended_at(process) if process else None
        if process is None or at is None:
            return []
        del self._current[name]
        self._looked.pop(name, None)
        self._last_end[name] = at
        return [Sighting(at, name, process, Sight.ENDED)]

    def _started(self, name: str) -> list[Sighting]:
        before, now = self._current.get(name), time.monotonic()
        if now - self._looked.get(name, 0.0) < (_LOOK_AGAIN_S if before else _LOOK_EVERY_S):
            return []
        self._looked[name] = now
        process = self._find(name)
        if process is None or process == before:
            return []
        if before:
            self.replaced.append((name, before))
        self._current[name] = process
        self._ends.watch(process)
        ended = [Sighting(time.time(), name, before, Sight.ENDED)] if before else []
        start, end = started_at(process), self._last_end.get(name, 0.0)
        if end - _SEEN_WITHIN_S < start < end:
            start = end
        return [*ended, Sighting(start, name, process, Sight.STARTED)]

    def _find(self, name: str) -> ProcessId | None:
        how, before = self._finds[name], self._current.get(name)
        if before and isinstance(how, Find) and is_still(how, before):
            return before
        self.trouble.pop(name, None)
        with suppress(AmbiguousError):
            return find(how) if isinstance(how, Find) else how()
        # Between the end of one and the start of the next, both may be there: what is known is kept meanwhile.
        self.trouble[name] = "several processes are as its find: says"
        return before


def started_at(process: ProcessId) -> float:
    """When a process started, in seconds since 1970, to a hundredth of a second."""
    return time.time() - (since_boot_s() - process.started_s)
