"""`soak dashboard`."""

from pathlib import Path

import click

from soak.runner.cli.options import Positive


@click.command("dashboard")
@click.argument("run_directories", type=click.Path(path_type=Path), metavar="[RUN_DIR]...", nargs=-1)
@click.option("--live", is_flag=True, help="The newest run under runs/, as without RUN_DIR.", hidden=True)
@click.option("--replay", type=Positive(), metavar="SPEED", help="Replay a run from its start at this speed-up factor.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on the loopback interface. [default: any free port]"
)
@click.option("--control", is_flag=True, help="The printed link can mark moments of real runs, and stop them.")
def command(run_directories: tuple[Path, ...], live: bool, replay: float | None, port: int, control: bool) -> int:
    """Watch runs in the browser, live or replayed: a page for this machine only that follows the event stream.

    Without RUN_DIR, the newest run under runs/. Several runs are shown side by side. Read-only without --control.

    \b
    Examples:
      soak dashboard
      soak dashboard runs/72h-20260101T000000Z --replay 10000
      soak dashboard runs/before runs/after
    """
    from soak.runner.watch.dashboard import serve
    from soak.runner.watch.follow import newest_run
    from soak.schemas.errors import UsageError

    if live and run_directories:
        raise UsageError("soak dashboard: --live shows the newest run under runs/ (remove it, or the run directory)")
    if control and replay is not None:
        raise UsageError("soak dashboard: --control is for runs that go on (remove it, or --replay)")
    if len(run_directories) > MOST_RUNS:
        raise UsageError(
            f"soak dashboard: {len(run_directories)} runs are too many for a page (give at most {MOST_RUNS})"
        )
    serve(list(run_directories) or [newest_run()], replay, port, control=control)
    return 0


MOST_RUNS = 8
"""Runs side by side."""
