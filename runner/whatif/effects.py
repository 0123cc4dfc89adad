"""What a variant of a scenario does to every SLI, from pairs of replications with the same seed.

Pairs are independent of each other, so that their differences have Student's interval, whatever the two of a pair have in common:
common random numbers (Law, Simulation Modeling and Analysis, 5th ed. 2015, sections 10.2 and 11.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soak.runner.compare.changes import direction_of
from soak.runner.compare.noise import gain, holm, interval, paired_t
from soak.runner.replications.replication import Replication
from soak.schemas.evidence.changes import Direction
from soak.schemas.evidence.whatif import Effect
from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import Sli
from soak.schemas.stream.block import Floats


@dataclass(frozen=True, slots=True)
class SliValues:
    """The values of one SLI, by replication; None where one observed nothing."""

    sli: Sli
    base: list[float | None]
    variant: list[float | None]

    @property
    def pairs(self) -> tuple[Floats, Floats]:
        """Those that both of a pair have."""
        both = [(b, v) for b, v in zip(self.base, self.variant, strict=True) if b is not None and v is not None]
        table = np.array(both, dtype=np.float64).reshape(-1, 2)
        return table[:, 0], table[:, 1]


def values_of(slis: Sequence[Sli], pairs: Sequence[tuple[Replication, Replication]]) -> list[SliValues]:
    """The values of each SLI."""
    return [
        SliValues(
            sli, [base.slis.get(sli.name) for base, _ in pairs], [variant.slis.get(sli.name) for _, variant in pairs]
        )
        for sli in slis
    ]


def effects(values: Sequence[SliValues], *, alpha: float, least: float, confidence: float) -> list[Effect]:
    """The effect on each SLI, tested over all of them together (Holm).

    SLIs that are the same in every pair could not come out significant, and do not count (Tarone, A modified Bonferroni
    method for discrete data, Biometrics 46, 1990).
    """
    ps = [paired_t(each.pairs[1] - each.pairs[0]) for each in values]
    counted = [None if p == 1.0 else p for p in ps]
    return [
        _effect(each, p, significant=significant, least=least, confidence=confidence)
        for each, p, significant in zip(values, ps, holm(counted, alpha), strict=True)
    ]


def _effect(values: SliValues, p: float | None, *, significant: bool, least: float, confidence: float) -> Effect:
    base, variant = values.pairs
    if not len(base):
        return _unknown(values)
    before, now = float(base.mean()), float(variant.mean())
    difference = float((variant - base).mean())
    relative = difference / abs(before) if before else None
    direction = Direction.UNTESTED
    if p is not None:
        direction = direction_of(difference, relative, values.sli.better, significant=significant, least=least)
    low, high = interval(variant - base, difference, confidence) or (None, None)
    unit = values.sli.unit
    return Effect(
        sli=values.sli.name,
        unit=unit.value,
        better=values.sli.better.value,
        pairs=len(base),
        base=before,
        variant=now,
        difference=difference,
        relative=relative,
        low=low,
        high=high,
        p=p,
        gain=gain(base, variant),
        direction=direction,
        detail=f"{unit.show(before)} before, {unit.show(now)} now, {_signed(unit, difference, low, high)}",
        base_values=values.base,
        variant_values=values.variant,
    )


def _signed(unit: Unit, difference: float, low: float | None, high: float | None) -> str:
    between = "" if low is None or high is None else f" ({unit.show_difference(low)} to {unit.show_difference(high)})"
    return f"{unit.show_difference(difference)}{between}"


def _unknown(values: SliValues) -> Effect:
    return Effect(
        sli=values.sli.name,
        unit=values.sli.unit.value,
        better=values.sli.better.value,
        pairs=0,
        base=None,
        variant=None,
        difference=None,
        relative=None,
        low=None,
        high=None,
        p=None,
        gain=None,
        direction=Direction.UNKNOWN,
        detail="nothing to compare",
        base_values=values.base,
        variant_values=values.variant,
    )
