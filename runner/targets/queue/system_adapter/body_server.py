"""The server of task bodies: bodies report start and end to it, and are told how to end."""

import json
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soak.runner.targets.caller import ContractError
from soak.schemas.errors import shown

_MOST_BYTES = 65_536


@dataclass(slots=True, eq=False)
class Execution:
    """One execution of a task's body that has started: `number` and `attempt` address its fate."""

    number: int
    attempt: int
    worker: str
    started_at: float
    caller: "_Line | None" = None
    cause: int = 0
    over: bool = False


@dataclass(slots=True, eq=False)
class _Line:
    """A connected worker process."""

    line: socket.socket
    heard: bytes = b""
    execution: Execution | None = None


class BodyServer:
    """Listens on a Unix socket at `path`; `answer` registers callbacks."""

    def __init__(self, path: Path, selector: selectors.BaseSelector) -> None:
        self.path = path
        self._selector = selector
        self._callers: set[_Line] = set()
        self._closed = False
        self._started: Callable[[Execution], None]
        self._ended: Callable[[Execution, float], None]
        self._lost: Callable[[Execution], None]
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(128)
        self._listener.setblocking(False)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def answer(
        self,
        *,
        started: Callable[[Execution], None],
        ended: Callable[[Execution, float], None],
        lost: Callable[[Execution], None],
    ) -> None:
        """Register callbacks: a body starts, ends (seconds since the epoch), or its process is gone."""
        self._started, self._ended, self._lost = started, ended, lost

    def finish(self, execution: Execution, *, end: str, error: str = "", tokens: int = 0) -> None:
        """Tell a body to end: `end` is ok, transient or permanent. Ignored if its process is gone."""
        assert execution.caller
        with suppress(OSError):
            execution.caller.line.sendall(json.dumps({"end": end, "error": error, "tokens": tokens}).encode() + b"\n")

    def close(self) -> None:
        """Disconnect every body and accept no more: the run is over, and running attempts are left to their leases."""
        if self._closed:
            return
        self._closed = True
        for caller in list(self._callers):
            self._over(caller)
            self._hang_up(caller)
        self._selector.unregister(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        line, _ = self._listener.accept()
        caller = _Line(line)
        self._callers.add(caller)
        self._selector.register(line, selectors.EVENT_READ, lambda: self._listen(caller))

    def _listen(self, caller: _Line) -> None:
        try:
            heard = caller.line.recv(_MOST_BYTES)
        except OSError:
            heard = b""
        if not heard:
            self._hang_up(caller)
            return
        *lines, caller.heard = (caller.heard + heard).split(b"\n")
        for line in lines:
            self._take(caller, _message(line))

    def _take(self, caller: _Line, message: dict[str, Any]) -> None:
        if message["op"] == "started":
            caller.execution = Execution(
                message["number"], message["attempt"], message["worker"], message["at"], caller
            )
            self._started(caller.execution)
        elif execution := self._over(caller):
            self._ended(execution, message["at"])

    def _over(self, caller: _Line) -> Execution | None:
        """The execution of a caller, if it was still on; it no longer is."""
        execution, caller.execution = caller.execution, None
        if execution is None or execution.over:
            return None
        execution.over = True
        return execution

    def _hang_up(self, caller: _Line) -> None:
        if execution := self._over(caller):
            self._lost(execution)
        self._selector.unregister(caller.line)
        caller.line.close()
        self._callers.discard(caller)


_FIELDS: dict[str, dict[str, type]] = {
    "started": {"number": int, "attempt": int, "worker": str, "at": float},
    "ended": {"at": float},
}


def _message(line: bytes) -> dict[str, Any]:
    """A message of a body. Raises ContractError for one that `soak.body` would not send."""
    try:
        message = json.loads(line)
        fields = _FIELDS[message["op"]]
        good = all(type(message[name]) is kind for name, kind in fields.items())
    except (ValueError, TypeError, KeyError):
        good = False
    if not good or message.get("attempt", 1) < 1 or not 0 <= message.get("number", 0) < 2**40:
        message = shown(line.decode(errors="replace"))
        raise ContractError(
            f"a worker sent an invalid message {message} (call Body.run with attempt from 1 and the unchanged payload)"
        )
    checked: dict[str, Any] = message
    return checked
