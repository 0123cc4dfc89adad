"""Commands that are run for their answer: an exit code, and a little output. Whatever they do, they end in time."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

_PIECE_BYTES = 65_536


class Answered(Struct, frozen=True):
    """What a command exited with, None if it has not ended in time, and the beginning of its output."""

    code: int | None
    output: bytes


def answer_of(
    words: Sequence[str],
    folder: Path | None,
    environment: Mapping[str, str] | None,
    timeout_s: float,
    most_bytes: int,
    *,
    errors: bool = False,
) -> Answered:
    """Run a command and end what it leaves in its process group. Raises OSError if it cannot be started.

    errors: whether its standard error belongs to the output. Of more than `most_bytes` the rest is read and dropped. The end of
    the command counts, not that of its output: a process that it left behind may keep that open.
    """
    popen = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if errors else subprocess.DEVNULL,
        cwd=folder,
        env=None if environment is None else dict(environment),
        start_new_session=True,
    )
    with popen:
        try:
            ended, output = _followed(popen, time.monotonic() + timeout_s, most_bytes)
        finally:
            # The command, if it is late, and whatever it left in its group.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(popen.pid, signal.SIGKILL)
        code = popen.wait()
    return Answered(code if ended else None, output)


def _followed(popen: "subprocess.Popen[bytes]", until: float, most_bytes: int) -> tuple[bool, bytes]:
    """Read the output until the command has ended and nothing is left to be read; whether it ended by `until`."""
    assert popen.stdout
    pipe, kept = popen.stdout.fileno(), b""
    handle = os.pidfd_open(popen.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            selector.register(handle, selectors.EVENT_READ)
            while (wait_s := until - time.monotonic()) > 0:
                seen = {key.fd for key, _ in selector.select(wait_s)}
                if handle in seen and (pipe not in seen or len(kept) >= most_bytes):
                    return True, kept
                if pipe in seen:
                    piece = os.read(pipe, _PIECE_BYTES)
                    kept = (kept + piece)[:most_bytes]
                    if not piece:
                        selector.unregister(pipe)
    finally:
        os.close(handle)
    return False, kept
