"""`soak limits`."""

from pathlib import Path
from typing import Any

import click

from soak.runner import own_process
from soak.runner.cli.options import (
    jobs_option,
    json_option,
    out_option,
    override_options,
    scenario_argument,
    scenario_file,
)
from soak.runner.interruption import INTERRUPTED

FOUND, NO_LIMIT = 0, 5


class _Share(click.FloatRange):
    """A share above 0 and below 1."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises click.UsageError."""
        from soak.schemas import units

        try:
            share = units.ratio(value)
        except ValueError:
            share = 0.0
        if not 0 < share < 1:
            self.fail(f"{value} is not a share between 0% and 100% (write it like 95%).", param, ctx)
        return share


@click.command("limits")
@scenario_argument
@click.option(
    "--vary",
    multiple=True,
    required=True,
    metavar="PATH[=LOW..HIGH]",
    help="Parameter to vary, named as in --set, and its range. May be given twice. [default range: around its value]",
)
@override_options
@click.option(
    "--probability",
    type=_Share(0, 1, min_open=True, max_open=True),
    default="95%",
    show_default=True,
    metavar="SHARE",
    help="PASS probability aimed at. A value is good enough if PASS is found likelier than half its odds (95%: 90.5%).",
)
@click.option(
    "--tolerance",
    type=_Share(0, 1, min_open=True, max_open=True),
    default="2%",
    show_default=True,
    metavar="SHARE",
    help="Resolution, as a share of the range; whole numbers are resolved to 1.",
)
@click.option(
    "--most",
    type=click.IntRange(20, 100_000),
    default=200,
    show_default=True,
    help="Maximum replications per value; if they do not decide it, the observed share of PASS does.",
)
@click.option(
    "--grid",
    "cells",
    type=click.IntRange(2, 40),
    default=7,
    show_default=True,
    help="Cells along each axis, with two parameters.",
)
@jobs_option
@out_option("limits")
@json_option
def command(
    scenario: Path,
    vary: tuple[str, ...],
    seed: int | None,
    duration: str | None,
    settings: tuple[str, ...],
    tier: str | None,
    overlays: tuple[Path, ...],
    probability: float,
    tolerance: float,
    most: int,
    cells: int,
    jobs: int | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Find where a scenario breaks: the value of a parameter up to which PASS is still likely.

    Simulates each value with as many seeds as it takes to decide it (sequential test), and halves the range until two neighbours
    are left: the last value that is good enough and the first that is not. Two --vary also give a grid over both.

    Exit codes: 0 a limit was found, 5 there is none in the range, 2 the scenario or the command is wrong, 130 interrupted:
    partial results are written.

    \b
    Examples:
      soak limits scenarios/72h.yaml --tier pr --vary faults.transient.rate=0%..60%
      soak limits scenarios/72h.yaml --tier pr --vary workload.arrivals.rate --vary queue.workers=1..20
    """
    own_process.import_numpy()
    from soak.runner.limits.request import Request
    from soak.runner.limits.session import perform

    chosen = scenario_file(scenario, tier, overlays, settings, duration, seed)
    analysis = perform(Request(chosen, vary, probability, tolerance, most, cells, jobs, out))
    from soak.reports.limits import summary_lines

    analysis.tell(summary_lines(analysis.result), as_json=as_json)
    found = FOUND if analysis.result.found else NO_LIMIT
    return INTERRUPTED if analysis.interrupted else found
