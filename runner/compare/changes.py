"""What changed between two runs, and whether anything became worse."""

import re
from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct

from soak.runner.compare.baseline import Side
from soak.runner.compare.dependence import LEAST_EFFECTIVE, Tested, hold_against, hold_apart
from soak.runner.compare.noise import holm
from soak.runner.compare.pairing import Pairing
from soak.runner.parity.source import different_keys
from soak.schemas.errors import UsageError, quoted
from soak.schemas.evidence.changes import SCHEMA_VERSION, Baseline, Changes, Direction, RelativeResult, SliChange
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.expression import SLI_NAME, Op, Unit
from soak.schemas.language.shape import did_you_mean
from soak.schemas.language.slis import Better
from soak.schemas.stream.identity import target_now
from soak.schemas.units import show_duration

MOST_TOLD = 5
_NO_EFFECT = 1e-12
_RELATIVE = re.compile(rf"\s*({SLI_NAME})\s*(<=|>=|<|>)\s*" + r"([0-9]{1,6}(?:\.[0-9]{1,6})?)x(?:\s+baseline)?\s*")
WORDS = {Status.FAIL: "is broken", Status.INCONCLUSIVE: "cannot be judged: nothing was observed"}
"""What is said of an objective that does not hold."""


def compare(
    base: Baseline,
    run: Baseline,
    *,
    alpha: float,
    least: float,
    objectives: Sequence[str],
    pairing: Pairing | None = None,
    different: Sequence[str] = (),
) -> Changes:
    """Compare a run with a base; `pairing`: of their tasks; `different`: how they are not like for like.

    Raises UsageError for text that is not an objective.
    """
    pairing = pairing or Pairing(None, None, "")
    same_plan = base.scenario_sha256 == run.scenario_sha256 and base.seed == run.seed
    paired = same_plan or (pairing.tasks is not None and base.duration_s == run.duration_s)
    names = [name for name in run.slis if name in base.slis and run.slis[name].unit == base.slis[name].unit]
    if not any(base.slis[name].value is not None for name in names):
        raise UsageError("the runs have no SLI in common that both observed: there is nothing to compare")
    changes = _changes(names, base, run, alpha=alpha, least=least)
    relative = list(_relative(objectives, base, run))
    reasons = list(_reasons(changes, relative, base, run))
    return Changes(
        schema_version=SCHEMA_VERSION,
        base=base,
        run=run,
        paired=paired,
        unpaired=pairing.refused,
        different=list(different),
        alpha=alpha,
        least=least,
        regressed=bool(reasons),
        reasons=reasons,
        changes=changes,
        objectives=relative,
        tasks=pairing.tasks,
    )


def _changes(names: Sequence[str], base: Baseline, run: Baseline, *, alpha: float, least: float) -> list[SliChange]:
    tests = [_tested(base, run, name) for name in names]
    return [
        _change(name, base, run, tested, significant=significant, least=least)
        for name, tested, significant in zip(
            names, tests, holm([None if each.p == 1.0 else each.p for each in tests], alpha), strict=True
        )
    ]


def _relative(objectives: Sequence[str], base: Baseline, run: Baseline) -> Iterator[RelativeResult]:
    both = [name for name in run.slis if name in base.slis]
    for each in [parse_relative(text, both) for text in objectives]:
        yield each.judge(base.slis[each.sli].value, run.slis[each.sli].value)


def _reasons(
    changes: Sequence[SliChange], relative: Sequence[RelativeResult], base: Baseline, run: Baseline
) -> Iterator[str]:
    """What became worse, in words."""
    for change in changes:
        if change.direction is Direction.WORSE:
            yield f"{change.sli} is worse: {change.detail}"
    for each in relative:
        if each.status is not Status.PASS:
            yield f"objective {each.objective} {WORDS[each.status]}"
    if run.verdict.exit_code and not base.verdict.exit_code:
        yield f"the verdict is {run.verdict.value}, and was {base.verdict.value}"


def differences(one: Side, other: Side) -> list[str]:
    """How two runs are not like for like, in words."""
    base, run = one.baseline, other.baseline
    pairs = [
        ("scenario", base.scenario, run.scenario),
        ("target", target_now(base.target), target_now(run.target)),
        ("speed", f"{base.speed:g}", f"{run.speed:g}"),
        ("duration", show_duration(round(base.duration_s)), show_duration(round(run.duration_s))),
        ("judged by", one.release or "this release", other.release or "this release"),
    ]
    found = [f"{name} {before} and {now}" for name, before, now in pairs if before != now]
    if base.scenario_sha256 != run.scenario_sha256 and base.scenario == run.scenario:
        keys = [] if one.said is None or other.said is None else list(different_keys(one.said, other.said))
        more = [f"{len(keys) - MOST_TOLD} more"] if len(keys) > MOST_TOLD else []
        only_seed = one.said is not None and other.said is not None and not keys
        found += [*keys[:MOST_TOLD], *more] or ([] if only_seed else ["what the scenario says"])
    return found


def _tested(base: Baseline, run: Baseline, name: str) -> Tested:
    """Parts at the same place of two runs have the same bursts and phases behind them, and are held against each other."""
    one, other = base.slis[name].slices, run.slis[name].slices
    same_places = base.part_length_s == run.part_length_s and base.duration_s == run.duration_s
    return (hold_against if same_places and len(one) == len(other) else hold_apart)(one, other)


def _change(name: str, base: Baseline, run: Baseline, tested: Tested, *, significant: bool, least: float) -> SliChange:
    before, after = base.slis[name].value, run.slis[name].value
    unit = Unit(run.slis[name].unit)
    p, worth = tested.p, tested.effective
    if before is None or after is None:
        return SliChange(name, unit.value, before, after, None, None, p, Direction.UNKNOWN, "nothing to compare", worth)
    difference = after - before
    relative = difference / abs(before) if before else None
    direction = Direction.UNTESTED
    if p is not None:
        # The parts are tested: what they say holds for the whole run only if that changed the same way.
        significant = significant and (tested.mean or 0.0) * difference > 0
        better = Better(run.slis[name].better)
        direction = direction_of(difference, relative, better, significant=significant, least=least)
    detail = f"{unit.show(before)} before, {unit.show(after)} now{_how_sure(tested)}"
    return SliChange(name, unit.value, before, after, difference, relative, p, direction, detail, worth)


def _how_sure(tested: Tested) -> str:
    if tested.p is not None:
        return f" (p = {tested.p:.2g})"
    if tested.effective is None:
        return ""
    return (
        f" (untested: parts depend on each other, and are worth {tested.effective:.1f} of at least {LEAST_EFFECTIVE:g})"
    )


def direction_of(
    difference: float, relative: float | None, better: Better, *, significant: bool, least: float
) -> Direction:
    """What a tested difference means; `relative`: over the base, None where that is 0."""
    matters = abs(difference) > _NO_EFFECT and (relative is None or abs(relative) >= least)
    if not (significant and matters):
        return Direction.UNCHANGED
    return Direction.BETTER if (difference > 0) == (better is Better.HIGHER) else Direction.WORSE


# Objectives relative to a base, such as `latency_p95 <= 1.1x baseline`.


class Relative(Struct, frozen=True):
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
        raise UsageError(f"{quoted(text)} is not a relative objective ({remedy})")
    if match[1] not in slis:
        raise UsageError(f"no SLI {match[1]!r} ({did_you_mean(match[1], list(slis))})")
    return Relative(match[1], Op(match[2]), float(match[3]))
