"""Calls to a system that owns its workers."""

from pathlib import Path
from typing import Any

from runner.targets.caller import NONE, Caller
from runner.targets.contract import Change

PROCESSES, RESTART, FILES = "processes", "restart", "files"
"""The optional methods."""


def can(kind: Any, method: str) -> bool:
    """Whether a class, or an object of it, has an optional method."""
    return callable(getattr(kind, method, None))


class SystemCaller(Caller):
    """A `System` whose every answer is checked; optional methods that it does not have answer nothing."""

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
        return answer

    def restart(self, name: str) -> None:
        """See `System`."""
        if can(self.made, RESTART):
            self.ask(RESTART, (NONE,), name)

    def files(self) -> list[Path]:
        """See `System`."""
        found: list[Path] = self.ask_for_list(FILES, Path) if can(self.made, FILES) else []
        return found
