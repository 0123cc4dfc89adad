"""Calls to an attached class: in a separate thread, so that a hanging call does not hang the runner."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from soak.contract import Accepted, BusyError, QueueSettings, Refused, Snapshot
from soak.runner.targets import lanes
from soak.runner.targets.answers import flaw, flaw_in_items
from soak.runner.targets.lanes import Answer, Lane
from soak.schemas.errors import SoakError, UsageError

PATIENCE_S = 5.0
"""Default timeout of a call, in real seconds."""

NONE = type(None)
_LONGEST = 300


class ContractError(SoakError):
    """A class violated its contract, or did not answer; names class, method and violation."""


class SlowError(ContractError):
    """A call took too long; the thread that makes the calls may still be in it."""


class Caller:
    """Wraps an object of a user's class and checks every answer. `patience_s`: timeout of a call.

    Constructing it constructs the object: raises UsageError if that fails. Every other call raises ContractError, or the
    object's own BusyError.
    """

    def __init__(self, kind: Callable[[Any], Any], settings: QueueSettings, patience_s: float = PATIENCE_S) -> None:
        self.name = getattr(kind, "__name__", repr(kind))
        self._patience_s = patience_s
        self._lanes = [Lane(self.name)]
        """The first makes every call that is not concurrent with others."""
        self.made = self._construct(kind, settings)
        """The object itself, unchecked."""

    @property
    def thread_safe(self) -> bool:
        """Whether several threads may call it at once."""
        return bool(getattr(self.made, "thread_safe", False))

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """See the contract."""
        answer: Accepted | Refused = self.ask("enqueue", (Accepted, Refused), key, payload)
        return answer

    def snapshot(self) -> Snapshot:
        """See the contract."""
        answer: Snapshot = self.ask("snapshot", (Snapshot,))
        return answer

    def close(self) -> None:
        """Close it; its threads end. If a call is still pending, it is closed when that returns, without waiting."""
        late = next((lane for lane in self._lanes if lane.owes), None)
        try:
            if late:
                late.end(lambda _: self.made.close())
            else:
                self.ask("close", (NONE,))
        finally:
            for lane in self._lanes:
                lane.end()

    def broke(self, method: str, did: str) -> ContractError:
        """The error for a method that violated the contract."""
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
        try:
            made, error = self._wait("(settings)", lambda: kind(settings))
        except SlowError:
            self._lanes[0].end(_close_late)
            raise
        if error is not None:
            self._lanes[0].end()
            takes = f"it is constructed as Class(settings: {type(settings).__name__})"
            raise UsageError(f"{self.name}(settings) {_described(error)} ({takes})") from error
        return made

    def _check(self, method: str, wrong: str) -> None:
        if wrong:
            raise self.broke(method, wrong)

    def _call(self, method: str, *words: object, **named: object) -> Any:
        return self._heard(method, self._wait(f".{method}", lambda: getattr(self.made, method)(*words, **named)))

    def _heard(self, method: str, answer: Answer) -> Any:
        """What a method returned. Raises ContractError or BusyError."""
        value, error = answer
        if isinstance(error, BusyError):
            raise error
        if error is not None:
            raise self.broke(method, _described(error)) from error
        return value

    def _wait(self, what: str, call: Callable[[], Any]) -> Answer:
        """What a call returns, or raises."""
        self._lanes[0].begin(call)
        return self._in_time(what, self._lanes[0].answer(self._patience_s))

    def _in_time(self, what: str, answer: Answer | None) -> Answer:
        if answer is None:
            waited = f"has not answered for {self._patience_s:g} s (a call must not wait; on a busy machine, raise --patience)"
            raise SlowError(f"{self.name}{what} {waited}")
        return answer


def _close_late(made: Any) -> None:
    """An object whose construction timed out has been constructed after all."""
    if made is not None:
        made.close()


def _described(error: BaseException) -> str:
    ours = {__file__, lanes.__file__}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in ours]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    try:
        text = " ".join(str(error).split())[:_LONGEST]
    except Exception:
        text = "(its message cannot be shown)"
    return f"raised {type(error).__name__}: {text}{where}"
