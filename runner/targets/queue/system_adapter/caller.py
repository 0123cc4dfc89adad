"""Calls to a system that owns its workers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from soak.contract import Change, QueueSettings
from soak.runner.targets.caller import NONE, PATIENCE_S, Caller

_LARGEST_PID = 2**22

PROCESSES, RESTART, FILES = "processes", "restart", "files"
"""The optional methods."""


def can(kind: Any, method: str) -> bool:
    """Whether a class or object has an optional method."""
    return callable(getattr(kind, method, None))


class SystemCaller(Caller):
    """A `System` with every answer checked; missing optional methods return nothing."""

    def __init__(self, kind: Callable[[Any], Any], settings: QueueSettings, patience_s: float = PATIENCE_S) -> None:
        runner = psutil.Process()
        self._not_to_be_killed = {1, runner.pid, *(process.pid for process in runner.parents())}
        super().__init__(kind, settings, patience_s)

    def changes(self) -> list[Change]:
        """See `System`."""
        found: list[Change] = self.ask_for_list("changes", Change)
        return found

    def stop(self) -> None:
        """See `System`."""
        self.ask("stop", (NONE,))

    def processes(self) -> dict[str, int]:
        """See `System`."""
        if not can(self.made, PROCESSES):
            return {}
        answer: dict[str, int] = self.ask(PROCESSES, (dict,))
        for name, pid in answer.items():
            if not isinstance(name, str) or isinstance(pid, bool) or not isinstance(pid, int) or pid < 1:
                raise self.broke(PROCESSES, f"returned {name!r}: {pid!r}, not the name of a process and its id")
            if pid in self._not_to_be_killed or pid > _LARGEST_PID:
                raise self.broke(PROCESSES, f"returned {name!r}: {pid}, which is not a process of the system")
        return answer

    def restart(self, name: str) -> None:
        """See `System`."""
        if can(self.made, RESTART):
            self.ask(RESTART, (NONE,), name)

    def files(self) -> list[Path]:
        """See `System`."""
        found: list[Path] = self.ask_for_list(FILES, Path) if can(self.made, FILES) else []
        return found
