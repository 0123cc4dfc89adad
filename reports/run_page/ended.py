"""When each task of a run was due and when it ended, from the event stream: what a histogram and short windows are made of."""

import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from soak.schemas.errors import EvidenceError, reason
from soak.schemas.stream.block import Floats
from soak.schemas.stream.storage import open_stream

MOST_BYTES = 250_000_000
"""A longer stream is not read: that would take seconds."""

_PIECE_BYTES = 1 << 20

# No string of JSON can hold what these look for: its quotes would be escaped. A fixed beginning is found fast.
_TASK = rb'"task":"([^"\\\n]*(?:\\.[^"\\\n]*)*)"'
_DUE = re.compile(rb'"type":"task\.enqueued",' + _TASK + rb'.*?,"due":([0-9.]+)')
_ENDED = re.compile(rb'\{"t":([0-9.]+),"type":"task\.(done|failed)",' + _TASK)


class Ended(Struct, frozen=True):
    """The tasks that are DONE or FAILED: when each was due, when it ended (seconds), whether it failed.

    all_due_s: when those were due that have not ended too.
    """

    due_s: Floats
    ended_s: Floats
    failed: npt.NDArray[np.bool_]
    all_due_s: Floats

    @property
    def latency_s(self) -> Floats:
        """From when each was due to its end."""
        latency_s: Floats = np.maximum(self.ended_s - self.due_s, 0.0)
        return latency_s

    def since(self, t_s: float) -> "Ended":
        """Those that ended from a time on, as objectives count them after a warm-up."""
        kept = self.ended_s >= t_s
        return Ended(self.due_s[kept], self.ended_s[kept], self.failed[kept], self.all_due_s)


def none_ended() -> Ended:
    """Of a run without tasks."""
    return Ended(np.empty(0), np.empty(0), np.empty(0, np.bool_), np.empty(0))


def read_ended(path: Path) -> Ended:
    """The tasks of a stream; none of a missing or very long one. Raises EvidenceError for one that cannot be read."""
    if not path.exists() or path.stat().st_size > MOST_BYTES:
        return none_ended()
    # By task, in the order of the stream: pieces of lines are read, for all of it takes several times its size.
    due: dict[bytes, float] = {}
    ended: dict[bytes, float] = {}
    failed: set[bytes] = set()
    try:
        if _is_long(path):
            return none_ended()
        for piece in _pieces(path):
            due.update((task, float(at)) for task, at in _DUE.findall(piece))
            for at, how, task in _ENDED.findall(piece):
                # Of two ends of a task the first one counts.
                if task not in ended:
                    ended[task] = float(at)
                    if how == b"failed":
                        failed.add(task)
    except OSError as error:
        raise EvidenceError(f"{path}: {reason(error)} (this evidence is missing)") from None
    both = [task for task in ended if task in due]
    return Ended(
        np.array([due[task] for task in both], dtype=np.float64),
        np.array([ended[task] for task in both], dtype=np.float64),
        np.array([task in failed for task in both], dtype=np.bool_),
        np.array(list(due.values()), dtype=np.float64),
    )


def _is_long(path: Path) -> bool:
    """Whether a stream, which may be compressed, has more than is read."""
    return any(read > MOST_BYTES for read in accumulate(map(len, _pieces(path))))


def _pieces(path: Path) -> Iterator[bytes]:
    """The content of a stream, whole lines at a time."""
    with open_stream(path) as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece + file.readline()
