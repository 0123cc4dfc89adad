"""When each task of a run was due and when it ended, from the event stream: what a histogram and short windows are made of."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soak.schemas.errors import EvidenceError, reason
from soak.schemas.files import ordinary
from soak.schemas.stream.block import Floats

MOST_BYTES = 250_000_000
"""A longer stream is not read: that would take seconds."""

_TASK = rb'"task":"((?:[^"\\\n]|\\.)*)"'
_DUE = re.compile(rb'^\{"t":[0-9.]+,"type":"task\.enqueued",' + _TASK + rb'[^\n]*?,"due":([0-9.]+)', re.MULTILINE)
_ENDED = re.compile(rb'^\{"t":([0-9.]+),"type":"task\.(done|failed)",' + _TASK, re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ended:
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


def read_ended(path: Path) -> Ended:
    """The tasks of a stream; none of a missing or very long one. Raises EvidenceError for one that cannot be read."""
    due: dict[bytes, float] = {}
    rows: list[tuple[float, float, bool]] = []
    if path.exists() and path.stat().st_size <= MOST_BYTES:
        try:
            content = ordinary(path).read_bytes()
        except OSError as error:
            raise EvidenceError(f"{path}: {reason(error)} (this evidence is missing)") from None
        due = {task: float(at) for task, at in _DUE.findall(content)}
        seen = set[bytes]()
        for at, state, task in _ENDED.findall(content):
            # A task ends once: what is said of it again is not a second latency.
            if task in due and task not in seen:
                seen.add(task)
                rows.append((due[task], float(at), state == b"failed"))
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
    return Ended(table[:, 0], table[:, 1], table[:, 2] > 0, np.array(list(due.values())))
