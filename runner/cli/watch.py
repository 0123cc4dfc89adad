"""`soak watch`."""

from pathlib import Path

import click

from soak.runner.cli.options import Positive, json_option, optional_run_directory_argument
from soak.runner.console import hand_over, live_console


@click.command("watch")
@optional_run_directory_argument
@click.option("--replay", type=Positive(), metavar="SPEED", help="Replay a run from its start at this speed-up factor.")
@json_option
def command(run_directory: Path | None, replay: float | None, as_json: bool) -> int:
    """Watch a run in the terminal, live or replayed: objectives, queue, faults, alerts. Read-only.

    Without RUN_DIR, the newest run under runs/. With --json, one line per state.

    \b
    Examples:
      soak watch runs/72h-20260101T000000Z
      soak watch runs/72h-20260101T000000Z --replay 10000
    """
    from soak.runner.watch.follow import follow, newest_run

    states = follow(run_directory or newest_run(), replay)
    if as_json:
        import msgspec

        for state in states:
            hand_over(msgspec.json.encode(state).decode())
        return 0
    from rich.live import Live

    from soak.runner.watch.screen import screen

    console = live_console(err=False)
    with Live(console=console, refresh_per_second=4) as live:
        for state in states:
            ascii_only = not console.encoding.startswith("utf")
            live.update(screen(state, console.width, console.height, ascii_only=ascii_only), refresh=True)
    return 0
