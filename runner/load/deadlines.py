"""Ends requests that take too long, with one timer for all: each has the same timeout. Imported by such processes only."""

import time
from collections import deque
from typing import Any

import gevent


class Deadline:
    """Until when a request may take, and who waits for it."""

    __slots__ = ("at_s", "greenlet")

    def __init__(self, at_s: float, greenlet: Any) -> None:
        self.at_s, self.greenlet = at_s, greenlet

    def met(self) -> None:
        """The request is over."""
        self.greenlet = None


class Deadlines:
    """Raises gevent.Timeout in a greenlet whose request is not over after `timeout_s` real seconds."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: deque[Deadline] = deque()
        """In the order of their times. Those that are met are removed when they come to the front."""
        self._loop = gevent.get_hub().loop
        self._timer: Any = None

    def begin(self) -> Deadline:
        """The calling greenlet sends a request now."""
        waiting = self._waiting
        while waiting and waiting[0].greenlet is None:
            waiting.popleft()
        made = Deadline(time.monotonic() + self._timeout_s, gevent.getcurrent())
        waiting.append(made)
        if self._timer is None:
            self._start(self._timeout_s)
        return made

    def _start(self, after_s: float) -> None:
        self._timer = self._loop.timer(after_s)
        self._timer.start(self._look)

    def _look(self) -> None:
        """Called by the event loop, from where greenlets can be switched to."""
        self._timer.close()
        self._timer = None
        while self._waiting:
            first = self._waiting[0]
            left_s = first.at_s - time.monotonic()
            if first.greenlet is not None and left_s > 0:
                if self._timer is None:
                    self._start(left_s)
                return
            self._waiting.popleft()
            greenlet, first.greenlet = first.greenlet, None
            if greenlet is not None:
                greenlet.throw(gevent.Timeout(self._timeout_s))
