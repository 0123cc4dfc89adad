"""The write lock of the system's database, held by a locker process for whoever asks."""

import selectors
import subprocess
from collections.abc import Callable
from pathlib import Path

from runner.targets.orchestrator.launch import command
from schemas.errors import SoakError


class Lock:
    """Held as long as anyone wants it held. Its part of the selector raises SoakError when the locker ends by itself."""

    def __init__(self, database: Path, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._wanted = 0
        self._held = False
        self._asked = False
        self._waiting: list[Callable[[], None]] = []
        self._process = subprocess.Popen(
            command("runner.targets.orchestrator.locker", str(database)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin and self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout
        selector.register(self._out, selectors.EVENT_READ, self._hear)

    def hold(self, then: Callable[[], None]) -> None:
        """Hold the lock, and call `then` as soon as it is held."""
        self._wanted += 1
        if self._held:
            then()
        else:
            self._waiting.append(then)
            self._ask()

    def release(self) -> None:
        """One of those who wanted it held does not any more."""
        self._wanted -= 1
        self._ask()

    def _ask(self) -> None:
        if not self._asked and self._held != (self._wanted > 0):
            self._asked = True
            self._in.write(b"release\n" if self._held else b"hold\n")

    def _hear(self) -> None:
        if not self._out.read(4096):
            self._selector.unregister(self._out)
            raise SoakError(f"the process that locks the database ended by itself, exit code {self._process.wait()}")
        self._asked, self._held = False, not self._held
        if self._held:
            waiting, self._waiting = self._waiting, []
            for then in waiting:
                then()
        self._ask()

    def close(self) -> None:
        """Let go of the lock and end the locker."""
        if self._out in {key.fileobj for key in self._selector.get_map().values()}:
            self._selector.unregister(self._out)
        self._process.kill()
        self._process.wait()
        self._in.close()
        self._out.close()
