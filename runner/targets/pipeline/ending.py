"""The shutdown: the supervisor is told to stop, its processes end one after the other, and what is left then is an orphan."""

import time

from soak.runner.targets.context import RunContext
from soak.runner.targets.offspring import Offspring
from soak.runner.targets.processes.group import SUPERVISOR, Group
from soak.runner.targets.processes.identity import stat
from soak.runner.targets.processes.orphans import Orphan, orphans
from soak.runner.targets.processes.prepared import Prepared
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import Pipeline

_LEAVES_WITHIN_S = 0.5
"""What a supervisor leaves behind may still be about to end."""


class Ending:
    """Ends a group of processes, and looks for what is left."""

    def __init__(
        self, context: RunContext, pipeline: Pipeline, group: Group, offspring: Offspring, prepared: Prepared
    ) -> None:
        self._context, self._pipeline, self._group = context, pipeline, group
        self._offspring, self._prepared = offspring, prepared
        self._stopped_at: float | None = None
        self._theirs: set[int] = set()

    def begin(self) -> None:
        """Tell the supervisor to stop."""
        self._context.note(self._context.now(), Kind.SHUTDOWN_STARTED)
        self._group.stop()

    def is_over(self) -> bool:
        """Whether nothing more is to be expected."""
        if not self._group.is_stopped:
            return False
        now = time.monotonic()
        self._stopped_at = now if self._stopped_at is None else self._stopped_at
        return not self._left() or now - self._stopped_at >= _LEAVES_WITHIN_S

    def _left(self) -> list[int]:
        """Processes that are there though all should have ended: all that was started, but services and the source."""
        roots = {each.pid for name, each in self._group.programs.processes().items() if name != SUPERVISOR}
        left = []
        for pid in self._offspring.alive():
            state = stat(pid)
            if state is not None and not state.ended and state.session not in roots and pid not in roots:
                left.append(pid)
        return left

    def note_orphans(self) -> list[Orphan]:
        """Note what is left, by the process that it was, or whose port it keeps; what is of no known process by its own name."""
        found = orphans(self._left(), dict(self._prepared.ports))
        now_s = self._context.now()
        for each in found:
            number = self._number_of(each)
            name = each.name if number < 0 else self._pipeline.processes[number].name
            value = self._context.plan.vocabulary.name(name)
            self._context.note(now_s, Kind.PROCESS_ORPHANED, worker=number, value=value)
        return found

    def _number_of(self, orphan: Orphan) -> int:
        """The process that it is, or comes from: by its id, the port that it keeps, or its command line; else -1."""
        ports = {str(self._prepared.ports[name]) for name in orphan.ports}
        for number, each in enumerate(self._pipeline.processes):
            process = self._group.processes.get(each.name)
            if self._group.current(each.name) == orphan.process or (process and process.port in ports):
                return number
        words = orphan.command_line.split()
        named = [number for number, each in enumerate(self._pipeline.processes) if each.name in words]
        return named[0] if named else -1
