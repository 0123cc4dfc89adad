"""How much of what an objective allows is used up, as a number and as a bar of characters."""

from soak.schemas.evidence.verdict import ObjectiveResult
from soak.schemas.language.expression import Unit

CELLS, BEYOND = 10, 3
"""Cells up to the limit, and cells beyond it."""

_AT_MOST = 9.99


def used(objective: ObjectiveResult) -> float | None:
    """The share of what is allowed that is used: 1 at the limit, more beyond it; None where it means nothing.

    For an upper limit T and a value v this is `v / T`. Of proportions that must not fall below T it is the share of their
    opposite that is used, `(1 - v) / (1 - T)`, which is 1 minus the error budget that is left; of other lower limits, `T / v`.
    Where nothing is allowed (`== 0`, `== 100%`), it is 0 or 1 and more.

    Source of the error budget: B. Beyer et al., The Site Reliability Workbook, 2018, chapter 2.
    """
    value, limit, op = objective.value, objective.target, objective.op
    if value is None or limit is None or op not in {"<", "<=", ">", ">=", "=="}:
        return None
    if Unit(objective.unit) is Unit.RATIO and (op.startswith(">") or (op == "==" and limit == 1)):
        return _of(1.0 - value, 1.0 - limit)
    if op == "==" and limit != 0:
        return 0.0 if value == limit else _AT_MOST
    return _of(limit, value) if op.startswith(">") else _of(value, limit)


def _of(part: float, whole: float) -> float | None:
    if whole < 0:
        return None
    if part <= 0:
        return 0.0
    return min(part / whole, _AT_MOST) if whole > 0 else _AT_MOST


def margin_bar(share: float, *, full: str = "█", empty: str = "·") -> str:
    """A bar such as `[███████···|···]`: what is used of what is allowed, up to the limit `|` and beyond it."""
    cells = share * CELLS
    # Only an objective that is beyond its limit has a cell there, and then at least one.
    below = min(CELLS, max(round(cells), 1 if share > 0 else 0))
    above = min(BEYOND, max(round(cells) - CELLS, 1)) if share > 1 else 0
    return f"[{full * below}{empty * (CELLS - below)}|{full * above}{empty * (BEYOND - above)}]"


def share_words(share: float) -> str:
    """The share for people: `68%`, `over 999%`."""
    percent = share * 100
    if share >= _AT_MOST:
        return ">999%"
    return "<1%" if 0 < percent < 1 else f"{percent:.0f}%"
