"""`soak run`."""

from pathlib import Path
from typing import Any

import click

from soak.runner import completing, own_process
from soak.runner.cli.options import (
    Positive,
    all_settings,
    engine_option,
    job_summary_option,
    json_option,
    open_option,
    options_option,
    override_options,
    patience_option,
    quiet_option,
    scenario_argument,
)


@click.command("run")
@scenario_argument
@override_options
@click.option(
    "--target",
    default="simulation",
    show_default=True,
    metavar="NAME",
    shell_complete=completing.targets,
    help="What to run against: simulation, orchestrator, calls, pipeline, gateway, http (the service at http.url), a target file "
    "(FILE.yaml), an adapter (see `soak target list`), or your own class as module:Class.",
)
@options_option
@click.option(
    "--speed",
    type=Positive(100_000),
    help="Speed-up factor for real targets: every duration is divided by it. [default: 1]",
)
@patience_option
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Number of processes that send HTTP requests, on this machine. [default: 1]",
)
@click.option(
    "--locust-master",
    metavar="HOST:PORT",
    help="Have workers on other machines send the requests: they come to this address (see `soak locust-worker`).",
)
@click.option(
    "--expect-workers",
    type=click.IntRange(1, 4096),
    metavar="N",
    help="Number of those workers; the run begins with all.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Judge the events in FILE, recorded elsewhere, instead of running anything: JSON lines as in soak_NAME.jsonl.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run directory to write; new or empty. [default: runs/NAME-TIME]",
)
@click.option("--no-abort", is_flag=True, help="Keep running when an abort condition holds; the verdict is then FAIL.")
@click.option(
    "--stop-when-decided",
    "stop",
    flag_value="all",
    help="End the run once PASS or FAIL of every objective is known, with an error of at most 5 %.",
)
@click.option(
    "--stop-when-decidable",
    "stop",
    flag_value="decidable",
    help="The same, without waiting for what only the end decides, such as `duplicate_executions == 0`.",
)
@engine_option
@click.option("--notify", is_flag=True, help="Notify for simulations too (real runs always notify).")
@job_summary_option
@quiet_option
@open_option
@json_option
def command(
    scenario: Path,
    seed: int | None,
    duration: str | None,
    settings: tuple[str, ...],
    target: str,
    no_abort: bool,
    **words: Any,
) -> int:
    """Run a scenario and give a verdict, with the evidence in a run directory.

    Exit codes: 0 PASS, 3 FAIL, 4 ABORTED, 5 INCONCLUSIVE, 2 wrong scenario or usage, 130 interrupted, 1 failed midway.

    \b
    Examples:
      soak run scenarios/72h.yaml --tier pr --set queue.workers=2 --seed 7
      soak run docs/examples/published-run/scenario.yaml --replay docs/examples/published-run/events.jsonl
    """
    own_process.import_numpy()
    from soak.runner.session import run_scenario

    return run_scenario(
        scenario, settings=all_settings(settings, duration, seed), target_name=target, abort=not no_abort, **words
    )
