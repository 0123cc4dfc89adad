"""Which scenario time a time since 1970 is: of a run that was resumed, each part has its own beginning."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from soak.schemas.errors import writing
from soak.schemas.stream.block import Floats

FILE = "epochs.jsonl"


@dataclass(slots=True)
class Epochs:
    """speed: scenario seconds per real second. Each part: from when on it counts, and when scenario time was 0, since 1970."""

    speed: float
    _from_at: list[float] = field(default_factory=list)
    _zero_at: list[float] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, speed: float) -> "Epochs":
        """Those of a run so far. Raises OSError and ValueError."""
        epochs = cls(speed)
        for line in path.read_text().splitlines():
            each = json.loads(line)
            epochs._add(float(each["from"]), float(each["zero"]))
        return epochs

    def begin(self, now_at: float, zero_at: float, path: Path) -> None:
        """A part begins: everything that is stamped from now on counts from `zero_at`. Raises OutputError."""
        self._add(now_at, zero_at)
        with writing(path), path.open("a") as file:
            file.write(json.dumps({"from": now_at, "zero": zero_at}) + "\n")

    def _add(self, from_at: float, zero_at: float) -> None:
        self._from_at.append(from_at)
        self._zero_at.append(zero_at)

    @property
    def known(self) -> bool:
        """Whether a part has begun."""
        return bool(self._zero_at)

    @property
    def began_at(self) -> float:
        """When the first part began, in seconds since 1970."""
        return self._from_at[0]

    @property
    def zero_at(self) -> float:
        """When scenario time was 0, of the newest part."""
        return self._zero_at[-1]

    def scenario(self, at: Floats) -> Floats:
        """Seconds since 1970 as scenario time; what is before the beginning is at 0."""
        if not self._zero_at:
            return np.zeros(len(at))
        part = np.maximum(np.searchsorted(self._from_at, at, side="right") - 1, 0)
        since: Floats = np.maximum(0.0, (at - np.array(self._zero_at)[part]) * self.speed)
        return since

    def one(self, at: float) -> float:
        """One time."""
        return float(self.scenario(np.array([at]))[0])
