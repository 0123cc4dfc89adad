"""`soak plan`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner.cli.options import all_settings, json_option, override_options, scenario_argument
from soak.runner.console import hand_over, remark

if TYPE_CHECKING:
    from soak.schemas.evidence.false_alarms import FalseAlarm
    from soak.simulation.plan import Plan
    from soak.simulation.room import Forecast, Picture, Room

_BLOCKS = " ▁▂▃▄▅▆▇█"
_HEIGHT = 4


@click.command("plan")
@scenario_argument
@override_options
@json_option
@click.option(
    "--plot",
    metavar="FILE.svg",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also draw the planned load as SVG.",
)
def command(
    scenario: Path,
    seed: int | None,
    duration: str | None,
    settings: tuple[str, ...],
    overlays: tuple[Path, ...],
    tier: str | None,
    as_json: bool,
    plot: Path | None,
) -> int:
    """Show what a scenario will do, without running it: counts, expected load on the workers, arrival rate over time.

    Also how often its abort conditions and alerts would hold by chance in a system that is exactly at its objectives.

    \b
    Example:
      soak plan scenarios/72h.yaml --set queue.workers=2
      soak plan scenarios/72h.yaml --plot load.svg
    """
    from soak.runner.cautions import cautions
    from soak.runner.evidence.directory import write_whole
    from soak.schemas.language.load import load
    from soak.simulation.alarm_remedies import false_alarms
    from soak.simulation.plan import Plan
    from soak.simulation.room import room_of

    loaded = load(scenario, tier=tier, overlays=overlays, settings=all_settings(settings, duration, seed))
    warnings, plan = tuple(map(str, cautions(loaded))), Plan(loaded.scenario)
    room = room_of(plan.scenario.system)
    figures: Forecast = room.forecast(plan)
    alarms = false_alarms(plan.scenario)
    if plot:
        write_whole(plot, _plotted(plan, room, figures))
    if as_json:
        hand_over(_as_json(plan, figures, alarms, warnings))
    else:
        hand_over("\n".join(_lines(plan, room, figures, alarms)))
        for warning in warnings:
            remark(f"warning: {warning}")
    return 0


_BINS = 360


def _drawn(plan: "Plan", pictures: "Sequence[Picture]") -> bytes:
    """The planned load as a picture; of the others those of numbers below it."""
    import numpy as np

    from soak.reports.plots.planned_load import Level, PlannedLoad, plot
    from soak.schemas.stream.events import COPY
    from soak.simulation.room import Counts

    edges_s = np.linspace(0.0, plan.scenario.duration_s, _BINS + 1)
    counts = np.zeros(_BINS)
    for chunk in plan.submissions():
        counts += np.histogram(chunk.due_s[chunk.number & COPY == 0], edges_s)[0]
    turns_s = np.array(plan.rate.edges(plan.scenario.duration_s))
    # Just before and after each turn, so that steps are drawn upright.
    t_s = np.unique(np.concatenate([turns_s, np.nextafter(turns_s[1:], 0.0), edges_s[:-1]]))
    t_s = t_s[t_s < plan.scenario.duration_s]
    drawn_per_s = counts / (edges_s[1] - edges_s[0])
    levels = [Level(values, title) for values, _, title in pictures if isinstance(values, Counts)]
    return plot(plan.scenario, PlannedLoad(t_s, plan.rate.at(t_s), edges_s, drawn_per_s, levels))


def _plotted(plan: "Plan", room: "Room", figures: "Forecast") -> bytes:
    """The planned load as a picture, or the planned number of users."""
    from soak.reports.plots import planned_users

    if plan.users:
        return planned_users.plot(plan.scenario)
    return _drawn(plan.again(), list(room.pictures(plan.scenario, figures)))


def _as_json(plan: "Plan", figures: "Forecast", alarms: "list[FalseAlarm]", warnings: tuple[str, ...]) -> str:
    import json

    from msgspec import to_builtins

    from soak.reports.traces import trace_values

    shown = to_builtins(figures, enc_hook=lambda array: array.tolist())
    shown |= trace_values(plan.scenario.workload.trace)
    shown["false_alarms"] = to_builtins(alarms)
    shown["warnings"] = [*figures.warnings, *warnings]
    return json.dumps({"scenario": plan.scenario.name, "seed": plan.seed, **shown}, indent=2)


def _lines(plan: "Plan", room: "Room", figures: "Forecast", alarms: "list[FalseAlarm]") -> list[str]:
    from soak.reports.false_alarms import false_alarm_lines
    from soak.reports.traces import trace_lines
    from soak.schemas.units import show_duration

    scenario = plan.scenario
    arrivals, drain = show_duration(scenario.duration_s), show_duration(scenario.drain_s)
    pictures = [
        (
            figures.rate_per_s.tolist(),
            scenario.duration_s,
            "expected throughput" if plan.users else "arrivals as drawn",
        ),
        *room.pictures(scenario, figures),
    ]
    return [
        f"{scenario.name}: {scenario.title}".rstrip(": "),
        f"  {arrivals} of {'work' if plan.users else 'arrivals'}, up to {drain} to drain, seed {plan.seed}",
        *trace_lines(scenario.workload.trace),
        "",
        *room.figures(scenario, figures),
        "",
        *(line for picture in pictures for line in _picture(*picture)),
        *([""] if alarms else []),
        *false_alarm_lines(alarms),
        *(f"warning: {warning}" for warning in figures.warnings),
    ]


def _picture(rates: Sequence[float], span_s: float, words: str) -> list[str]:
    """A rate over time, as a small bar chart."""
    from soak.schemas.units import show_duration, show_rate
    from soak.simulation.room import Counts

    highest = max(*rates, 1e-12)
    levels = [round(value / highest * _HEIGHT * 8) for value in rates]
    rows = []
    for row in range(_HEIGHT - 1, -1, -1):
        bar = "".join(_BLOCKS[min(8, max(0, level - row * 8))] for level in levels)
        shown = f"{highest:.4g}" if isinstance(rates, Counts) else show_rate(highest)
        label = shown if row == _HEIGHT - 1 else "0" if row == 0 else ""
        rows.append(f"  {label:>9} │{bar}")
    end = show_duration(span_s)
    rows.append(f"  {'':>9} └{'─' * len(levels)}")
    rows.append(f"  {'':>9}  0{words.center(len(levels) - 1 - len(end))}{end}")
    return rows
