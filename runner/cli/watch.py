"""`soak watch`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner.cli.options import Positive, json_option
from soak.runner.console import hand_over, live_console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from soak.runner.watch.state import State

_COLORS = {"PASS": "green", "FAIL": "red", "ABORTED": "red", "INCONCLUSIVE": "yellow"}


@click.command("watch")
@click.argument("run_directory", type=click.Path(path_type=Path), metavar="[RUN_DIR]", required=False)
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

    with Live(console=live_console(err=False), refresh_per_second=4) as live:
        for state in states:
            live.update(_screen(state), refresh=True)
    return 0


def _screen(state: "State") -> "RenderableType":
    from rich.console import Group
    from rich.markup import escape
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    color = _COLORS.get(state.verdict, "cyan")
    head = Text.from_markup(
        f"[bold {color}]{state.verdict}[/] [bold]{escape(state.title)}[/]  [dim]{escape(state.target)}[/]"
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name, justify in (
        ("", "left"),
        ("objective", "left"),
        ("so far", "right"),
        ("limit", "right"),
        ("margin", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for each in state.objectives:
        status = f"[{_COLORS[each.status]}]{each.status}[/]"
        table.add_row(status, escape(each.objective), each.value, each.target, each.margin)
    bar = Table.grid()
    bar.add_row(ProgressBar(total=state.duration_s, completed=min(state.t_s, state.duration_s), width=60))
    return Group(
        head,
        Text(_time(state)),
        bar,
        table,
        Text(_figures(state)),
        *(Text(f"  {reason}") for reason in state.reasons),
    )


def _time(state: "State") -> str:
    from soak.schemas.units import show_duration

    eta = "" if state.eta_s is None else f", {show_duration(round(state.eta_s))} to go"
    return f"{state.shown_t} of {state.shown_duration}{f', {state.ended}' if state.ended else eta}"


def _rate(per_min: float) -> str:
    return f"{per_min:,.0f}" if per_min >= 1000 else f"{per_min:.3g}"


def _figures(state: "State") -> str:
    tasks = ", ".join(f"{count:,} {name}" for name, count in state.tasks.items())
    levels = ", ".join(f"{name} {value:g}" for name, value in state.levels.items())
    rate = "" if state.throughput_per_min is None else f"{_rate(state.throughput_per_min)} {state.units} per minute"
    lines = [
        f"{state.units:8} {tasks}",
        f"now      {', '.join(filter(None, [levels, rate]))}",
        f"faults   {', '.join(state.faults) or 'no scheduled fault active'}",
        f"alerts   {', '.join(state.alerts) or 'none firing'}",
    ]
    return "\n".join(lines)
