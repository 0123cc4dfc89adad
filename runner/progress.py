"""Progress of a run: a live line on a terminal, otherwise a plain line now and then. It goes to standard error."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from soak.runner.console import is_drawn_on, live_console, remark
from soak.runner.judge.judge import Judge
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.units import show_duration

Progress = Callable[[Judge], None]

PLAIN_STEPS = 10
PLAIN_EVERY_S = 30.0


@contextmanager
def make_progress(scenario: Scenario) -> Iterator[Progress]:
    """A function to call after each block."""
    if is_drawn_on():
        with _live(scenario) as progress:
            yield progress
    else:
        yield _Plain(scenario)


def _live_figures(judge: Judge) -> str:
    slis = judge.scenario.slis
    headline = language_of(judge.scenario.system).headline
    values = {word: (slis[name], judge.sli_value(slis[name])) for word, name in headline.items()}
    shown = [f"{word} {sli.unit.show(value)}" for word, (sli, value) in values.items() if value == value]
    return ", ".join(shown) or "no results yet"


@contextmanager
def _live(scenario: Scenario) -> Iterator[Progress]:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Bar(*columns, console=live_console(), transient=True) as bar:
        task = bar.add_task("", total=scenario.duration_s, figures="")

        def show(judge: Judge) -> None:
            done_s = min(judge.until_s, scenario.duration_s)
            words = f"{show_duration(done_s)} of {show_duration(scenario.duration_s)}"
            bar.update(task, completed=done_s, description=words, figures=_live_figures(judge))

        yield show


class _Plain:
    """A line for every tenth of the run, and at least every half minute of real time."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._step = 0
        self._said = time.monotonic()

    def __call__(self, judge: Judge) -> None:
        step = int(PLAIN_STEPS * min(1.0, judge.until_s / self._scenario.duration_s))
        if step > self._step or time.monotonic() - self._said > PLAIN_EVERY_S:
            self._step, self._said = step, time.monotonic()
            duration_s = self._scenario.duration_s
            done_s = min(judge.until_s, duration_s)
            remark(f"  {show_duration(done_s)} of {show_duration(duration_s)}: {_live_figures(judge)}")
