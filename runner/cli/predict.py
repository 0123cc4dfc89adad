"""`soak predict`."""

from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from soak.runner.analysis import Analysis
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
    help="Maximum number of replications.",
)
@click.option(
    "--precision",
    metavar="SHARE",
    help="Stop once the 95 % interval of the PASS probability is within plus or minus this, such as 1%; "
    "with --rare or --rare-event: of the rare event, relative to it. [default: run all]",
)
@click.option(
    "--require",
    "required",
    metavar="SHARE",
    help="Required PASS probability, such as 95%; the exit code says whether it is reached.",
)
@click.option(
    "--rare",
    is_flag=True,
    help="Also estimate how likely each abort condition is to hold, however rare that is.",
)
@click.option(
    "--rare-event",
    "rare_events",
    metavar="NAME",
    multiple=True,
    help="Also estimate how likely this rare event is: that the abort condition of this name holds or the objective is broken. "
    "May be repeated.",
)
@click.option(
    "--effort",
    type=click.IntRange(100, 10_000_000),
    default=5_000,
    show_default=True,
    help="Number of runs for each rare event, about, besides those of pilots.",
)
@jobs_option
@click.option(
    "--dask", metavar="ADDRESS", help="Run the replications on this Dask cluster, such as tcp://scheduler:8786."
)
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
    rare: bool,
    rare_events: tuple[str, ...],
    effort: int,
    jobs: int | None,
    dask: str | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Predict the verdict: simulate a scenario many times, each time with another seed.

    The probability of PASS with its 95 % confidence interval, each objective's values and margins, which breaks first, and what
    aborts it and when. The prediction is as good as the model: parameters are taken from the scenario.

    Exit codes: 0 done; with --require: 0 the whole interval is at or above it, 3 wholly below, 5 undecided: add replications;
    2 wrong scenario or usage, 130 interrupted, 1 failed midway: finished replications are kept.

    \b
    Examples:
      soak predict scenarios/72h.yaml --rare-event success-collapse
      soak predict scenarios/72h.yaml --set queue.workers=3 --precision 2% --require 95%
    """
    own_process.import_numpy()
    from soak.runner.predict.request import Request
    from soak.runner.predict.session import perform

    shares = share("--precision", precision, 0.5), share("--require", required, 1.0)
    chosen = scenario_file(scenario, tier, overlays, settings, duration, seed)
    analysis = perform(Request(chosen, replications, *shares, jobs, dask, out, rare, rare_events, effort))
    return _told(analysis, as_json=as_json)


def _told(analysis: "Analysis[Prediction]", *, as_json: bool) -> int:
    """Print the result; returns the exit code."""
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
