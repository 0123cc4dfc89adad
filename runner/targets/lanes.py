"""Threads that make calls for the runner: a hanging call does not hang the runner, and several calls can be made concurrently."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

Answer: TypeAlias = tuple[Any, BaseException | None]
"""What a call returned, or raised."""


class Lane:
    """One thread, which makes one call at a time."""

    def __init__(self, name: str) -> None:
        self.owes = False
        """Whether a call is in progress."""
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def begin(self, call: Callable[[], Any]) -> None:
        """Make a call."""
        self.owes = True
        self._calls.put(call)

    def answer(self, patience_s: float) -> Answer | None:
        """The answer of the call in progress; None on timeout."""
        try:
            answer = self._answers.get(timeout=max(0.0, patience_s))
        except Empty:
            return None
        self.owes = False
        return answer

    def end(self, last: Callable[[Any], Any] | None = None) -> None:
        """End the thread without waiting; `last` is called in it with the result of the call in progress."""
        if last:
            self._calls.put(lambda: last(self._answers.get_nowait()[0]))
        self._calls.put(None)

    def _serve(self) -> None:
        while call := self._calls.get():
            try:
                self._answers.put((call(), None))
            except BaseException as error:  # also one that would end the thread
                self._answers.put((None, error))


class Volley:
    """Calls that wait for one another, and are then made at the same moment, from a lane each."""

    def __init__(self, lanes: Sequence[Lane], calls: Sequence[Callable[[], Any]]) -> None:
        self._lanes = lanes[: len(calls)]
        self._together = threading.Barrier(len(calls) + 1)
        self._switching = ExitStack()
        self._fired_at = 0.0
        for lane, call in zip(self._lanes, calls, strict=True):
            lane.begin(partial(self._make, call))

    @property
    def fired(self) -> bool:
        """Whether they are being made."""
        return self._fired_at > 0

    def fire(self) -> None:
        """Make them now, unless they are being made."""
        if not self.fired:
            self._fired_at = time.monotonic()
            self._switching.enter_context(often_switched())
            self._together.wait()

    def answers(self, patience_s: float) -> list[Answer | None]:
        """Their results; None for each that times out."""
        self.fire()
        with self._switching:
            return [lane.answer(self._fired_at + patience_s - time.monotonic()) for lane in self._lanes]

    def drop(self, patience_s: float) -> None:
        """Make none of them."""
        self._together.abort()
        with self._switching:
            for lane in self._lanes:
                lane.answer(patience_s)

    def _make(self, call: Callable[[], Any]) -> Any:
        self._together.wait()
        return call()


@contextmanager
def often_switched() -> Iterator[None]:
    """Thread switching a thousand times as often, to provoke races."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(max(1e-6, interval_s / 1000))
    try:
        yield
    finally:
        sys.setswitchinterval(interval_s)
