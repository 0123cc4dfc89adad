"""`soak compare`."""

from pathlib import Path
from typing import Any

import click

from soak.runner import completing
from soak.runner.cli.options import jobs_option, json_option, override_options, result_options, scenario_file

AGREES, DIFFERS, UNDECIDED = 0, 3, 5
ALPHA, LEAST = 0.01, 0.02
WHAT_IF_ALPHA, WHAT_IF_LEAST = 0.05, 0.0
"""What-if comparisons use few replications and report small effects too."""
REPLICATIONS = 10
_HELP = """Compare two runs: how every SLI changed, and whether the change is more than noise.

BASE is a run directory, or a file that `soak baseline` wrote. Two simulated runs with the same seed and the same arrivals are
also compared task by task. With --parity, BASE is a simulated and RUN a real run of the same scenario and seed: every
task's outcome, attempts and latency and every SLI must agree within a tolerance.

With --with, BASE is a scenario file and RUN is left out: the scenario and the variant that --with describes are each simulated
-n times with the same seeds, on all cores. --tier, --set, --duration and --seed apply to both.

Exit codes: 0 no regression (parity: they agree, or the overhead of this host explains what differs), 3 regression (parity:
they differ), 2 not comparable, 5 evidence missing or damaged, or nothing could be compared, 130 interrupted.

\b
Examples:
  soak compare runs/before runs/after --objective "latency_p95 <= 1.1x baseline"
  soak compare runs/simulated runs/real --parity
  soak compare scenarios/72h.yaml --with queue.workers=8 -n 20
"""


@click.command("compare", help=_HELP)
@click.argument("base", type=click.Path(path_type=Path), metavar="BASE", shell_complete=completing.run_directories)
@click.argument(
    "run", type=click.Path(path_type=Path), metavar="[RUN]", required=False, shell_complete=completing.run_directories
)
@click.option("--parity", is_flag=True, help="Check that a simulated and a real run of one scenario and seed agree.")
@click.option(
    "--with",
    "variant",
    multiple=True,
    metavar="KEY=VALUE",
    help="What if: a value to change in the variant, such as queue.workers=8. May be repeated.",
)
@click.option(
    "-n",
    "--replications",
    type=click.IntRange(6, 10_000),
    help=f"Number of pairs of replications, with --with.  [default: {REPLICATIONS}]",
)
@override_options
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="TEXT",
    help='Objective relative to BASE, such as "latency_p95 <= 1.1x baseline". May be repeated.',
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help=f"False-alarm probability over all SLIs together.  [default: {ALPHA}, with --with {WHAT_IF_ALPHA}]",
)
@click.option(
    "--least",
    type=click.FloatRange(0, 100),
    help=f"Smallest relative change that matters.  [default: {LEAST}, with --with {WHAT_IF_LEAST:g}]",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory to write the comparison to; new or empty. [default: compare-NAME, or parity-NAME]",
)
@jobs_option
@result_options
@json_option
def command(base: Path, run: Path | None, parity: bool, variant: tuple[str, ...], **options: Any) -> int:
    """Compare two runs, or two variants of a scenario."""
    if variant:
        if run is not None or parity:
            what = "--parity" if parity else str(run)
            raise click.UsageError(f"--with compares BASE, a scenario file, with its variant (leave out {what})")
        return _what_if(base, variant, options)
    for name, word in _WORDS.items():
        if options[name] not in {None, ()}:
            raise click.UsageError(f"{word} needs --with, which names what changes in a scenario")
    if run is None:
        raise click.UsageError("name a RUN to compare with BASE, or what changes in a scenario with --with")
    return _parity(base, run, options) if parity else _runs(base, run, options)


_WORDS = {
    "replications": "-n",
    "overlays": "--overlay",
    "settings": "--set",
    "tier": "--tier",
    "duration": "--duration",
    "seed": "--seed",
    "jobs": "--jobs",
}


def _parity(base: Path, run: Path, options: dict[str, Any]) -> int:
    from soak.runner.parity.request import Request
    from soak.runner.parity.session import perform
    from soak.schemas.evidence.parity import Agreement

    analysis = perform(Request(base, run, options["out"]))
    from soak.reports.parity import summary_lines

    analysis.tell(summary_lines(analysis.result), as_json=options["as_json"])
    return AGREES if analysis.result.status in {Agreement.AGREES, Agreement.EXPLAINED} else DIFFERS


def _runs(base: Path, run: Path, options: dict[str, Any]) -> int:
    from soak.runner.compare.request import Request
    from soak.runner.compare.session import perform

    request = Request(
        base=base,
        run=run,
        alpha=ALPHA if options["alpha"] is None else options["alpha"],
        least=LEAST if options["least"] is None else options["least"],
        objectives=options["objectives"],
        out=options["out"],
    )
    analysis = perform(request)
    from soak.reports.changes import summary_lines

    analysis.tell(summary_lines(analysis.result), as_json=options["as_json"])
    if not (analysis.result.regressed or analysis.result.compared):
        return UNDECIDED
    return DIFFERS if analysis.result.regressed else AGREES


def _what_if(scenario: Path, variant: tuple[str, ...], options: dict[str, Any]) -> int:
    from soak.runner.interruption import INTERRUPTED
    from soak.runner.whatif.request import Request
    from soak.runner.whatif.session import perform

    request = Request(
        scenario=scenario_file(
            scenario, *(options[each] for each in ("tier", "overlays", "settings", "duration", "seed"))
        ),
        variant=variant,
        replications=options["replications"] or REPLICATIONS,
        alpha=WHAT_IF_ALPHA if options["alpha"] is None else options["alpha"],
        least=WHAT_IF_LEAST if options["least"] is None else options["least"],
        objectives=options["objectives"],
        out=options["out"],
        jobs=options["jobs"],
    )
    analysis = perform(request)
    # Plots take long to load, and worker pools would fork them.
    from soak.reports.whatif import summary_lines

    analysis.tell(summary_lines(analysis.result), as_json=options["as_json"])
    if analysis.interrupted:
        return INTERRUPTED
    return DIFFERS if analysis.result.regressed else AGREES
