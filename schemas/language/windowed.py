"""Objectives in windows of the run, and their warning levels: what can be asked, and how it reads."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from soak.schemas import units
from soak.schemas.errors import quoted
from soak.schemas.language.comparison import (
    STRICT_CONFIDENCE,
    Context,
    is_known_at_the_end,
    may_be_excluded,
    objectives,
)
from soak.schemas.language.conditions import Comparison, Objective
from soak.schemas.language.expression import AT_LEAST, AT_MOST, Op, UnclearError, parse_expression
from soak.schemas.language.slis import Aggregate

_RANKED = frozenset({Aggregate.QUANTILE, Aggregate.MAX, Aggregate.GAUGE})
_WARN = re.compile(r"\s*(<=|>=|<|>)\s*\S.*")


def objectives_of(entry: Mapping[str, Any], context: Context, number: int, *, strict: bool) -> Iterator[Objective]:
    """The objectives of an entry of `slos:`, the `number`-th. Raises UnclearError."""
    own = units.ratio(entry["confidence"]) if "confidence" in entry else None
    window_s = units.duration(entry["window"]) if "window" in entry else None
    share = units.ratio(entry["in"]) if "in" in entry else None
    plain = list(objectives(entry["objective"], context))
    warn = warning_levels(entry["warn"], entry["objective"], context) if "warn" in entry else [None] * len(plain)
    for each, stricter in zip(plain, warn, strict=True):
        comparison = in_windows(each, window_s, share) if window_s is not None else each
        has_interval = may_be_excluded(each) if window_s is None else share is not None and 0 < share < 1
        confidence = STRICT_CONFIDENCE if strict and own is None and has_interval else own
        yield Objective(
            comparison,
            entry.get("min_samples", 1),
            confidence,
            entry.get("note", ""),
            number,
            window_s,
            share,
            stricter,
            only_real=entry.get("only") == "real" or each.sli.only_real,
        )


def in_windows(comparison: Comparison, window_s: float, share: float | None) -> Comparison:
    """The same comparison, whose text says in which windows it must hold. Raises UnclearError where there are none."""
    sli, op = comparison.sli, comparison.op
    if is_known_at_the_end(sli) or comparison.is_quotient or sli.aggregate is Aggregate.LONGEST:
        raise UnclearError(f"{sli.name} has no windows", "remove window")
    if not isinstance(comparison.target, float):
        raise UnclearError("a relative target has no windows", "write a fixed target, or remove window")
    if op is Op.ABOUT or (op in {Op.EQ, Op.NE} and sli.aggregate in _RANKED):
        raise UnclearError(f"{op.value} has no windows", "compare with <= or >=")
    windows = f"windows of {units.write_duration(window_s)}"
    where = (
        f"in every {units.write_duration(window_s)}" if share is None else f"in {units.show_ratio(share)} of {windows}"
    )
    return replace(comparison, text=f"{comparison.text} {where}")


def warning_levels(warn: str, objective: str, context: Context) -> list[Comparison]:
    """The warning level of each comparison of an objective. Raises UnclearError for one that is none."""
    if not _WARN.fullmatch(warn):
        raise UnclearError(f"{quoted(warn)} is not a warning level", "write a comparison such as <= 1s")
    expression = parse_expression(objective)
    labels = ", ".join(f"{label}={value}" for label, value in expression.selector)
    levels = list(objectives(f"{expression.sli}{f'{{{labels}}}' if labels else ''} {warn}", context))
    for level, comparison in zip(levels, objectives(objective, context), strict=True):
        _check_level(level, comparison)
    return levels


def _check_level(level: Comparison, comparison: Comparison) -> None:
    side = next((ops for ops in (AT_MOST, AT_LEAST) if comparison.op in ops), None)
    if side is None:
        raise UnclearError(f"{comparison.op.value} has no warning level", "remove warn, or compare with <= or >=")
    if level.op not in side:
        what = f"{level.op.value} looks to the other side than {comparison.op.value}"
        raise UnclearError(what, f"write {comparison.op.value} and a stricter target")
    if isinstance(level.target, float) and isinstance(comparison.target, float):
        apart = (comparison.target - level.target) * (1 if side is AT_MOST else -1)
        if apart <= 0:
            shown = comparison.sli.unit.show(comparison.target)
            raise UnclearError(f"is not stricter than {comparison.op.value} {shown}", "write a stricter target")
