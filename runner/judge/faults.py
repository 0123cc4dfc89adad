"""Faults: planned, injected, seen to take effect; and failures by error class."""

import math

import numpy as np

from soak.runner.judge.attribution_windows import INJECTED, FaultWindows
from soak.runner.judge.exposure import Exposure
from soak.runner.judge.room import room_of
from soak.runner.judge.samples import Scan
from soak.schemas.evidence.verdict import FaultResult, Status
from soak.schemas.language.faults import AT_ONCE_S, Fault
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import BrokenSystemError
from soak.schemas.stream.block import Block, tick
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.units import show_duration, show_ratio

_BUCKETS = (Kind.TASK_RETRY, Kind.TASK_FAILED, Kind.TASK_BLOCKED)
MOST_ATTEMPTS = 101

LEAST_SHARE = 0.5
"""A fault is in doubt when it is seen in less than this share of the cases in which it is expected."""

UNLIKELY = 1e-4
"""What is less probable than this by chance is not put down to it."""


class FaultCounts:
    """Counts events by cause, and the opportunities of each fault."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._faults = scenario.faults
        self._vocabulary = vocabulary
        self._counts = np.zeros((len(Kind), 64), dtype=np.int64)
        self._exposure = Exposure(room_of(scenario.system).exposed(scenario, vocabulary))
        for fault in self._faults:
            if not fault.by_time and not self._exposure.follows(fault):
                what = f"the room of its judge does not say what the fault {fault.type}, which has a rate, could have struck"
                raise BrokenSystemError(scenario.system, what)
        self.windows = FaultWindows(self._faults, vocabulary)
        """What happened in the windows of faults."""
        self._retries = np.zeros(MOST_ATTEMPTS, dtype=np.int64)

    def observe(self, block: Block, scan: Scan | None = None) -> None:
        """Process a block. scan: what has been seen of it."""
        width = self._counts.shape[1]
        if len(self._vocabulary.causes) > width:
            self._counts = np.pad(self._counts, ((0, 0), (0, len(self._vocabulary.causes))))
            width = self._counts.shape[1]
        if scan:
            self._counts[:, : scan.cells.shape[1]] += scan.cells
            self._retries += scan.retries
        else:
            cells = np.bincount(block.kind * width + block.cause, minlength=len(Kind) * width)
            self._counts += cells.reshape(len(Kind), width)
            retried = block.attempt[block.kind == Kind.TASK_RETRY]
            self._retries += np.bincount(np.minimum(retried, MOST_ATTEMPTS - 1), minlength=MOST_ATTEMPTS)
        self._exposure.observe(block)
        self.windows.observe(block)

    def count(self, fault: str, kinds: tuple[Kind, ...]) -> int:
        """How many events of these kinds a fault caused."""
        causes = [index for index, cause in enumerate(self._vocabulary.causes) if cause.fault == fault]
        return int(self._counts[np.ix_([int(kind) for kind in kinds], causes)].sum()) if causes else 0

    def injected(self, fault: Fault) -> int:
        """How often a fault was injected."""
        return self.count(fault.name, INJECTED)

    def errors(self) -> dict[str, int]:
        """Failed attempts by error class, the most frequent first."""
        buckets: dict[str, int] = {}
        for index, cause in enumerate(self._vocabulary.causes):
            count = int(self._counts[list(_BUCKETS), index].sum())
            if count:
                buckets[cause.error or "unknown"] = buckets.get(cause.error or "unknown", 0) + count
        return dict(sorted(buckets.items(), key=lambda item: (-item[1], item[0])))

    def retries_by_attempt(self) -> dict[str, int]:
        """How often attempt n was retried."""
        return {str(attempt): int(count) for attempt, count in enumerate(self._retries) if count}

    def results(self, ended_s: float) -> list[FaultResult]:
        """Every fault of the scenario; one that was planned and never seen is INCONCLUSIVE."""
        return [self._result(fault, ended_s) for fault in self._faults]

    def _result(self, fault: Fault, ended_s: float) -> FaultResult:
        started = sum(1 for window in fault.windows if window.start_s < ended_s)
        by_time = fault.by_time
        expected = float(fault.struck(started)) if by_time else self._exposure.expected(fault, ended_s)
        injected, seen = self.injected(fault), self.count(fault.name, fault.spec.seen_by)
        status, detail = Status.PASS, ""
        if not seen and (by_time or fault.rate > 0):
            status = Status.INCONCLUSIVE
            happened = f"injected {injected} times" if injected else "never injected"
            detail = f"{happened} and never seen to take effect ({expected:.3g} expected)"
        elif by_time:
            showed, over = self.windows.of[fault.name].showed(ended_s)
            if showed < LEAST_SHARE * over:
                status, detail = Status.INCONCLUSIVE, f"seen in {showed} of {over} windows"
            elif fault.strikes and injected < LEAST_SHARE * expected:
                status, detail = Status.INCONCLUSIVE, f"struck {injected} where {_rounded(expected)} were expected"
        elif hardly(shown := max(seen, injected if fault.spec.need_not_show else 0), expected):
            status = Status.INCONCLUSIVE
            what = "injected or seen" if fault.spec.need_not_show else "seen"
            detail = f"{what} {shown} {'time' if shown == 1 else 'times'} where {_rounded(expected)} were expected"
        return FaultResult(fault.name, fault.type, asked(fault), expected, injected, seen, status, detail)


def hardly(seen: int, expected: float) -> bool:
    """Whether a fault struck so seldom that chance does not explain it, and less than half as often as expected.

    Each opportunity is a trial of its own: the number of hits varies less than a Poisson count of the same mean, whose lower
    tail bounds theirs (Hoeffding 1956).
    """
    if seen >= LEAST_SHARE * expected:
        return False
    # Below half of the mean each term is less than half of the next: the last sixty are the sum to within rounding.
    counts = range(max(0, seen - 60), seen + 1)
    tail = math.fsum(math.exp(n * math.log(expected) - expected - math.lgamma(n + 1)) for n in counts)
    return tail <= UNLIKELY


def _rounded(count: float) -> str:
    return f"{count:.3g}" if count < 1000 else f"{count:,.0f}"


def asked(fault: Fault) -> str:
    """What a scenario asks of a fault: its rate and when, in words."""
    words = []
    if not fault.by_time:
        of = f"{fault.spec.counts} to {fault.dependency}" if fault.dependency else fault.spec.counts
        kinds = f" of {' and '.join(fault.kinds)}" if fault.kinds else ""
        words.append(f"{show_ratio(fault.rate)} of {of}{kinds}")
    if fault.windows:
        first = fault.windows[0]
        lasts_s = first.end_s - first.start_s
        lasting = f" for {show_duration(lasts_s)}" if tick(lasts_s) > AT_ONCE_S else ""
        words.append(f"at {show_duration(first.start_s)}{lasting}")
        if len(fault.windows) > 1:
            words.append(f"{len(fault.windows)} times")
    return ", ".join(words)
