"""The write lock of the system's database, held by a locker process on request."""

import selectors
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from soak.runner.targets.queue.orchestrator.launch import command
from soak.schemas.errors import SoakError

_MOST_STARTS = 10


class Lock:
    """Reference-counted. A locker that exits by itself is restarted; its selector callback raises SoakError if that does not
    help."""

    def __init__(self, database: Path, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._wanted = 0
        self._held = False
        self._asked = False
        self._waiting: list[Callable[[], None]] = []
        self._database = database
        self._starts = 0
        self._start()

    def _start(self) -> None:
        self._starts += 1
        self._process = subprocess.Popen(
            command("soak.runner.targets.queue.orchestrator.locker", str(self._database)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin and self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout
        self._selector.register(self._out, selectors.EVENT_READ, self._hear)

    def hold(self, then: Callable[[], None]) -> None:
        """Hold the lock, and call `then` as soon as it is held."""
        self._wanted += 1
        if self._held:
            then()
        else:
            self._waiting.append(then)
            self._ask()

    def release(self) -> None:
        """Release one hold."""
        self._wanted -= 1
        self._ask()

    def _ask(self) -> None:
        if not self._asked and self._held != (self._wanted > 0):
            self._asked = True
            # One that is gone is noticed, and started again, where its answer is read.
            with suppress(BrokenPipeError):
                self._in.write(b"release\n" if self._held else b"hold\n")

    def _hear(self) -> None:
        if not self._out.read(4096):
            self._start_again()
            return
        self._asked, self._held = False, not self._held
        if self._held:
            waiting, self._waiting = self._waiting, []
            for then in waiting:
                then()
        self._ask()

    def _start_again(self) -> None:
        """The locker ended by itself, and the lock is free."""
        exit_code = self._end()
        if self._starts > _MOST_STARTS:
            raise SoakError(f"the process that locks the database exits repeatedly, with exit code {exit_code}")
        self._asked, self._held = False, False
        self._start()
        self._ask()

    def close(self) -> None:
        """Release the lock and end the locker."""
        self._process.kill()
        self._end()

    def _end(self) -> int:
        if self._out in {key.fileobj for key in self._selector.get_map().values()}:
            self._selector.unregister(self._out)
        self._in.close()
        self._out.close()
        return self._process.wait()
