"""A command of a check: without a shell, with an end, and nothing that it started left behind."""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from soak.runner.checks.answers import MOST_BYTES, CancelledError, NoAnswerError
from soak.runner.targets.processes.ending import kill_session, kill_tree, wait_for_end
from soak.runner.targets.processes.identity import stat
from soak.schemas.errors import printable, reason

_LOOK_EVERY_S = 0.05
_GONE_WITHIN_S = 2.0
_READ_BYTES = 65_536
_LAST_WORDS = 300
"""Of what a command writes to standard error, its last characters are kept."""


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _end_with_runner() -> None:
    """In the new process: the kernel ends it with the thread that waits for it, and so with soak."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def run(words: Sequence[str], folder: Path, timeout_s: float, cancelled: Callable[[], bool]) -> bytes:
    """What a command writes to standard output. Raises NoAnswerError: see `judge.checks.expected`."""
    try:
        process = subprocess.Popen(
            list(words),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # It makes one system call, and takes no lock that another thread may hold.
            preexec_fn=_end_with_runner if sys.platform == "linux" else None,  # noqa: PLW1509
        )
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise NoAnswerError("cannot_start", f"{words[0]}: {why}") from None
    try:
        return _finished(process, time.monotonic() + timeout_s, cancelled)
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it with all that it started, and what it left in its session."""
    found = stat(process.pid) if process.poll() is None else None
    left = [*(kill_tree(found.id) if found else ()), *kill_session(process.pid)]
    process.wait()
    wait_for_end(left, _GONE_WITHIN_S)
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def _finished(process: "subprocess.Popen[bytes]", until: float, cancelled: Callable[[], bool]) -> bytes:
    assert process.stdout
    assert process.stderr
    said, last = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe, kept in ((process.stdout, said), (process.stderr, last)):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, kept)
        ended = False
        while selector.get_map() and not ended:
            if cancelled():
                raise CancelledError
            if time.monotonic() >= until:
                raise NoAnswerError("timeout", _words(last))
            # Once it has ended, what is in its pipes is all: a process that it left behind may keep them open.
            ended = process.poll() is not None
            for key, _ in selector.select(0.0 if ended else _LOOK_EVERY_S):
                _take(key.fileobj, key.data, selector)  # type: ignore[arg-type]
            if len(said) > MOST_BYTES:
                raise NoAnswerError("too_large", _words(last))
            del last[:-_LAST_WORDS]
    return _said(process, until, cancelled, said, last)


def _take(pipe: IO[bytes], kept: bytearray, selector: selectors.BaseSelector) -> None:
    """Read what is there, of a pipe that ends all of it."""
    while len(kept) <= MOST_BYTES:
        try:
            piece = os.read(pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        if not piece:
            selector.unregister(pipe)
            return
        kept += piece


def _said(
    process: "subprocess.Popen[bytes]", until: float, cancelled: Callable[[], bool], said: bytearray, last: bytearray
) -> bytes:
    # It may have closed its pipes long before it ends.
    while process.poll() is None:
        if cancelled():
            raise CancelledError
        if time.monotonic() >= until:
            raise NoAnswerError("timeout", _words(last))
        time.sleep(_LOOK_EVERY_S)
    if process.returncode:
        raise NoAnswerError(f"exit {process.returncode}", _words(last) or _words(said[-_LAST_WORDS:]))
    return bytes(said)


def _words(last: bytearray) -> str:
    lines = bytes(last).decode(errors="replace").strip().splitlines()
    return printable(lines[-1]) if lines else ""
