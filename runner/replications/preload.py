"""Modules that are loaded while workers work: what draws reports takes as long to load as several replications."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

NAME = "loading of reports"
"""The name of the thread that loads."""
_loading: list[threading.Thread] = []


@contextmanager
def loading(*modules: str) -> Iterator[None]:
    """Load modules meanwhile. What goes wrong with it comes up again where they are needed."""
    thread = threading.Thread(target=_load, args=(modules,), name=NAME, daemon=True)
    _loading.append(thread)
    thread.start()
    try:
        yield
    finally:
        settle()


def settle() -> None:
    """Wait until all is loaded: a process that forks in the middle of it has a child that waits for ever."""
    while _loading:
        _loading.pop().join()


def _load(modules: tuple[str, ...]) -> None:
    for each in modules:
        with contextlib.suppress(Exception):
            import_module(each)
