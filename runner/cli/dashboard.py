"""`soak dashboard`."""

from pathlib import Path

import click

from soak.runner.cli.options import Positive


@click.command("dashboard")
@click.argument("run_directory", type=click.Path(path_type=Path), metavar="[RUN_DIR]", required=False)
@click.option("--live", is_flag=True, help="The newest run below runs/.")
@click.option(
    "--replay", type=Positive(), metavar="SPEED", help="Show a run again from its start, so many times as fast."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on the loopback. [default: a free one]")
def command(run_directory: Path | None, live: bool, replay: float | None, port: int) -> int:
    """Watch a run in the browser, live or replayed: a page on this machine alone that follows the event stream. It only reads.

    \b
    Examples:
      soak dashboard --live
      soak dashboard runs/72h-20260101T000000Z --replay 10000
    """
    from soak.runner.watch.dashboard import serve
    from soak.runner.watch.follow import follow, newest_run
    from soak.schemas.errors import UsageError

    if live == (run_directory is not None):
        raise UsageError("soak dashboard: name a run directory, or --live for the newest (one of the two)")
    serve(follow(run_directory or newest_run(), replay), port)
    return 0
