"""`soak dashboard`."""

from pathlib import Path

import click

from soak.runner.cli.options import Positive


@click.command("dashboard")
@click.argument("run_directory", type=click.Path(path_type=Path), metavar="[RUN_DIR]", required=False)
@click.option("--live", is_flag=True, help="Follow the newest run under runs/.")
@click.option("--replay", type=Positive(), metavar="SPEED", help="Replay a run from its start at this speed-up factor.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on the loopback interface. [default: any free port]"
)
def command(run_directory: Path | None, live: bool, replay: float | None, port: int) -> int:
    """Watch a run in the browser, live or replayed: a page for this machine only that follows the event stream. Read-only.

    \b
    Examples:
      soak dashboard --live
      soak dashboard runs/72h-20260101T000000Z --replay 10000
    """
    from soak.runner.watch.dashboard import serve
    from soak.runner.watch.follow import follow, newest_run
    from soak.schemas.errors import UsageError

    if live == (run_directory is not None):
        raise UsageError("soak dashboard: give either a run directory or --live (the newest run)")
    serve(follow(run_directory or newest_run(), replay), port)
    return 0
