"""Signals while compiled code runs that calls Python back: their handlers wait until it has returned."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGUSR1", "SIGUSR2")
_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""What people and programs handle, as far as this machine knows it."""


@contextmanager
def postponed() -> Iterator[None]:
    """Handlers written in Python are called at the end of the block, in the order in which signals came.

    A handler runs where Python is entered next: with the first instruction of a callback, before that could catch anything. What
    it raises would be dropped there, and compiled code would take what is left in its place for an answer.
    """
    if threading.current_thread() is not threading.main_thread():
        # Handlers run in the main thread only.
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in before:
            signal.signal(number, lambda number, frame: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)
