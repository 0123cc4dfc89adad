"""The clock of the programs of one run: made before they start, checked when they run, measured until the end."""

import selectors
from collections.abc import Callable, Mapping
from pathlib import Path

from soak.runner.console import remark
from soak.runner.targets.context import RunContext
from soak.runner.targets.processes.faketime.clock import FakeClock, fake_clock_of
from soak.runner.targets.processes.faketime.fitness import off_the_clock
from soak.runner.targets.processes.faketime.pulse import Pulse
from soak.runner.targets.processes.faketime.trial import measured
from soak.runner.targets.processes.launch import StartError
from soak.schemas.stream.events import Kind
from soak.schemas.target.model import TargetFile

_EVERY_REAL_S = 5.0
"""How often the clock is sampled at most."""


class RunClock:
    """What a target file says of the clock, carried out. Raises FakeClockError; `close` it when all programs have ended.

    directory: of the files of the run. selector: drives the run. Where programs have our clock, nothing here does anything.
    """

    def __init__(self, file: TargetFile, directory: Path, selector: selectors.BaseSelector) -> None:
        self.clock: FakeClock | None = fake_clock_of(file, directory)
        self._selector = selector
        self._pulse: Pulse | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of all programs."""
        return self.clock.environment if self.clock else {}

    def start(self, pids: Mapping[str, int]) -> None:
        """All programs run, with these process ids. Raises StartError for those that have another clock, by name."""
        if self.clock is None:
            return
        if off := [f"{name}: {why}" for name, why in off_the_clock(pids, self.clock.library)]:
            raise StartError(f"not on the clock of the target file: {'; '.join(off)} (remove clock:)")
        slow = [f"{each.way} x{each.factor:.4g}" for each in measured(self.clock) if each.is_off(self.clock.factor)]
        if slow:
            remark(f"warning: waits that are not x{self.clock.factor:g} on this machine: {', '.join(slow)}")
        self._pulse = Pulse(self.clock, self._selector)

    def begin(self, context: RunContext) -> None:
        """The run begins: how fast waits really are is sampled from here on."""
        if self.clock:
            least_s = _EVERY_REAL_S * context.clock.speed
            context.every(max(context.plan.scenario.telemetry.sample_interval_s, least_s), self._sample(context))

    def _sample(self, context: RunContext) -> Callable[[], None]:
        def sample() -> None:
            if self._pulse and (pace := self._pulse.pace()):
                context.note(context.now(), Kind.SAMPLE_CLOCK, value=pace)

        return sample

    def jump(self, by_s: float) -> None:
        """Set the clock of all programs forward, or back: what the fault clock_jump does."""
        assert self.clock
        self.clock.jump(by_s)

    def tell(self) -> None:
        """Say what was measured, at the end of the run."""
        if self.clock and self._pulse:
            beats = self._pulse.beats()
            for each in (beats.words(self.clock.factor), *beats.doubts(self.clock.factor)):
                remark(each)

    def close(self) -> None:
        """End what measures, and forget the clock."""
        if self._pulse:
            self._pulse.close()
            self._pulse = None
        if self.clock:
            self.clock.close()
            self.clock = None
