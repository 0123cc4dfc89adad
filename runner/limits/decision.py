"""Is PASS likely enough at one point? Decided by a sequential test, so that clear points take few replications."""

import math
from dataclasses import dataclass, field
from enum import Enum

from msgspec import Struct

ODDS = 2.0
"""The zone of indifference: odds of PASS from half to twice those of the wanted probability (95 %: from 90.5 % to 97.4 %)."""
ERROR = 0.025
"""How likely each decision of the test is wrong, at most, for a point outside the zone of indifference."""
_FEWEST = 3
"""Replications at a point before the search moves on."""
_LEANING = 2.0
"""A likelihood ratio that is enough for screening, but not to say where the limit is."""


class Care(Enum):
    """How sure to be before the search moves on: SCREEN to know where to look next, DECIDE for what the answer depends on."""

    SCREEN = "screen"
    DECIDE = "decide"


class Tally(Struct, frozen=True):
    """Replications at one point, and how many of them gave PASS."""

    passes: int = 0
    total: int = 0

    def plus(self, passed: bool) -> "Tally":
        """With one more."""
        return Tally(self.passes + passed, self.total + 1)


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """Wald's sequential probability ratio test of P(PASS) >= `high` against P(PASS) <= `low`.

    Wald (1945), Sequential Tests of Statistical Hypotheses, Annals of Mathematical Statistics 16. The bounds are 1/ERROR and
    ERROR: where P(PASS) <= `low` the likelihood ratio is a martingale at most, which ever reaches 1/ERROR with a probability
    of at most ERROR (Ville 1939), however often one looks; so a point may be left and come back to. The same holds the other
    way round. After `most` replications the share decides.
    """

    probability: float
    most: int
    low: float = field(init=False)
    high: float = field(init=False)

    def __post_init__(self) -> None:
        odds = self.probability / (1 - self.probability)
        object.__setattr__(self, "low", odds / ODDS / (1 + odds / ODDS))
        object.__setattr__(self, "high", odds * ODDS / (1 + odds * ODDS))

    def evidence(self, tally: Tally) -> float:
        """The logarithm of the likelihood ratio: above zero it speaks for PASS being likely enough."""
        failures = tally.total - tally.passes
        return tally.passes * math.log(self.high / self.low) + failures * math.log((1 - self.high) / (1 - self.low))

    def passes(self, tally: Tally) -> bool:
        """Whether the tally is evidence for PASS being likely enough, however weak."""
        if tally.total >= self.most and not self.proven(tally):
            return tally.passes >= self.probability * tally.total
        return self.evidence(tally) > 0

    def proven(self, tally: Tally) -> bool:
        """Whether the test has decided."""
        return abs(self.evidence(tally)) >= -math.log(ERROR)

    def enough(self, tally: Tally, care: Care) -> bool:
        """Whether no more replications are needed."""
        if tally.total >= self.most or self.proven(tally):
            return True
        return care is Care.SCREEN and tally.total >= _FEWEST and abs(self.evidence(tally)) >= math.log(_LEANING)
