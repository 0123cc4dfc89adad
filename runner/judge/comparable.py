"""Figures of a run that two runs of a scenario and seed must share, beside tasks and indicators: a fold over the stream."""

from collections.abc import Iterator
from dataclasses import dataclass

from soak.schemas.language.expression import Unit
from soak.schemas.language.tolerance import Tolerance
from soak.schemas.stream.block import Block


@dataclass(frozen=True, slots=True)
class Series:
    """Values that come one after the other, as many in each of two runs, each within `tolerance` of its counterpart."""

    name: str
    description: str
    unit: Unit
    values: tuple[float, ...]
    tolerance: Tolerance


class Comparable:
    """Follows a stream for such figures. This one has none: a system overrides what it has."""

    def observe(self, block: Block) -> None:
        """Take in a block."""

    def series(self) -> Iterator[Series]:
        """The figures, the same names in every run of a scenario."""
        yield from ()
