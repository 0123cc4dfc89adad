"""The system `gateway` in reports."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from msgspec import Struct

from soak.reports.data import RunData
from soak.reports.gateway.charts import left_out, small_charts
from soak.reports.gateway.data import comparison_of, latency_of
from soak.reports.gateway.kinds import KindLine, kind_rows
from soak.reports.gateway.plots import tenants_latency, tenants_throughput
from soak.reports.gateway.reasons import Reasons, reasons_of
from soak.reports.gateway.tenants import TenantLine, fairness, notes, rows
from soak.reports.look.table import Column, Table
from soak.reports.plots.canvas import BLUE, GREEN, ORANGE, PURPLE, RED
from soak.reports.plots.panels import Line, Over, Panel
from soak.reports.room import Inline, Room
from soak.reports.summary import render_template
from soak.schemas.units import show_duration

_HERE = Path(__file__).parent
_LATENCY, _THROUGHPUT = "tenants_latency.svg", "tenants_throughput.svg"

_PANELS = (
    Panel(
        "Requests",
        "requests per minute",
        (Line("sent", BLUE, ("requests",)), Line("failed", RED, ("failed",))),
        height=2,
    ),
    Panel(
        "Requests in flight",
        "requests",
        (
            Line("peak in flight", PURPLE, ("in_flight_max",), Over.PEAK, filled=True),
            Line("mean in flight", GREEN, ("in_flight",), Over.MEAN),
        ),
    ),
)
_LOAD = (
    Panel("CPU of the load generator", "cores, peak", (Line("busiest process", ORANGE, ("load_cpu",), Over.PEAK),)),
    Panel("Lag of the load generator", "seconds, peak", (Line("latest request", RED, ("load_lag_s",), Over.PEAK),)),
)


def _load(run: RunData) -> Sequence[Panel]:
    """How busy and how late what made the load was; nothing of a simulation."""
    return [panel for panel in _LOAD if np.nansum(run.metrics.get(panel.lines[0].columns[0])) > 0]


def _summary(run: RunData) -> str:
    return render_template(_HERE / "tenants.md.j2", run, tables=_tables(run), reasons=reasons_of(run))


def _page(run: RunData, inline: Inline) -> Markup:
    if comparison_of(run) is None:
        return Markup()
    found, reasons = _tables(run), reasons_of(run)
    text = render_template(
        _HERE / "tenants.html.j2",
        run,
        escaped=True,
        tables=found,
        reasons=reasons,
        page_tables=_PageTables(_kinds(found), _phases(found), _reasons(reasons)),
    )
    return Markup(text)


class _Tables(Struct, frozen=True):
    """Requests by kind of work, and tenants by phase with what is said of them."""

    kinds: Sequence[KindLine]
    rows: Sequence[TenantLine] = ()
    notes: str = ""
    fairness: str = ""


def _tables(run: RunData) -> _Tables:
    kinds, report = kind_rows(latency_of(run)), comparison_of(run)
    return _Tables(kinds, rows(report), notes(report), fairness(report)) if report else _Tables(kinds)


class _PageTables(Struct, frozen=True):
    kinds: Table
    rows: Table
    reasons: Table


_QUANTILES = tuple(Column(each, number=True) for each in ("p50", "p95", "p99"))


def _kinds(found: _Tables) -> Table:
    columns = (
        Column("kind"),
        Column("requests", number=True),
        Column("success", number=True),
        Column("errors"),
        *_QUANTILES,
    )
    rows = [[r.kind, r.requests, r.success, r.errors, r.p50, r.p95, r.p99] for r in found.kinds]
    return Table(columns, rows, "Requests by kind")


def _phases(found: _Tables) -> Table:
    figures = [Column(each, number=True) for each in ("requests", "success", "offered", "achieved")]
    columns = (Column("phase"), Column("tenant"), *figures, *_QUANTILES, Column("slowdown", number=True))
    rows = [
        [r.phase, r.tenant, r.requests, r.success, r.offered, r.achieved, r.p50, r.p95, r.p99, r.slowdown]
        for r in found.rows
    ]
    return Table(columns, rows, "Tenants by phase")


def _reasons(found: Reasons | None) -> Table:
    columns = (
        Column("error"),
        Column("reason", wide=True),
        Column("listed", number=True),
        Column("first at", number=True),
        Column("request"),
    )
    shown = found.shown if found else []
    rows = [[r.error, r.reason, f"{r.count:,}", show_duration(r.first_s), r.task] for r in shown]
    return Table(columns, rows, "Requests that failed")


ROOM = Room(
    plots={_LATENCY: tenants_latency, _THROUGHPUT: tenants_throughput},
    panels=_PANELS,
    panels_of=_load,
    summary=_summary,
    page=_page,
    small=small_charts,
    small_note=lambda run: left_out(latency_of(run)),
)
