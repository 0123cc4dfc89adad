"""Calls to a class that we did not write: in a thread of its own, so that one that hangs does not hang the runner."""

import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from runner.targets.answers import flaw, flaw_in_items
from runner.targets.contract import Accepted, BusyError, QueueSettings, Refused, Snapshot
from schemas.errors import SoakError, UsageError

PATIENCE_S = 5.0
"""How long, in real seconds, a call may take."""

NONE = type(None)
_LONGEST = 300


class ContractError(SoakError):
    """A class did what its contract does not allow, or did not answer; names class, method and what it did."""


class SlowError(ContractError):
    """A call took too long; the thread that makes the calls may still be in it."""


class Caller:
    """An object of a user's class whose every answer is checked. `patience_s`: how long a call may take.

    Constructing it constructs the object: raises UsageError when that fails. Every other call raises ContractError, or the
    object's own BusyError.
    """

    def __init__(self, kind: Callable[[Any], Any], settings: QueueSettings, patience_s: float = PATIENCE_S) -> None:
        self.name = getattr(kind, "__name__", repr(kind))
        self._patience_s = patience_s
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._unanswered = False
        threading.Thread(target=self._serve, name=self.name, daemon=True).start()
        self.made = self._construct(kind, settings)
        """The object itself, unchecked."""

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """See the contract."""
        answer: Accepted | Refused = self.ask("enqueue", (Accepted, Refused), key, payload)
        return answer

    def snapshot(self) -> Snapshot:
        """See the contract."""
        answer: Snapshot = self.ask("snapshot", (Snapshot,))
        return answer

    def close(self) -> None:
        """Close it; the thread ends. One that owes an answer is not asked again."""
        if self._unanswered:
            return
        try:
            self.ask("close", (NONE,))
        finally:
            self._calls.put(None)

    def broke(self, method: str, did: str) -> ContractError:
        """The error for a method that did what it must not do."""
        return ContractError(f"{self.name}.{method} {did}")

    def ask(self, method: str, expected: tuple[type, ...], *words: object, **named: object) -> Any:
        """What a method returns, which must be one of these types. Raises ContractError or BusyError."""
        answer = self._call(method, *words, **named)
        self._check(method, flaw(answer, expected))
        return answer

    def ask_for_list(self, method: str, expected: type) -> Any:
        """The list of these that a method returns. Raises ContractError or BusyError."""
        answer = self._call(method)
        self._check(method, flaw_in_items(answer, expected))
        return answer

    def _construct(self, kind: Callable[[Any], Any], settings: QueueSettings) -> Any:
        made, error = self._wait("(settings)", lambda: kind(settings))
        if error is not None:
            self._calls.put(None)
            takes = f"it is constructed as Class(settings: {type(settings).__name__})"
            raise UsageError(f"{self.name}(settings) {_told(error)} ({takes})") from error
        return made

    def _check(self, method: str, wrong: str) -> None:
        if wrong:
            raise self.broke(method, wrong)

    def _call(self, method: str, *words: object, **named: object) -> Any:
        answer, error = self._wait(f".{method}", lambda: getattr(self.made, method)(*words, **named))
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
    try:
        text = " ".join(str(error).split())[:_LONGEST]
    except Exception:
        text = "(its text cannot be told)"
    return f"raised {type(error).__name__}: {text}{where}"
