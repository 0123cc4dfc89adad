"""`soak plan`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import all_settings, json_option, override_options, scenario_argument

if TYPE_CHECKING:
    from schemas.model import Scenario
    from simulation.forecast import Forecast

_BLOCKS = " ▁▂▃▄▅▆▇█"
_HEIGHT = 4


@click.command("plan")
@scenario_argument
@override_options
@json_option
def command(
    scenario: Path, seed: int | None, duration: str | None, settings: tuple[str, ...], tier: str | None, as_json: bool
) -> int:
    """Show what a scenario will do, without running it: counts, expected load on the workers, arrival rate over time.

    \b
    Example:
      soak plan scenarios/72h.yaml --set queue.workers=2
    """
    from schemas.load import load
    from simulation.forecast import forecast
    from simulation.plan import Plan

    loaded = load(scenario, tier=tier, settings=all_settings(settings, duration, seed))
    plan = Plan(loaded.scenario)
    figures = forecast(plan)
    if as_json:
        import json
        from dataclasses import asdict

        data = {
            "scenario": loaded.scenario.name,
            "seed": plan.seed,
            **asdict(figures),
            "rate_per_s": figures.rate_per_s.tolist(),
        }
        click.echo(json.dumps(data, indent=2))
    else:
        click.echo("\n".join(_lines(loaded.scenario, plan.seed, figures)))
    return 0


def _lines(scenario: "Scenario", seed: int, figures: "Forecast") -> list[str]:
    from schemas.units import show_duration

    share = figures.mean_load / figures.workers
    return [
        f"{scenario.name}: {scenario.title}".rstrip(": "),
        f"  {show_duration(scenario.duration_s)} of arrivals, up to {show_duration(scenario.drain_s)} to drain, seed {seed}",
        "",
        f"  tasks       {figures.arrivals:,} ({figures.expected_arrivals:,.0f} expected), {figures.duplicates:,} of them enqueued twice",
        f"  attempts    {figures.attempts_per_task:.3f} per task, mean service time {show_duration(figures.service_mean_s)}",
        f"  load        {figures.mean_load:.2f} of {figures.workers} workers busy on average ({share:.0%}); {figures.load:.2f} between bursts, {figures.peak_load:.2f} in them",
        *_fault_lines(scenario, figures),
        "",
        *_picture(figures, scenario.duration_s),
        *(f"warning: {warning}" for warning in figures.warnings),
    ]


def _fault_lines(scenario: "Scenario", figures: "Forecast") -> list[str]:
    from schemas.units import show_duration

    lines = []
    for index, fault in enumerate(scenario.faults):
        drawn = f"{figures.faults[fault.name]:,} first attempts or tasks" if fault.name in figures.faults else ""
        times = (
            f"{len(fault.windows)} times, first at {show_duration(fault.windows[0].start_s)}" if fault.windows else ""
        )
        lines.append(
            f"  {'faults' if not index else '':10}  {fault.name} ({fault.type.value}): {', '.join(part for part in (drawn, times) if part)}"
        )
    return lines


def _picture(figures: "Forecast", duration_s: float) -> list[str]:
    """The arrival rate over time, as a small bar chart."""
    from schemas.units import show_duration, show_rate

    highest = max(float(figures.rate_per_s.max()), 1e-12)
    levels = [round(value / highest * _HEIGHT * 8) for value in figures.rate_per_s]
    rows = []
    for row in range(_HEIGHT - 1, -1, -1):
        bar = "".join(_BLOCKS[min(8, max(0, level - row * 8))] for level in levels)
        label = show_rate(highest) if row == _HEIGHT - 1 else "0" if row == 0 else ""
        rows.append(f"  {label:>9} │{bar}")
    end = show_duration(duration_s)
    rows.append(f"  {'':>9} └{'─' * len(levels)}")
    rows.append(f"  {'':>9}  0{'arrivals over time'.center(len(levels) - 1 - len(end))}{end}")
    return rows
