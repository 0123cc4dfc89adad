"""What a trace says of each arrival beside its time: whose it is, of which kind, and how long it takes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from soak.schemas.language.model import Scenario, TaskKind, Tenant
from soak.schemas.language.trace import Trace
from soak.schemas.stream.block import Floats, Ints
from soak.simulation.streams import BLOCK
from soak.simulation.trace import TraceArrivals, Traced


class TraceColumns(Struct, frozen=True):
    """Each for the BLOCK arrivals of a block; None where it is drawn. tenant, kind: their places in the workload."""

    service_s: Callable[[int], Floats] | None = None
    tenant: Callable[[int], Ints] | None = None
    kind: Callable[[int], Ints] | None = None


def columns_of(scenario: Scenario, seed: int) -> TraceColumns:
    """The columns of the scenario's trace; none without one."""
    trace = scenario.workload.trace
    if trace is None:
        return TraceColumns()
    reading, workload = trace.reading, scenario.workload
    blocks = _Blocks(trace, seed, scenario.duration_s)
    return TraceColumns(
        blocks.service_s if reading.service is not None else None,
        blocks.named("tenant", _places(trace.seen.tenants, workload.tenants)) if reading.tenant else None,
        blocks.named("kind", _places(trace.seen.kinds, workload.kinds)) if reading.kind else None,
    )


def _places(seen: Iterable[str], declared: Sequence[Tenant] | Sequence[TaskKind]) -> list[int]:
    names = [each.name for each in declared]
    return [names.index(name) for name in seen]


class _Blocks:
    """Blocks of arrivals, read when they are first asked for."""

    def __init__(self, trace: Trace, seed: int, until_s: float) -> None:
        self._arguments = (trace, seed, until_s)
        self._arrivals: TraceArrivals | None = None

    def _block(self, block: int) -> Traced:
        if self._arrivals is None:
            self._arrivals = TraceArrivals(*self._arguments)
        return self._arrivals.block(block)

    def service_s(self, block: int) -> Floats:
        """Service times in seconds; 0 behind the end of the trace."""
        values = self._block(block).service_s
        assert values is not None
        return np.concatenate([values, np.zeros(BLOCK - len(values))])

    def named(self, column: Literal["tenant", "kind"], places: list[int]) -> Callable[[int], Ints]:
        """The places of the values of a column, of which number n has the place `places[n]`; 0 behind the end of the trace."""
        place = np.array(places, dtype=np.int64)

        def named(block: int) -> Ints:
            numbers = getattr(self._block(block), column)
            assert numbers is not None
            return np.concatenate([place[numbers], np.zeros(BLOCK - len(numbers), dtype=np.int64)])

        return named
