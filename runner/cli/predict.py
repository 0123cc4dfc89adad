"""`soak predict`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner.cli.options import (
    jobs_option,
    json_option,
    out_option,
    override_options,
    scenario_argument,
    scenario_file,
)

if TYPE_CHECKING:
    from soak.schemas.evidence.prediction import Prediction

MET, MISSED, UNDECIDED = 0, 3, 5
INTERRUPTED = 130
_MOST = 100_000


@click.command("predict")
@scenario_argument
@override_options
@click.option(
    "-n",
    "--replications",
    type=click.IntRange(1, _MOST),
    default=400,
    show_default=True,
    help="How many replications to make at most.",
)
@click.option(
    "--precision",
    metavar="SHARE",
    help="Stop as soon as the PASS probability is known to within so much, such as 1%. [default: make all]",
)
@click.option(
    "--require",
    "required",
    metavar="SHARE",
    help="The PASS probability that there must be, such as 95%; the exit code says whether there is.",
)
@jobs_option
@click.option("--dask", metavar="ADDRESS", help="Make them on this Dask cluster, such as tcp://scheduler:8786.")
@out_option("predictions")
@json_option
def command(
    scenario: Path,
    seed: int | None,
    duration: str | None,
    settings: tuple[str, ...],
    tier: str | None,
    overlays: tuple[Path, ...],
    replications: int,
    precision: str | None,
    required: str | None,
    jobs: int | None,
    dask: str | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Predict the verdict: simulate a scenario many times, each with a seed of its own.

    How likely it is to PASS, with a 95 % confidence interval; each objective's values and margins; which breaks first; what
    aborts it, and when. It is the model's answer: what the scenario says of the system is taken to be so.

    Exit codes: 0 done; with --require 0 the whole interval is at or above it, 3 it is wholly below, 5 it cannot be told yet;
    2 the scenario or the command is wrong, 130 interrupted, 1 it broke off: what was made is kept.

    \b
    Examples:
      soak predict scenarios/72h.yaml -n 400
      soak predict scenarios/72h.yaml --set queue.workers=3 --precision 2% --require 95%
    """
    from soak.reports.prediction import summary_lines
    from soak.runner.predict.request import Request
    from soak.runner.predict.session import perform

    shares = share("--precision", precision, 0.5), share("--require", required, 1.0)
    chosen = scenario_file(scenario, tier, overlays, settings, duration, seed)
    request = Request(chosen, replications, *shares, jobs, dask, out)
    analysis = perform(request)
    analysis.tell(summary_lines(analysis.result), as_json=as_json)
    return _exit_code(analysis.result)


def share(option: str, text: str | None, below: float) -> float | None:
    """A share above 0 and below `below`, as it is written behind an option. Raises UsageError."""
    from soak.schemas.errors import UsageError, quoted
    from soak.schemas.units import ratio, show_ratio

    try:
        value = None if text is None else ratio(text)
    except ValueError:
        value = 0.0
    if text is not None and (value is None or not 0 < value < below):
        raise UsageError(
            f"{option} {quoted(text)} is no share above 0% and below {show_ratio(below)} (write it like 1%)"
        )
    return value


def _exit_code(prediction: "Prediction") -> int:
    from soak.schemas.evidence.prediction import Decision, Stopped

    if prediction.stopped is Stopped.INTERRUPTED:
        return INTERRUPTED
    codes = {Decision.MET: MET, Decision.MISSED: MISSED, Decision.UNDECIDED: UNDECIDED, None: MET}
    return codes[prediction.decision]
