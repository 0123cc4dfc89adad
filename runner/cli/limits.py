"""`soak limits`."""

from pathlib import Path

import click

from runner.cli.options import all_settings, json_option, override_options, scenario_argument
from runner.console import tell

FOUND, NO_LIMIT, INTERRUPTED = 0, 5, 130


@click.command("limits")
@scenario_argument
@click.option(
    "--vary",
    multiple=True,
    required=True,
    metavar="PATH[=LOW..HIGH]",
    help="A number of the scenario, named as --set does, and its range. May be given twice. [default: a range around its value]",
)
@override_options
@click.option(
    "--probability",
    default="95%",
    show_default=True,
    metavar="SHARE",
    help="How likely PASS must be for a value to be good enough.",
)
@click.option(
    "--tolerance",
    default="2%",
    show_default=True,
    metavar="SHARE",
    help="How fine the values are, as a share of the range; whole numbers are tried one by one.",
)
@click.option(
    "--most",
    type=click.IntRange(20, 100_000),
    default=200,
    show_default=True,
    help="Replications at one value at most; what they cannot decide is decided by the share of PASS.",
)
@click.option(
    "--grid",
    "cells",
    type=click.IntRange(2, 40),
    default=7,
    show_default=True,
    help="With two parameters: cells along each axis.",
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes to use. [default: one for each core]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory to write to; new or empty. [default: limits/NAME-TIME]",
)
@json_option
def command(
    scenario: Path,
    vary: tuple[str, ...],
    seed: int | None,
    duration: str | None,
    settings: tuple[str, ...],
    tier: str | None,
    probability: str,
    tolerance: str,
    most: int,
    cells: int,
    jobs: int | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Find where a scenario breaks: the value of a number in it up to which PASS is still likely enough.

    The simulation is run with many seeds at each value, as often as it takes to decide that value, and the range is halved until
    two neighbours are left: the last value that is good enough, and the first that is not. With two --vary, the plane of both
    is drawn as well.

    Exit codes: 0 a limit was found, 5 there is none in the range, 2 the scenario or the command is wrong, 130 interrupted:
    what is known so far is written.

    \b
    Examples:
      soak limits scenarios/72h.yaml --tier pr --vary faults.transient.rate=0%..60%
      soak limits scenarios/72h.yaml --tier pr --vary workload.arrivals.rate --vary queue.workers=1..20
    """
    from runner.evidence.record import to_json
    from runner.limits.session import find_limits
    from runner.limits.summary import summary_lines
    from runner.limits.variants import Wish

    wish = Wish(
        vary=vary,
        probability=_share("--probability", probability),
        tolerance=_share("--tolerance", tolerance),
        most=most,
        cells=cells,
        tier=tier,
        settings=all_settings(settings, duration, seed),
        workers=jobs,
    )
    limits, directory = find_limits(scenario, out, wish)
    tell(to_json(limits).decode() if as_json else summary_lines(limits, directory), nl=not as_json)
    if not limits.complete:
        return INTERRUPTED
    return FOUND if limits.found else NO_LIMIT


def _share(option: str, text: str) -> float:
    """A share above 0 and below 1. Raises UsageError."""
    from schemas import units
    from schemas.errors import UsageError, quoted

    try:
        value = units.ratio(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise UsageError(f"{option} {quoted(text)}: is not a share between 0% and 100% (write one such as 95%)")
    return value
