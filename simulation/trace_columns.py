"""What a trace says of each arrival beside its time: whose it is, and how long it takes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from soak.schemas.language.model import Scenario
from soak.schemas.language.trace import Trace
from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.streams import BLOCK
from soak.simulation.trace import TraceArrivals, Traced


@dataclass(frozen=True, slots=True)
class TraceColumns:
    """Each for the BLOCK arrivals of a block; None where it is drawn. tenant: indices into the vocabulary."""

    service_s: Callable[[int], Floats] | None = None
    tenant: Callable[[int], Ints] | None = None


def columns_of(scenario: Scenario, seed: int, vocabulary: Vocabulary) -> TraceColumns:
    """The columns of the scenario's trace; none without one."""
    trace = scenario.workload.trace
    if trace is None or (trace.reading.service is None and trace.reading.tenant is None):
        return TraceColumns()
    blocks = _Blocks(trace, seed, scenario.duration_s)
    return TraceColumns(
        blocks.service_s if trace.reading.service is not None else None,
        blocks.named([vocabulary.tenant(name) for name in trace.seen.tenants]) if trace.reading.tenant else None,
    )


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

    def named(self, indices: list[int]) -> Callable[[int], Ints]:
        """The tenants, of which number n has the index `indices[n]`."""
        index = np.array(indices, dtype=np.int64)

        def tenant(block: int) -> Ints:
            numbers = self._block(block).tenant
            assert numbers is not None
            return np.concatenate([index[numbers], np.full(BLOCK - len(numbers), -1)])

        return tenant
