"""What is broken or not decided, a row each: observed, limit, since when, where it was worst, and the likely cause."""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct

from soak.reports.data import MINUTE_S, RunData
from soak.reports.look.table import AnyCell, Cell, Column, Table
from soak.reports.run_page.causes import Account, moment
from soak.reports.run_page.objective_charts import column_of
from soak.reports.summary import shown
from soak.schemas.evidence.verdict import ObjectiveResult, Status
from soak.schemas.language.expression import Op
from soak.schemas.units import show_ratio

_NONE = "none stands out in the evidence"


class Broken(Struct, frozen=True):
    """The table, what the causes cost (a sentence each), and the subjects of reasons that it says already."""

    table: Table
    costs: Sequence[str]
    subjects: frozenset[str]


def broken(run: RunData, accounts: Sequence[Account]) -> Broken:
    """Everything that keeps the run from a PASS and has a result of its own."""
    rows = [*_accounted(run, accounts), *_undecided(run)]
    columns = (
        Column("", status=True),
        Column("what", code=True),
        Column("observed", number=True),
        Column("limit", number=True),
        Column("since"),
        Column("worst"),
        Column("likely cause"),
    )
    # One fault may have broken several: it cost once.
    costs = {each.cost: each.cause for each in reversed(accounts) if each.cost}
    said = frozenset(str(row[1].text) for row in rows if isinstance(row[1], Cell))
    return Broken(
        Table(columns, rows, "What is broken or not decided"),
        [f"{cause}: {cost}" for cost, cause in costs.items()],
        said,
    )


def _accounted(run: RunData, accounts: Sequence[Account]) -> Iterator[list[AnyCell]]:
    objectives = {each.objective: each for each in run.verdict.objectives}
    for account in accounts:
        objective = objectives.get(account.what)
        observed, limit = _values(objective) if objective else ("", "")
        held = "held" if account.kind == "abort condition" else "FAIL"
        cause = account.cause or _NONE
        what = Cell(account.what, [account.kind] if not objective else _worth(objective))
        since = Cell(account.since, [account.clock] if account.clock else [])
        yield [held, what, observed, limit, since, account.worst, cause]


def _undecided(run: RunData) -> Iterator[list[AnyCell]]:
    """Objectives that are neither held nor broken, with what was seen of them."""
    for each in run.verdict.objectives:
        if each.status is not Status.INCONCLUSIVE:
            continue
        observed, limit = _values(each)
        beyond = _beyond(run, each)
        since, share = beyond or (None, 0.0)
        when = (
            ""
            if since is None
            else Cell(moment(since), [f"beyond its limit in {show_ratio(round(share, 3))} of the minutes"])
        )
        yield [
            each.status.value,
            Cell(each.objective, [each.detail] if each.detail else []),
            observed,
            limit,
            when,
            "",
            "",
        ]


def _beyond(run: RunData, objective: ObjectiveResult) -> tuple[float, float] | None:
    """From when on the minutes of an indicator were beyond its limit, and in which share of them; None where none is known."""
    column = None if objective.labels else column_of(run, objective.sli)
    if column is None or objective.limit is None:
        return None
    values = run.metrics.columns[column]
    known = np.isfinite(values)
    over = values > objective.limit if objective.op in {Op.LE.value, Op.LT.value} else values < objective.limit
    if objective.op not in {Op.LE.value, Op.LT.value, Op.GE.value, Op.GT.value} or not (over & known).any():
        return None
    first = int(np.flatnonzero(over & known)[0])
    return float(run.metrics.t_s[first]) - MINUTE_S, float((over & known).sum() / known.sum())


def _values(objective: ObjectiveResult) -> tuple[str, str]:
    observed = "nothing" if objective.value is None else shown(objective.value, objective.unit, objective.target)
    return observed, shown(objective.target, objective.unit)


def _worth(objective: ObjectiveResult) -> list[str]:
    """Whether the observations carry the result."""
    return ["by the observed value alone: too few independent observations for an interval"] if objective.thin else []
