"""A trace in a scenario: how its file is read and played, and what is known of it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from soak.schemas.trace.settings import Reading

if TYPE_CHECKING:
    from soak.schemas.trace.survey import Survey

_US = 1_000_000


@dataclass(frozen=True)
class Trace:
    """A trace to be played.

    origin_us: the time in the file that is scenario time 0. speed: how many times as fast. scale: how many times as many
    arrivals. repeat: whether it begins again at its end. seen: the whole file, read once. here: whether the file is there to be
    played; to verify a run, it need not be.
    """

    reading: Reading
    origin_us: int
    speed: float
    scale: float
    repeat: bool
    seen: "Survey" = field(compare=False, repr=False)
    here: bool = True

    @property
    def begin_us(self) -> int:
        """The time in the file of the first row that is played."""
        return max(self.origin_us, self.seen.first_us)

    @property
    def length_s(self) -> float:
        """From scenario time 0 to the last row, in scenario time."""
        return (self.seen.last_us - self.origin_us) / self.speed / _US

    @cached_property
    def rows(self) -> float:
        """Rows that are played in one turn: from the start of the scenario on, to the accuracy of the counts."""
        return self.seen.rows if self.begin_us == self.seen.first_us else self.seen.counts.after(self.begin_us)

    @cached_property
    def round_s(self) -> float:
        """After which a repeated trace begins again, in scenario time: a mean gap after its last row."""
        gap_us = (self.seen.last_us - self.begin_us) / (self.rows - 1) if self.rows > 1 else _US
        return max(1, round(self.length_s * _US + gap_us / self.speed)) / _US
