"""`soak power`."""

from pathlib import Path

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

SEEN, NOT_SEEN = 0, 3


def _probability(ctx: click.Context, param: click.Parameter, value: str) -> float:
    from soak.schemas.units import ratio

    try:
        power = ratio(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a percentage (write 95%)", ctx, param) from None
    if not 0.5 < power < 1:
        raise click.BadParameter(f"{value} is not between 50% and 100% (write 95%)", ctx, param)
    return power


@click.command("power")
@scenario_argument
@override_options
@click.option(
    "--violation",
    "violations",
    multiple=True,
    metavar="SLI=SIZE",
    help='A violation that must be detected, such as "success_rate=96.5%". May be repeated. [default: one for each objective]',
)
@click.option(
    "--power",
    callback=_probability,
    metavar="PERCENTAGE",
    default="95%",
    show_default=True,
    help="Probability of detection at which a violation counts as detectable.",
)
@click.option(
    "-n",
    "replications",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Replications in the pilot.",
)
@jobs_option
@out_option("power")
@json_option
def command(
    scenario: Path,
    seed: int | None,
    duration: str | None,
    settings: tuple[str, ...],
    tier: str | None,
    overlays: tuple[Path, ...],
    violations: tuple[str, ...],
    power: float,
    replications: int,
    jobs: int | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Is a soak long enough to detect violations? For each objective: the smallest one it detects, and the duration one needs.

    Detected means verdict FAIL. Default violation: 25 % beyond the target; for a target of 0, 0.01 % of opportunities or 1/d.

    Exit codes: 0 every requested violation is detected, 3 the duration is too short for one, 2 wrong input, 130 interrupted.

    \b
    Example:
      soak power scenarios/72h.yaml --violation duplicate_executions=0.01% --violation success_rate=96.5%
    """
    own_process.import_numpy()
    from soak.runner.power.request import Request
    from soak.runner.power.session import perform

    chosen = scenario_file(scenario, tier, overlays, settings, duration, seed)
    analysis = perform(Request(chosen, violations, power, replications, jobs, out))
    # Plots take long to load, and worker pools would fork them.
    from soak.reports.power import summary_lines

    analysis.tell(summary_lines(analysis.result), as_json=as_json)
    return SEEN if analysis.result.seen else NOT_SEEN
