"""Clients are answered while something else is waited for, such as a worker that is ready only once it may report."""

import selectors
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

_LOOK_S = 0.05


@contextmanager
def heard(selector: selectors.BaseSelector) -> Generator[None]:
    """The callbacks of `selector` run in a thread of their own meanwhile; who calls this leaves the selector alone.

    Processes are started by the caller's own thread, whose end the kernel takes for that of their parent. Raises what a
    callback raised.
    """
    over = Event()
    with ThreadPoolExecutor(1, "hearing") as threads:
        done = threads.submit(_hear, selector, over)
        try:
            yield
        finally:
            over.set()
    done.result()


def _hear(selector: selectors.BaseSelector, over: Event) -> None:
    while not over.is_set():
        for key, _ in selector.select(_LOOK_S):
            key.data()
