"""What changed between two runs, and whether anything became worse."""

import re
from collections.abc import Sequence

from runner.compare.noise import holm, probability
from runner.compare.pairing import Pairing
from schemas.changes import SCHEMA_VERSION, Baseline, Change, Changes, Direction, RelativeResult
from schemas.errors import UsageError, quoted
from schemas.expression import Op, Unit
from schemas.shape import did_you_mean
from schemas.slis import Better
from schemas.units import show_duration
from schemas.verdict import Status

_RELATIVE = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)x(?:\s+baseline)?\s*")
_NO_EFFECT = 1e-12


def compare(
    base: Baseline,
    run: Baseline,
    *,
    alpha: float,
    least: float,
    objectives: Sequence[str],
    pairing: Pairing | None = None,
) -> Changes:
    """Compare a run with a base; `pairing`: of their tasks, if they were. Raises UsageError for an objective that is none."""
    pairing = pairing or Pairing(None, None, "")
    same_plan = base.scenario_sha256 == run.scenario_sha256 and base.seed == run.seed
    paired = same_plan or (pairing.tasks is not None and base.duration_s == run.duration_s)
    names = [name for name in run.slis if name in base.slis and run.slis[name].unit == base.slis[name].unit]
    if not any(base.slis[name].value is not None for name in names):
        raise UsageError("the runs have no SLI in common that both observed: there is nothing to compare")
    ps = [_p(base, run, name, paired=paired) for name in names]
    changes = [
        _change(name, base, run, p, significant=significant, least=least)
        for name, p, significant in zip(names, ps, holm(ps, alpha), strict=True)
    ]
    relative = [_relative(text, base, run) for text in objectives]
    reasons = [f"{each.sli} is worse: {each.detail}" for each in changes if each.direction is Direction.WORSE]
    broken = [each for each in relative if each.status is not Status.PASS]
    reasons += [f"objective {each.objective} {_WORDS[each.status]}" for each in broken]
    if run.verdict.exit_code and not base.verdict.exit_code:
        reasons.append(f"the verdict is {run.verdict.value}, and was {base.verdict.value}")
    return Changes(
        schema_version=SCHEMA_VERSION,
        base=base,
        run=run,
        paired=paired,
        unpaired=pairing.refused,
        alpha=alpha,
        least=least,
        regressed=bool(reasons),
        reasons=reasons,
        changes=changes,
        objectives=relative,
        tasks=pairing.tasks,
    )


def differences(base: Baseline, run: Baseline) -> list[str]:
    """What is not the same about two runs, so that changes may be due to it, in words."""
    pairs = [
        ("scenario", base.scenario, run.scenario),
        ("target", base.target, run.target),
        ("speed", f"{base.speed:g}", f"{run.speed:g}"),
        ("duration", show_duration(round(base.duration_s)), show_duration(round(run.duration_s))),
    ]
    found = [f"{name} {before} and {now}" for name, before, now in pairs if before != now]
    if base.scenario_sha256 != run.scenario_sha256 and base.scenario == run.scenario:
        found.append("what the scenario says")
    return found


_WORDS = {Status.FAIL: "is broken", Status.INCONCLUSIVE: "cannot be judged: nothing was observed"}


def _p(base: Baseline, run: Baseline, name: str, *, paired: bool) -> float | None:
    one, other = base.slis[name].slices, run.slis[name].slices
    return probability(one, other, paired=paired) if len(one) == len(other) and one else None


def _change(name: str, base: Baseline, run: Baseline, p: float | None, *, significant: bool, least: float) -> Change:
    before, after = base.slis[name].value, run.slis[name].value
    unit = Unit(run.slis[name].unit)
    if before is None or after is None:
        return Change(name, unit.value, before, after, None, None, p, Direction.UNKNOWN, "nothing to compare")
    difference = after - before
    relative = difference / abs(before) if before else None
    matters = abs(difference) > _NO_EFFECT and (relative is None or abs(relative) >= least)
    direction = Direction.UNTESTED if p is None else Direction.UNCHANGED
    if significant and matters:
        improved = (difference > 0) == (run.slis[name].better == Better.HIGHER)
        direction = Direction.BETTER if improved else Direction.WORSE
    shown = f"{unit.show(before)} before, {unit.show(after)} now"
    why = "" if p is None else f" (p = {p:.2g})"
    return Change(name, unit.value, before, after, difference, relative, p, direction, shown + why)


def _relative(text: str, base: Baseline, run: Baseline) -> RelativeResult:
    match = _RELATIVE.fullmatch(text)
    if not match:
        remedy = "write <sli> <op> <factor>x baseline, such as latency_p95 <= 1.1x baseline"
        raise UsageError(f"{quoted(text)} is no relative objective ({remedy})")
    name, op, factor = match[1], Op(match[2]), float(match[3])
    if name not in run.slis or name not in base.slis:
        raise UsageError(f"no SLI {name!r} ({did_you_mean(name, [each for each in run.slis if each in base.slis])})")
    value, before = run.slis[name].value, base.slis[name].value
    shown = f"{name} {op.value} {factor:g}x baseline"
    if value is None or before is None:
        return RelativeResult(shown, value, None, Status.INCONCLUSIVE)
    status = Status.PASS if op.holds(value, factor * before) else Status.FAIL
    return RelativeResult(shown, value, factor * before, status)
