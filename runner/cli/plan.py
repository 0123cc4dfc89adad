"""`soak plan`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner.cli.options import all_settings, json_option, override_options, scenario_argument
from soak.runner.console import hand_over, remark

if TYPE_CHECKING:
    from soak.schemas.language.model import Scenario
    from soak.simulation.calls.forecast import CallsForecast
    from soak.simulation.forecast import Forecast
    from soak.simulation.plan import Plan

_BLOCKS = " ▁▂▃▄▅▆▇█"
_HEIGHT = 4


@click.command("plan")
@scenario_argument
@override_options
@json_option
def command(
    scenario: Path,
    seed: int | None,
    duration: str | None,
    settings: tuple[str, ...],
    overlays: tuple[Path, ...],
    tier: str | None,
    as_json: bool,
) -> int:
    """Show what a scenario will do, without running it: counts, expected load on the workers, arrival rate over time.

    \b
    Example:
      soak plan scenarios/72h.yaml --set queue.workers=2
    """
    from soak.runner.cautions import cautions
    from soak.schemas.language.load import load
    from soak.simulation.plan import Plan

    loaded = load(scenario, tier=tier, overlays=overlays, settings=all_settings(settings, duration, seed))
    plan, warnings = Plan(loaded.scenario), tuple(map(str, cautions(loaded)))
    figures: Forecast | CallsForecast
    if plan.scenario.system == "calls":
        from soak.simulation.calls.forecast import forecast_calls

        figures = forecast_calls(plan)
        lines = _calls_lines(plan.scenario, plan.seed, figures)
    else:
        from soak.simulation.forecast import forecast

        figures = forecast(plan)
        lines = _lines(plan.scenario, plan.seed, figures)
    if as_json:
        hand_over(_as_json(plan, figures, warnings))
    else:
        hand_over("\n".join(lines))
        for warning in warnings:
            remark(f"warning: {warning}")
    return 0


def _as_json(plan: "Plan", figures: "Forecast | CallsForecast", warnings: tuple[str, ...]) -> str:
    import json
    from dataclasses import asdict

    figures_ = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in asdict(figures).items()}
    figures_["warnings"] = [*figures.warnings, *warnings]
    return json.dumps({"scenario": plan.scenario.name, "seed": plan.seed, **figures_}, indent=2)


def _calls_lines(scenario: "Scenario", seed: int, figures: "CallsForecast") -> list[str]:
    from soak.schemas.units import show_duration, show_ratio

    f, theory = figures, figures.theory
    chances = (
        f"first call succeeds {show_ratio(theory.first_call)}, task DONE {show_ratio(theory.success)}, "
        f"{theory.calls:.3f} calls per task"
        if theory
        else "no closed form: calls share something, or faults have windows"
    )
    return [
        f"{scenario.name}: {scenario.title}".rstrip(": "),
        f"  {show_duration(scenario.duration_s)} of arrivals, up to {show_duration(scenario.drain_s)} to drain, seed {seed}",
        "",
        f"  tasks       {f.arrivals:,} ({f.expected_arrivals:,.0f} expected)",
        f"  calls       {f.in_flight:.2f} in flight on average{_bursts(f.in_flight, f.peak_in_flight)}",
        f"  theory      {chances}",
        "",
        *_picture(f.rate_per_s.tolist(), scenario.duration_s, "arrivals as drawn"),
        *(f"warning: {warning}" for warning in f.warnings),
    ]


def _lines(scenario: "Scenario", seed: int, figures: "Forecast") -> list[str]:
    from soak.schemas.units import show_duration

    f = figures
    busy = f"{f.mean_load:.2f} of {f.workers} workers busy on average ({f.mean_load / f.workers:.0%})"
    return [
        f"{scenario.name}: {scenario.title}".rstrip(": "),
        f"  {show_duration(scenario.duration_s)} of arrivals, up to {show_duration(scenario.drain_s)} to drain, seed {seed}",
        "",
        f"  tasks       {f.arrivals:,} ({f.expected_arrivals:,.0f} expected), {f.duplicates:,} of them submitted twice",
        f"  attempts    {f.attempts_per_task:.3f} per task, mean service time {show_duration(f.service_mean_s)}",
        f"  load        {busy}{_bursts(f.load, f.peak_load, between=True)}",
        *_fault_lines(scenario, figures),
        "",
        *_picture(f.rate_per_s.tolist(), scenario.duration_s, "arrivals as drawn"),
        *(_picture(f.cycle_rate_per_s.tolist(), f.cycle_s, "planned rate") if f.cycle_s < scenario.duration_s else []),
        *(f"warning: {warning}" for warning in figures.warnings),
    ]


def _bursts(usual: float, peak: float, *, between: bool = False) -> str:
    """What is different in bursts, in a plan that has any."""
    if f"{usual:.2f}" == f"{peak:.2f}":
        return ""
    return f"; {usual:.2f} between bursts, {peak:.2f} in bursts" if between else f", {peak:.2f} in bursts"


def _fault_lines(scenario: "Scenario", figures: "Forecast") -> list[str]:
    from soak.schemas.language.faults import PER_TASK
    from soak.schemas.units import show_duration

    lines = []
    for index, fault in enumerate(scenario.faults):
        kind = "tasks" if fault.type in PER_TASK else "first attempts"
        drawn = f"{figures.faults[fault.name]:,} {kind}" if fault.name in figures.faults else ""
        first = f", first at {show_duration(fault.windows[0].start_s)}" if fault.windows else ""
        times = f"{len(fault.windows)} time{'s' if len(fault.windows) > 1 else ''}{first}" if fault.windows else ""
        what = ", ".join(part for part in (drawn, times) if part)
        lines.append(f"  {'faults' if not index else '':10}  {fault.name} ({fault.type.value}): {what}")
    return lines


def _picture(rates: list[float], span_s: float, words: str) -> list[str]:
    """A rate over time, as a small bar chart."""
    from soak.schemas.units import show_duration, show_rate

    highest = max(*rates, 1e-12)
    levels = [round(value / highest * _HEIGHT * 8) for value in rates]
    rows = []
    for row in range(_HEIGHT - 1, -1, -1):
        bar = "".join(_BLOCKS[min(8, max(0, level - row * 8))] for level in levels)
        label = show_rate(highest) if row == _HEIGHT - 1 else "0" if row == 0 else ""
        rows.append(f"  {label:>9} │{bar}")
    end = show_duration(span_s)
    rows.append(f"  {'':>9} └{'─' * len(levels)}")
    rows.append(f"  {'':>9}  0{words.center(len(levels) - 1 - len(end))}{end}")
    return rows
