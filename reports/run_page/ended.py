"""When each task of a run was due and when it ended, from the event stream: what a histogram and short windows are made of."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from soak.schemas.errors import EvidenceError, reason
from soak.schemas.stream.block import Floats
from soak.schemas.stream.storage import open_stream

MOST_BYTES = 250_000_000
"""A longer stream is not read: that would take seconds."""

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


def _none() -> Ended:
    return Ended(np.empty(0), np.empty(0), np.empty(0, np.bool_), np.empty(0))


def read_ended(path: Path) -> Ended:
    """The tasks of a stream; none of a missing or very long one. Raises EvidenceError for one that cannot be read."""
    if not path.exists() or path.stat().st_size > MOST_BYTES:
        return _none()
    try:
        with open_stream(path) as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise EvidenceError(f"{path}: {reason(error)} (this evidence is missing)") from None
    if len(content) > MOST_BYTES:
        return _none()
    due = {task: float(at) for task, at in _DUE.findall(content)}
    found = _ENDED.findall(content)
    # Of two ends of a task the first one counts.
    places = {task: len(found) - back for back, (_, _, task) in enumerate(reversed(found), 1) if task in due}
    order = sorted(places.values())
    return Ended(
        np.array([due[found[place][2]] for place in order], dtype=np.float64),
        np.array([float(found[place][0]) for place in order], dtype=np.float64),
        np.array([found[place][1] == b"failed" for place in order], dtype=np.bool_),
        np.array(list(due.values()), dtype=np.float64),
    )
