"""The records of a plan as a file that grows ahead of time: what a source replays, in real seconds from its beginning."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from soak.schemas.errors import writing
from soak.schemas.stream.block import Floats
from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.simulation.pipeline.content import Content, Records
from soak.simulation.plan import Plan, Submissions

AHEAD_REAL_S = 4.0
"""How far ahead of time records are written."""

EVERY_REAL_S = 1.0
_AT_ONCE = 20_000
_PLACES = 1e6
_LAST = b'{"end":true}\n'


class _Line(msgspec.Struct, gc=False):
    seq: int
    t: float
    symbol: str
    strength: float
    consistency: float


class Feed:
    """Writes the records of a plan. from_number: of the first one that is still to be sent."""

    def __init__(self, plan: Plan, path: Path, speed: float, from_number: int = 0) -> None:
        self._plan, self._speed, self._content = plan, speed, Content(plan)
        pipeline = pipeline_of(plan.scenario)
        self._usual = pipeline.strong, pipeline.low_consistency
        self._names = [label.kind for label in plan.vocabulary.labels]
        self._path = path
        self._chunks: Iterator[Submissions] = iter(plan.submissions())
        self._left: Submissions | None = None
        self._from_number = from_number
        self._encode = msgspec.json.Encoder().encode_lines
        self.ended = False
        self.last = from_number - 1
        """The number of the last record that was written."""
        with writing(path):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o644)

    def write(self, until_s: float) -> None:
        """Write what is due up to a time of the scenario, and before its arrivals end. Raises OutputError."""
        ends_s = self._plan.ends_s
        while not self.ended:
            chunk = self._left if self._left is not None else next(self._chunks, None)
            if chunk is None or (len(chunk) and chunk.due_s[0] >= ends_s):
                self._append(_LAST)
                self.ended = True
                return
            cut = int(np.searchsorted(chunk.due_s, until_s, side="right"))
            cut = min(cut, int(np.searchsorted(chunk.due_s, ends_s)))
            for first in range(0, cut, _AT_ONCE):
                self._write(chunk.take(slice(first, min(cut, first + _AT_ONCE))))
            self._left = chunk.take(slice(cut, None)) if cut < len(chunk) else None
            if self._left is not None and self._left.due_s[0] < ends_s:
                return

    def _write(self, chunk: Submissions) -> None:
        chunk = chunk.take(np.flatnonzero(chunk.number >> KEY_SHIFT >= self._from_number))
        if not len(chunk):
            return
        self.last = int(chunk.number[-1] >> KEY_SHIFT)
        records = self._content.of(chunk.number, chunk.due_s)
        labels = self._plan.labels_of(chunk.number).tolist()
        strength, consistency = told(records, *self._usual)
        rows = zip(
            (chunk.number >> KEY_SHIFT).tolist(),
            (np.rint(chunk.due_s / self._speed * _PLACES) / _PLACES).tolist(),
            (self._names[label] if label >= 0 else "" for label in labels),
            strength.tolist(),
            consistency.tolist(),
            strict=True,
        )
        self._append(self._encode([_Line(*row) for row in rows]))

    def _append(self, content: bytes) -> None:
        with writing(self._path):
            while content:
                content = content[os.write(self._file, content) :]

    def close(self) -> None:
        """Remove the file: the plan has it all."""
        if self._file >= 0:
            os.close(self._file)
            self._path.unlink(missing_ok=True)
            self._file = -1


def told(records: Records, strong: float, low: float) -> tuple[Floats, Floats]:
    """Strength and consistency of records as a system gets them that knows the usual shares alone: below the share are those, and
    only those, that are to be strong, or of low consistency."""
    return _told(records.strength, records.strong, strong), _told(records.consistency, records.low_consistency, low)


def _told(value: Floats, chosen: "np.typing.NDArray[np.bool_]", share: float) -> Floats:
    """Figures on the right side of the share, in as many places as are written."""
    below = np.floor(np.minimum(value, share) * _PLACES)
    below = np.where(below >= share * _PLACES, np.ceil(share * _PLACES) - 1, below)
    above = np.ceil(np.maximum(value, share) * _PLACES)
    found: Floats = np.where(chosen, np.maximum(below, 0.0), np.minimum(above, _PLACES)) / _PLACES
    return found
