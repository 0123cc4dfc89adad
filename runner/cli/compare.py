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
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory to write the comparison to; new or empty. [default: parity-NAME]",
)
@json_option
def command(base: Path, run: Path, parity: bool, out: Path | None, as_json: bool) -> int:
    """Put two runs side by side.

    With --parity, BASE is a simulated and RUN a real run of the same scenario and seed: the fate of every task, its
    attempts and its latency, and every SLI, each with a tolerance.

    Exit codes: 0 they agree, 3 they do not, 2 they cannot be compared, 5 the evidence of one is missing or damaged.

    \b
    Example:
      soak compare runs/simulated runs/real --parity
    """
    from schemas.errors import UsageError

    if not parity:
        raise UsageError("soak compare: only --parity exists so far (add it)")
    from runner.parity.session import compare_runs, summary_lines
    from schemas.parity import Agreement

    result, directory = compare_runs(base, run, out)
    if as_json:
        from runner.evidence.record import to_json

        tell(to_json(result).decode(), nl=False)
    else:
        tell(summary_lines(result, directory))
    return AGREES if result.status is Agreement.AGREES else DIFFERS
