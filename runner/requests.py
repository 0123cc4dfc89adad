"""What operators ask of a run while it goes on: to mark a moment, and to stop. They write lines to a file in the run directory.

The runner takes them up between blocks, as events of the stream: the evidence says what was asked and by whom. The file is no
part of the evidence, and is removed at the end.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from soak.runner.console import remark
from soak.schemas.errors import printable, reason
from soak.schemas.stream.block import Block, make_block, merge, tick
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

FILE = ".requests.partial"
LONGEST_TEXT, LONGEST_NAME = 200, 60
MOST_BYTES = 256 * 1024
"""Of the file: a run takes no more requests than fit into it."""

_LOOK_EVERY_S = 0.2


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line: `mark` a moment with a text, or `stop` the run; `by` whom, in their own words."""

    type: Literal["mark", "stop"]
    text: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)] = ""
    by: Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)] = ""

    def cleaned(self) -> "Request":
        """On one line, without control characters."""
        return Request(self.type, *(printable(" ".join(each.split())) for each in (self.text, self.by)))

    @property
    def problem(self) -> str:
        """What is wrong with it; empty if nothing is."""
        return "a mark needs a text" if self.type == "mark" and not self.cleaned().text else ""


class Requests:
    """The requests of one run, as the runner sees them. stop: whether someone asked to stop it."""

    def __init__(self, folder: Path, vocabulary: Vocabulary) -> None:
        self._path, self._vocabulary = folder / FILE, vocabulary
        self._read = 0
        self._looked_at = 0.0
        self._warned = False
        self.stop = False

    def into(self, block: Block) -> Block:
        """A block of the target with what was asked meanwhile, at its end. At most every fifth of a second it is looked for."""
        found = list(self._new()) if time.monotonic() - self._looked_at >= _LOOK_EVERY_S else []
        if not found:
            return block
        self.stop = self.stop or any(each.type == "stop" for each in found)
        kinds = [Kind.RUN_STOP_REQUESTED if each.type == "stop" else Kind.RUN_MARKED for each in found]
        at_s = tick(block.until_s)
        values = [float("nan") if each.type == "stop" else self._vocabulary.name(each.text) for each in found]
        causes = [self._vocabulary.cause("", each.by) for each in found]
        events = make_block([at_s] * len(found), kinds, until_s=block.until_s, value=values, cause=causes)
        return merge([block, events])

    def _new(self) -> Iterator[Request]:
        self._looked_at = time.monotonic()
        for line in self._lines():
            try:
                request = msgspec.json.decode(line, type=Request)
            except (msgspec.DecodeError, UnicodeDecodeError):
                request = None
            if request and not request.problem:
                yield request.cleaned()
            elif not self._warned:
                self._warned = True
                remark(f"warning: a line of {self._path} is not a request and is left aside")

    def _lines(self) -> list[bytes]:
        """The whole lines that are new."""
        try:
            if self._path.stat().st_size <= self._read or self._read >= MOST_BYTES:
                return []
            if not self._path.is_file():
                return []
            with self._path.open("rb") as file:
                file.seek(self._read)
                content = file.read(MOST_BYTES - self._read)
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.splitlines()


class _None:
    """Of a simulation, which nobody can ask for anything."""

    stop = False

    def into(self, block: Block) -> Block:
        """The block as it is."""
        return block


Taken = Requests | _None
NOBODY = _None()


@contextmanager
def requests_to(folder: Path, vocabulary: Vocabulary, *, real: bool) -> Iterator[Taken]:
    """The requests to a run in this directory, from now on; `real`: of a simulation there are none."""
    if not real:
        yield NOBODY
        return
    _removed(folder / FILE)
    try:
        yield Requests(folder, vocabulary)
    finally:
        _removed(folder / FILE)


def _removed(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def ask(folder: Path, request: Request) -> str:
    """Append a request for the runner; returns why that could not be done, empty if it was. One write: lines stay whole."""
    line = msgspec.json.encode(request.cleaned()) + b"\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(folder / FILE, flags, 0o600)
    except OSError as error:
        return f"the request cannot be written: {reason(error)}"
    try:
        if os.fstat(descriptor).st_size + len(line) > MOST_BYTES:
            return "this run has had as many requests as it takes"
        os.write(descriptor, line)
    except OSError as error:
        return f"the request cannot be written: {reason(error)}"
    finally:
        os.close(descriptor)
    return ""


Interrupted = Callable[[], bool]


def or_asked(interrupted: Interrupted, requests: Taken) -> Interrupted:
    """Interrupted by a signal, or by a request."""
    return lambda: interrupted() or requests.stop
