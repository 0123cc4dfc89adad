"""What a variant of a scenario does to every SLI, from pairs of replications with the same seed.

Pairs are independent of each other, whatever the two of a pair have in common: common random numbers (Law, Simulation Modeling
and Analysis, 5th ed. 2015, sections 10.2 and 11.2). What is said rests on signs and ranks of their differences: `compare.signs`.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from soak.runner.compare.changes import direction_of
from soak.runner.compare.noise import LEAST_PAIRS, gain
from soak.runner.compare.signs import counts, family, median_interval, most_differing, pairs_needed, sign_p
from soak.runner.replications.replication import Replication
from soak.schemas.evidence.changes import Direction
from soak.schemas.evidence.whatif import Effect
from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import Sli
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_ratio


class SliValues(Struct, frozen=True):
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

    @property
    def differences(self) -> Floats:
        """Variant less base, of those pairs."""
        base, variant = self.pairs
        return variant - base


class Together(Struct, frozen=True):
    """How SLIs are judged: `level`, of each, so that anything false is said of any of them as rarely as `alpha`.

    `least`: the smallest relative change that matters; `needed`: pairs it takes for all that vary to come out significant.
    """

    alpha: float
    level: float
    least: float
    needed: int


class Finding(Struct, frozen=True):
    """What the differences of one SLI say: `note` says why there is no interval, empty where there is one."""

    direction: Direction
    interval: tuple[float, float] | None
    note: str


def values_of(slis: Sequence[Sli], pairs: Sequence[tuple[Replication, Replication]]) -> list[SliValues]:
    """The values of each SLI."""
    return [
        SliValues(
            sli, [base.slis.get(sli.name) for base, _ in pairs], [variant.slis.get(sli.name) for _, variant in pairs]
        )
        for sli in slis
    ]


def together_of(values: Sequence[SliValues], *, alpha: float, least: float, differing: int = 0) -> Together:
    """How to judge these SLIs, and beside them something else of which `differing` pairs differ."""
    counted = [int(np.count_nonzero(each.differences)) for each in values if len(each.differences) >= LEAST_PAIRS]
    level = alpha / family([*counted, differing], alpha)
    return Together(alpha, level, least, pairs_needed(sum(each > 0 for each in counted), alpha))


def effects(values: Sequence[SliValues], together: Together) -> list[Effect]:
    """The effect on each SLI: all tests and intervals together say anything false as rarely as `together.alpha`."""
    return [_effect(each, together) for each in values]


def _effect(values: SliValues, together: Together) -> Effect:
    base, variant = values.pairs
    if not len(base):
        return _unknown(values)
    differences = variant - base
    before, now = float(base.mean()), float(variant.mean())
    difference, median = float(differences.mean()), float(np.median(differences))
    relative = difference / abs(before) if before else None
    higher, lower = int((differences > 0).sum()), int((differences < 0).sum())
    found = _finding(values, differences, difference, relative, together)
    low, high = found.interval or (None, None)
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
        median=median,
        low=low,
        high=high,
        higher=higher,
        lower=lower,
        p=sign_p(higher, lower) if len(base) >= LEAST_PAIRS else None,
        gain=gain(base, variant),
        direction=found.direction,
        note=found.note,
        detail=f"{unit.show(before)} before, {unit.show(now)} now, {_shown(unit, difference, median, found)}",
        base_values=values.base,
        variant_values=values.variant,
    )


def _finding(
    values: SliValues, differences: Floats, difference: float, relative: float | None, together: Together
) -> Finding:
    count, higher, lower = len(differences), int((differences > 0).sum()), int((differences < 0).sum())
    differing = higher + lower
    if count < LEAST_PAIRS:
        return Finding(Direction.UNTESTED, None, f"no statement: {count} pairs are too few")
    if not differing:
        most = show_ratio(round(most_differing(count, 1 - together.alpha), 2))
        return Finding(Direction.UNCHANGED, None, f"the same in all {count} pairs: it differs in at most {most} of all")
    if not counts(differing, together.level):
        return Finding(Direction.UNTESTED, None, _why_not(count, differing, together))
    split = f"higher in {higher} of {count} pairs, lower in {lower}"
    significant = sign_p(higher, lower) <= together.level
    if significant and (higher > lower) != (difference > 0):
        return Finding(Direction.UNTESTED, None, f"no statement: {split}, but the mean goes the other way")
    direction = direction_of(difference, relative, values.sli.better, significant=significant, least=together.least)
    interval = median_interval(differences, together.level)
    if interval is None or interval[0] == interval[1] or (significant and interval[0] <= 0 <= interval[1]):
        return Finding(direction, None, split)
    return Finding(direction, interval, "")


def _why_not(count: int, differing: int, together: Together) -> str:
    if differing < count:
        return f"no statement: {count - differing} of {count} pairs do not differ (raise -n)"
    return f"no statement: {count} pairs are too few (-n {max(together.needed, count + 1)} or more)"


def _shown(unit: Unit, difference: float, median: float, found: Finding) -> str:
    """The difference of a typical pair with its interval; where there is none, that of the means, and why."""
    if found.interval is None:
        return f"{unit.show_difference(difference)}; {found.note}"
    low, high = map(unit.show_difference, found.interval)
    return f"typically {unit.show_difference(median)} ({low} to {high})"


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
        median=None,
        low=None,
        high=None,
        higher=0,
        lower=0,
        p=None,
        gain=None,
        direction=Direction.UNKNOWN,
        note="",
        detail="nothing to compare",
        base_values=values.base,
        variant_values=values.variant,
    )
