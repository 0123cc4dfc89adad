"""Work that a process of its own does while replications are made."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from soak.runner.replications.preload import settle
from soak.runner.replications.worker import begin, held

T = TypeVar("T")


@contextmanager
def aside(work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Begin with `work`, and what gives its result. Where no process can do it, or it fails there, it is done when asked for."""
    if sys.platform != "linux":
        yield work
        return
    settle()
    ours, theirs = get_context("fork").Pipe(duplex=False)
    process = get_context("fork").Process(target=_carry_out, args=(work, theirs, os.getpid()), daemon=True)
    with held(signal.SIGINT):
        process.start()
    theirs.close()

    def result() -> T:
        try:
            found: T = ours.recv()
        except (EOFError, OSError):
            return work()
        return found

    try:
        yield result
    finally:
        process.kill()
        process.join()
        ours.close()


def _carry_out(work: Callable[[], T], connection: Connection, parent: int) -> None:
    begin(parent)
    try:
        connection.send(work())
    finally:
        # What went wrong is said by the parent, which does it again.
        os._exit(0)
