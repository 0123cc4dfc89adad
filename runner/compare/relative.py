"""Objectives relative to a base, such as `latency_p95 <= 1.1x baseline`."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from soak.schemas.errors import UsageError, quoted
from soak.schemas.evidence.changes import RelativeResult
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.expression import Op
from soak.schemas.language.shape import did_you_mean

_RELATIVE = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)x(?:\s+baseline)?\s*")
WORDS = {Status.FAIL: "is broken", Status.INCONCLUSIVE: "cannot be judged: nothing was observed"}
"""What is said of an objective that does not hold."""


@dataclass(frozen=True, slots=True)
class Relative:
    """What must hold of an SLI, relative to what it is in the base."""

    sli: str
    op: Op
    factor: float

    def __str__(self) -> str:
        return f"{self.sli} {self.op.value} {self.factor:g}x baseline"

    def judge(self, base: float | None, run: float | None) -> RelativeResult:
        """Whether it holds for these values of its SLI."""
        if run is None or base is None:
            return RelativeResult(str(self), run, None, Status.INCONCLUSIVE, self.sli)
        status = Status.PASS if self.op.holds(run, self.factor * base) else Status.FAIL
        return RelativeResult(str(self), run, self.factor * base, status, self.sli)


def parse_relative(text: str, slis: Collection[str]) -> Relative:
    """The objective that `text` is, of one of the SLIs that both sides have. Raises UsageError."""
    match = _RELATIVE.fullmatch(text)
    if not match:
        remedy = "write <sli> <op> <factor>x baseline, such as latency_p95 <= 1.1x baseline"
        raise UsageError(f"{quoted(text)} is no relative objective ({remedy})")
    if match[1] not in slis:
        raise UsageError(f"no SLI {match[1]!r} ({did_you_mean(match[1], list(slis))})")
    return Relative(match[1], Op(match[2]), float(match[3]))
