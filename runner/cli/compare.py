"""`soak compare`."""

from pathlib import Path

import click

from runner.cli.options import json_option
from runner.console import tell

AGREES, DIFFERS = 0, 3


@click.command("compare")
@click.argument("base", type=click.Path(path_type=Path), metavar="BASE")
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--parity", is_flag=True, help="Whether a simulated and a real run of one scenario and seed agree.")
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="TEXT",
    help='What must hold relative to BASE, such as "latency_p95 <= 1.1x baseline". May be repeated.',
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="How rarely noise alone may raise an alarm.",
)
@click.option(
    "--least",
    type=click.FloatRange(0, 100),
    default=0.05,
    show_default=True,
    help="Relative changes below this do not matter.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory to write the comparison to; new or empty. [default: compare-NAME, or parity-NAME]",
)
@json_option
def command(
    base: Path,
    run: Path,
    parity: bool,
    objectives: tuple[str, ...],
    alpha: float,
    least: float,
    out: Path | None,
    as_json: bool,
) -> int:
    """Put two runs side by side: every SLI with its change, and whether that is more than noise.

    BASE is a run directory, or a file that `soak baseline` wrote. With --parity, BASE is a simulated and RUN a real run of
    the same scenario and seed: the fate of every task, its attempts and its latency, and every SLI, each with a tolerance.

    Exit codes: 0 not regressed (they agree), 3 regressed (they do not), 2 they cannot be compared, 5 the evidence of one is
    missing or damaged.

    \b
    Examples:
      soak compare runs/before runs/after --objective "latency_p95 <= 1.1x baseline"
      soak compare runs/simulated runs/real --parity
    """
    from runner.evidence.record import to_json

    if parity:
        from runner.parity.session import compare_runs, summary_lines
        from schemas.parity import Agreement

        result, directory = compare_runs(base, run, out)
        tell(to_json(result).decode() if as_json else summary_lines(result, directory), nl=not as_json)
        return AGREES if result.status is Agreement.AGREES else DIFFERS
    from runner.compare.session import compare_with_base
    from runner.compare.session import summary_lines as lines

    changes, directory = compare_with_base(base, run, out, alpha=alpha, least=least, objectives=objectives)
    tell(to_json(changes).decode() if as_json else lines(changes, directory), nl=not as_json)
    return DIFFERS if changes.regressed else AGREES
