"""Progress of a run as a plain line now and then, on standard error."""

import time
from collections.abc import Sequence

from soak.runner.console import remark
from soak.runner.engine import Sink
from soak.runner.judge.judge import Judge
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.units import show_duration

PLAIN_STEPS = 10
PLAIN_EVERY_S = 30.0


class PlainLines:
    """A line for every tenth of the run, and at least every half minute of real time."""

    def __init__(self, scenario: Scenario) -> None:
        self.sinks: Sequence[Sink] = ()
        self._scenario = scenario
        self._step = 0
        self._said = time.monotonic()

    def __call__(self, judge: Judge) -> None:
        """A line, if it is time for one."""
        step = int(PLAIN_STEPS * min(1.0, judge.until_s / self._scenario.duration_s))
        if step > self._step or time.monotonic() - self._said > PLAIN_EVERY_S:
            self._step, self._said = step, time.monotonic()
            duration_s = self._scenario.duration_s
            done_s = min(judge.until_s, duration_s)
            remark(f"  {show_duration(done_s)} of {show_duration(duration_s)}: {_live_figures(judge)}")


def _live_figures(judge: Judge) -> str:
    slis = judge.scenario.slis
    headline = language_of(judge.scenario.system).headline
    values = {word: (slis[name], judge.sli_value(slis[name])) for word, name in headline.items()}
    shown = [f"{word} {sli.unit.show(value)}" for word, (sli, value) in values.items() if value == value]
    return ", ".join(shown) or "no results yet"
