"""What a simulated and a real run of a gateway must share: requests, success and latency of each tenant and kind."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from soak.runner.judge.comparable import Comparable, Series
from soak.runner.judge.gateway.ended import OpenRequests
from soak.runner.judge.histogram import Histogram
from soak.runner.judge.task_violations import errors
from soak.schemas.language.expression import Unit
from soak.schemas.language.http import RequestError
from soak.schemas.language.model import Scenario
from soak.schemas.language.tolerance import FEW, TIME, Tolerance
from soak.schemas.stream.block import Block
from soak.schemas.stream.vocabulary import Vocabulary

_REQUESTS = Tolerance(absolute=10, relative=0.05)
"""Users who wait for answers ask again as much later as these take longer, and a few requests are open at the end."""

_SUCCESS = Tolerance(absolute=0.01)
"""Limits are met by chance: a request more or less of a hundred."""

_WRONG = Tolerance(absolute=1)
"""What is answered does not depend on time: one may be open at the end."""

_CAUSES = {
    RequestError.THROTTLED: ("throttled", "requests answered 429", FEW),
    RequestError.WRONG_ANSWER: ("wrong_answers", "requests answered otherwise than expected", _WRONG),
}


@dataclass(slots=True)
class _Part:
    """Requests of a tenant and kind that ended."""

    count: int = 0
    done: int = 0
    latency: Histogram = field(default_factory=Histogram)
    errors: Counter[str] = field(default_factory=Counter)


class GatewayComparable(Comparable):
    """Follows requests for the figures that two runs must share."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._labels = scenario.workload.labels
        self._vocabulary, self._open = vocabulary, OpenRequests()
        self._parts = [_Part() for _ in self._labels or (None,)]

    def observe(self, block: Block) -> None:
        """See `Comparable`."""
        ended, _, _ = self._open.observe(block)
        words, place = errors(self._vocabulary), np.clip(ended.label, 0, len(self._parts) - 1)
        for each in np.unique(place).tolist():
            part, mine = self._parts[each], ended.take(place == each)
            part.count += len(mine.t)
            part.done += int(mine.done.sum())
            part.latency.add(mine.latency_s)
            part.errors.update(words[cause] for cause in mine.cause[~mine.done].tolist())

    def series(self) -> Iterator[Series]:
        """See `Comparable`."""
        for place, part in enumerate(self._parts):
            label = self._labels[place] if self._labels else None
            said = [f"{name}={value}" for name in ("tenant", "kind") if label and (value := getattr(label, name))]
            of = f"{{{', '.join(said)}}}" if said else ""
            share, p95_s = part.done / part.count if part.count else math.nan, part.latency.quantile(0.95)
            yield Series(f"requests{of}", "requests that ended", Unit.COUNT, (float(part.count),), _REQUESTS)
            yield Series(f"success_rate{of}", "share of them that succeeded", Unit.RATIO, _known(share), _SUCCESS)
            yield Series(f"latency_p95{of}", "95th percentile of their latency", Unit.DURATION, _known(p95_s), TIME)
            for error, (name, what, tolerance) in _CAUSES.items():
                yield Series(f"{name}{of}", what, Unit.COUNT, (float(part.errors[error.value]),), tolerance)


def _known(value: float) -> tuple[float, ...]:
    return (value,) if math.isfinite(value) else ()
