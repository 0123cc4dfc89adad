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
    help="Stop once the interval of the PASS probability is no wider than ± SHARE, such as 1%. [default: make all]",
)
@click.option(
    "--require",
    "required",
    metavar="SHARE",
    help="The PASS probability required, such as 95%; the exit code says whether it is met.",
)
@jobs_option
@click.option("--dask", metavar="ADDRESS", help="Use this Dask cluster, such as tcp://scheduler:8786.")
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
    """Predict the verdict: simulate a scenario many times, each time with another seed.

    Reports how likely PASS is, with a 95 % confidence interval; the values and margins of each objective; which objective breaks
    first; which abort conditions hold, and when. It is the model's answer: the scenario is assumed to describe the system.

    Exit codes: 0 done; with --require 0 met (the whole interval is at or above it), 3 missed (the whole interval is below),
    5 undecided: add replications; 2 the scenario or the command is wrong, 130 interrupted, 1 failed midway: the replications
    made so far are kept.

    \b
    Examples:
      soak predict scenarios/72h.yaml -n 400
      soak predict scenarios/72h.yaml --set queue.workers=3 --precision 2% --require 95%
    """
    from soak.runner.predict.request import Request
    from soak.runner.predict.session import perform

    shares = share("--precision", precision, 0.5), share("--require", required, 1.0)
    chosen = scenario_file(scenario, tier, overlays, settings, duration, seed)
    request = Request(chosen, replications, *shares, jobs, dask, out)
    analysis = perform(request)
    from soak.reports.prediction import summary_lines

    analysis.tell(summary_lines(analysis.result), as_json=as_json)
    return _exit_code(analysis.result)


def share(option: str, text: str | None, below: float) -> float | None:
    """The value of an option: a share above 0 and below `below`. Raises UsageError."""
    from soak.schemas.errors import UsageError, quoted
    from soak.schemas.units import ratio, show_ratio

    try:
        value = None if text is None else ratio(text)
    except ValueError:
        value = 0.0
    if text is not None and (value is None or not 0 < value < below):
        raise UsageError(f"{option} {quoted(text)} must be between 0% and {show_ratio(below)} (write it like 1%)")
    return value


def _exit_code(prediction: "Prediction") -> int:
    from soak.schemas.evidence.prediction import Decision, Stopped

    if prediction.stopped is Stopped.INTERRUPTED:
        return INTERRUPTED
    codes = {Decision.MET: MET, Decision.MISSED: MISSED, Decision.UNDECIDED: UNDECIDED, None: MET}
    return codes[prediction.decision]
