"""The system `gateway` in reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from soak.reports.data import RunData
from soak.reports.gateway.data import comparison_of, latency_of
from soak.reports.gateway.kinds import KindLine, kind_rows
from soak.reports.gateway.plots import tenants_latency, tenants_throughput
from soak.reports.gateway.reasons import reasons_of
from soak.reports.gateway.tenants import TenantLine, fairness, notes, rows
from soak.reports.plots.canvas import BLUE, GREEN, ORANGE, PURPLE, RED
from soak.reports.plots.panels import Line, Over, Panel
from soak.reports.room import Inline, Room
from soak.reports.summary import render_template

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
    text = render_template(
        _HERE / "tenants.html.j2",
        run,
        escaped=True,
        tables=_tables(run),
        reasons=reasons_of(run),
        latency=inline(_LATENCY),
        throughput=inline(_THROUGHPUT),
    )
    return Markup(text)


@dataclass(frozen=True, slots=True)
class _Tables:
    """Requests by kind of work, and tenants by phase with what is said of them."""

    kinds: Sequence[KindLine]
    rows: Sequence[TenantLine] = ()
    notes: str = ""
    fairness: str = ""


def _tables(run: RunData) -> _Tables:
    kinds, report = kind_rows(latency_of(run)), comparison_of(run)
    return _Tables(kinds, rows(report), notes(report), fairness(report)) if report else _Tables(kinds)


ROOM = Room(
    plots={_LATENCY: tenants_latency, _THROUGHPUT: tenants_throughput},
    panels=_PANELS,
    panels_of=_load,
    summary=_summary,
    page=_page,
)
