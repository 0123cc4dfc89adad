"""Output of the command line: remarks on standard error, which must never stop a run, and results on standard output."""

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, TextIO, cast

import click

from soak.schemas.errors import OutputError, reason

if TYPE_CHECKING:
    from rich.console import Console

_ERRORS = "backslashreplace"
"""Text that a stream cannot encode, such as a file name that is not UTF-8, is escaped: no run fails over a character."""


def prepare_streams() -> None:
    """Treat a standard stream that was closed at start as /dev/null. To be called before any file is opened.

    Otherwise a file opened later would get its descriptor, and messages would be written into that file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            _to_nowhere(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout, sys.stderr = _prepared(sys.stdout, 1), _prepared(sys.stderr, 2)


def _prepared(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is None:
        return os.fdopen(descriptor, "w", encoding="utf-8", errors=_ERRORS, closefd=False)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_ERRORS)
    return stream


_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """Give remarks to a function, line by line, and nothing to standard error."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def hush() -> None:
    """No remarks any more, up to the end of `remarks_kept`."""
    _listener.set(_unheard)


def _unheard(text: str) -> None:
    """Nobody hears it."""


@contextmanager
def remarks_kept() -> Iterator[None]:
    """Whatever is done about remarks meanwhile ends here."""
    with_listener = _listener.set(_listener.get())
    try:
        yield
    finally:
        _listener.reset(with_listener)


def helper(work: Callable[[], None], name: str) -> threading.Thread:
    """A thread, to be started, whose remarks go where those of this one go."""
    return threading.Thread(target=copy_context().run, args=(work,), name=name, daemon=True)


def is_heard() -> bool:
    """Whether a remark is for standard error, and not for a listener."""
    return _listener.get() is None


def is_drawn_on() -> bool:
    """Whether standard error is a terminal that a person looks at."""
    return _listener.get() is None and sys.stderr.isatty()


def remark(text: str, *, always: bool = False) -> None:
    """Print on standard error, or hand to the listener in its place; the run continues if that fails.

    always: also after `hush`.
    """
    listener = _listener.get()
    if listener and not (always and listener is _unheard):
        listener(text)
        return
    try:
        click.echo(text, err=True)
    except (OSError, ValueError):
        _to_nowhere(2)


def tell(text: str, *, nl: bool = True, color: bool | None = None) -> None:
    """Print a result that the exit code and files carry, too; only warns if standard output cannot be written.

    color: whether escape sequences in it are kept; None: on a terminal.
    """
    try:
        hand_over(text, nl=nl, color=color)
    except OutputError as error:
        remark(f"warning: {error}")


def hand_over(text: str, *, nl: bool = True, color: bool | None = None) -> None:
    """Print a result that is written nowhere else; a closed pipe is not an error. Raises OutputError, e.g. for a full disk."""
    try:
        click.echo(text, nl=nl, color=color)
    except BrokenPipeError:
        _to_nowhere(1)
    except (OSError, ValueError) as error:
        _to_nowhere(1)
        why = reason(error) if isinstance(error, OSError) else error
        raise OutputError(f"standard output: {why} (send it elsewhere)") from None


def live_console(*, err: bool = True) -> "Console":
    """A rich console on standard error or output; a terminal that disappears meanwhile is not an error."""
    from rich.console import Console

    return Console(file=cast(TextIO, _Careful(sys.stderr if err else sys.stdout, 2 if err else 1)))


class _Careful(io.TextIOBase):
    """A stream whose write errors are swallowed."""

    def __init__(self, stream: TextIO, descriptor: int) -> None:
        self._stream, self._descriptor = stream, descriptor

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Its descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write, ignoring errors."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            _to_nowhere(self._descriptor)
            return len(text)

    def flush(self) -> None:
        """Flush, ignoring errors."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            _to_nowhere(self._descriptor)


def _to_nowhere(descriptor: int) -> None:
    """Redirect to /dev/null: what Python still buffers would fail again at exit."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == descriptor:
        os.set_inheritable(nowhere, True)
        return
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def flush() -> None:
    """Flush what Python still buffers, ignoring errors."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except (OSError, ValueError):
            _to_nowhere(descriptor)
