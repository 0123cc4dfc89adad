"""Calls to a queue that we did not write: in a thread of its own, so that one that hangs does not hang the runner."""

import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from runner.targets.contract import (
    Accepted,
    BusyError,
    Claim,
    Expired,
    Failed,
    Queue,
    QueueSettings,
    Refused,
    Retry,
    Snapshot,
)
from runner.targets.pulled.answers import flaw, flaw_in_items
from schemas.errors import SoakError, UsageError

PATIENCE_S = 5.0
"""How long, in real seconds, a call may take."""

_NONE = type(None)
_LONGEST = 300


class ContractError(SoakError):
    """A queue did what its contract does not allow, or did not answer; names class, method and what it did."""


class SlowError(ContractError):
    """A call took too long; the thread that makes the calls may still be in it."""


class Caller:
    """A queue whose every answer is checked. `patience_s`: how long a call may take.

    Constructing it constructs the queue: raises UsageError when that fails. Every other call raises ContractError, or the
    queue's own BusyError.
    """

    def __init__(
        self, kind: Callable[[QueueSettings], Queue], settings: QueueSettings, patience_s: float = PATIENCE_S
    ) -> None:
        self.name = getattr(kind, "__name__", repr(kind))
        self._patience_s = patience_s
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._unanswered = False
        threading.Thread(target=self._serve, name=self.name, daemon=True).start()
        self.queue: Queue = self._construct(kind, settings)
        """The queue itself, unchecked."""

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """See `Queue`."""
        answer: Accepted | Refused = self._ask("enqueue", (Accepted, Refused), key, payload)
        return answer

    def claim(self, worker: str) -> Claim | None:
        """See `Queue`."""
        answer: Claim | None = self._ask("claim", (Claim, _NONE), worker)
        return answer

    def heartbeat(self, claim: Claim) -> bool:
        """See `Queue`."""
        return bool(self._ask("heartbeat", (bool,), claim))

    def complete(self, claim: Claim) -> bool:
        """See `Queue`."""
        return bool(self._ask("complete", (bool,), claim))

    def fail(self, claim: Claim, error: str, *, transient: bool) -> Retry | Failed | Refused:
        """See `Queue`."""
        answer: Retry | Failed | Refused = self._ask(
            "fail", (Retry, Failed, Refused), claim, error, transient=transient
        )
        return answer

    def block(self, claim: Claim, error: str) -> bool:
        """See `Queue`."""
        return bool(self._ask("block", (bool,), claim, error))

    def recover(self) -> list[Expired]:
        """See `Queue`."""
        answer: list[Expired] = self._call("recover")
        self._check("recover", flaw_in_items(answer, Expired))
        return answer

    def snapshot(self) -> Snapshot:
        """See `Queue`."""
        answer: Snapshot = self._ask("snapshot", (Snapshot,))
        return answer

    def close(self) -> None:
        """See `Queue`; the thread ends. A queue that owes an answer is not asked again."""
        if self._unanswered:
            return
        try:
            self._ask("close", (_NONE,))
        finally:
            self._calls.put(None)

    def broke(self, method: str, did: str) -> ContractError:
        """The error for a method that did what it must not do."""
        return ContractError(f"{self.name}.{method} {did}")

    def _construct(self, kind: Callable[[QueueSettings], Queue], settings: QueueSettings) -> Queue:
        made, error = self._wait("(settings)", lambda: kind(settings))
        if error is not None:
            self._calls.put(None)
            takes = "it is constructed as Class(settings: QueueSettings)"
            raise UsageError(f"{self.name}(settings) {_told(error)} ({takes})") from error
        queue: Queue = made
        return queue

    def _ask(self, method: str, expected: tuple[type, ...], *words: object, **named: object) -> Any:
        answer = self._call(method, *words, **named)
        self._check(method, flaw(answer, expected))
        return answer

    def _check(self, method: str, wrong: str) -> None:
        if wrong:
            raise self.broke(method, wrong)

    def _call(self, method: str, *words: object, **named: object) -> Any:
        answer, error = self._wait(f".{method}", lambda: getattr(self.queue, method)(*words, **named))
        if isinstance(error, BusyError):
            raise error
        if error is not None:
            raise self.broke(method, _told(error)) from error
        return answer

    def _wait(self, what: str, call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        """What a call returns, or raises."""
        self._unanswered = True
        self._calls.put(call)
        try:
            answer = self._answers.get(timeout=self._patience_s)
        except Empty:
            waited = f"has not answered for {self._patience_s:g} s (a call must not wait)"
            raise SlowError(f"{self.name}{what} {waited}") from None
        self._unanswered = False
        return answer

    def _serve(self) -> None:
        while call := self._calls.get():
            try:
                self._answers.put((call(), None))
            except BaseException as error:  # also one that would end the thread
                self._answers.put((None, error))


def _told(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())[:_LONGEST]
    return f"raised {type(error).__name__}: {text}{where}"
