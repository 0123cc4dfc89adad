"""What a fault does in one of its windows, how it shows, and how it is undone: what all of them have in common."""

import sqlite3
from concurrent.futures import Future

from soak.runner.targets.context import RunContext
from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.group import Seen
from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.target.model import Action


class Strike:
    """One fault in one window. Nothing here waits.

    hits: the numbers of the parts of the system that `begin` struck (-1: none that has one), each an injection of its own.
    """

    hits: tuple[int, ...] = (-1,)

    def __init__(self, fault: Fault, window: Window, context: RunContext) -> None:
        self.fault, self.window, self._context = fault, window, context
        self.cause = context.plan.cause_of(fault)

    def since_s(self, begun_s: float) -> float:
        """When it struck: what it brought about is not before that. begun_s: when `begin` was called that did it."""
        return begun_s

    def begin(self) -> bool:
        """Bring it about; False if that cannot be done yet: it is tried again."""
        return True

    def shows(self) -> bool:
        """Whether its effect is seen, outside the fault itself."""
        return False

    def may_end(self) -> bool:
        """Whether what it does at once is done."""
        return True

    def end(self) -> None:
        """Undo it."""

    def goes_on(self) -> bool:
        """Whether there is something to do although it has ended."""
        return False

    def saw(self, seen: Seen) -> None:
        """Something happened to a process."""

    @property
    def real_s(self) -> float:
        """How long it lasts, in real seconds."""
        return self._context.clock.real(self.window.end_s - self.window.start_s)


class Asked:
    """An action of a target file that begins a fault: tried again until it succeeds."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        self._answer: Future[str] | None = None

    def begin(self, action: Action) -> bool:
        """Whether it is done; call it again until it is."""
        if self._answer is None:
            self._answer = self._actions.begin(action)
        if not self._answer.done():
            return False
        if self._answer.result():
            self._answer = None
            return False
        return True

    @property
    def done(self) -> bool:
        """Whether it was asked for and answered for."""
        return self._answer is not None and self._answer.done() and not self._answer.result()

    def end(self, action: Action | None) -> None:
        """What ends the fault, where anything does."""
        if action:
            self._actions.begin(action)


class SqliteLock:
    """The write lock of an SQLite database, held from `begin` to `end`."""

    _connection: sqlite3.Connection | None = None

    def begin(self, path: str) -> bool:
        """Whether it is held now; call it again until it is."""
        if self._connection is None:
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True

    def end(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
