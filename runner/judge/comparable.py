"""Figures of a run that two runs of a scenario and seed must share, beside tasks and indicators: a fold over the stream."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from soak.schemas.language.expression import Unit
from soak.schemas.language.tolerance import Tolerance
from soak.schemas.stream.block import Block


class Series(Struct, frozen=True):
    """Values that come one after the other, as many in each of two runs, each within `tolerance` of its counterpart."""

    name: str
    description: str
    unit: Unit
    values: tuple[float, ...]
    tolerance: Tolerance


class Probed(Struct, frozen=True):
    """What a share of probes is made of: one is due every `every_s` seconds, and there were `probes` in all.

    down_s: how long each stretch lasted in which probes fail, in seconds, by part of the system, in their order.
    """

    every_s: float
    probes: int
    down_s: Mapping[str, tuple[float, ...]]


class Comparable:
    """Follows a stream for such figures. This one has none: a system overrides what it has."""

    def observe(self, block: Block) -> None:
        """Take in a block."""

    def series(self) -> Iterator[Series]:
        """The figures, the same names in every run of a scenario."""
        yield from ()

    def probed(self) -> Mapping[str, Probed]:
        """By indicator that is a share of probes: what it is made of."""
        return {}
