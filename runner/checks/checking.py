"""When the checks of a real run are made, and that its teardown is done however it ends.

The driving thread starts them and takes their results, and never waits for one while work goes on. Helper threads make them.
"""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from enum import Enum, auto
from pathlib import Path

from soak.runner.checks.answers import Outcome
from soak.runner.checks.perform import Surroundings, perform
from soak.runner.checks.report import Reporting
from soak.runner.checks.rows import Rows
from soak.runner.judge.checks.expected import found_in
from soak.runner.judge.checks.outcomes import Answer
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.check import Check, Figure, Step, When
from soak.schemas.stream.block import Block
from soak.simulation.plan import Plan

_AT_ONCE = 4
_LEAST_PAUSE_REAL_S, _TRIES = 0.1, 20
"""A check that is tried again until it holds is tried about so often in its time, and not sooner than that after the last."""


class _Stage(Enum):
    WORK = auto()
    ENDING = auto()
    """All work is over: what was begun at an interval ends."""
    CHECKS = auto()
    TEARDOWN = auto()
    DONE = auto()


class RunChecks:
    """The checks and the teardown of one run: see `simulation/checking.py`.

    folder: where commands run. values: what stands in braces, beside what the target makes known. speed: of the clock.
    """

    def __init__(
        self, plan: Plan, judge: Judge, folder: Path, values: Mapping[str, str], speed: float, reporting: Reporting
    ) -> None:
        self._scenario, self._judge, self._speed = plan.scenario, judge, speed
        self._folder, self._values, self._reporting = folder, dict(values), reporting
        self._rows = Rows(plan)
        self._threads = ThreadPoolExecutor(_AT_ONCE, "checks")
        self._cancelled = threading.Event()
        self._going: dict[tuple[bool, int, str], Future[None]] = {}
        self._results: list[tuple[float, bool, int, str, Outcome, float]] = []
        self._lock = threading.Lock()
        self._now: Callable[[], float] = lambda: 0.0
        self._stage, self._over_s = _Stage.WORK, 0.0
        self._retries: dict[tuple[int, str], float] = {}
        """When a check that did not hold yet is tried again, on the monotonic clock."""
        self._steps_left = list(range(len(plan.scenario.teardown)))
        self._closed = False

    # What the target asks.

    def know(self, values: Mapping[str, str]) -> None:
        """Names in braces that stand for something of this target."""
        self._values.update(values)

    def ready(self) -> None:
        """Make the checks that come before all work."""
        self._start(When.BEFORE)
        self._wait()

    def begin(self, now: Callable[[], float], every: Callable[[float, Callable[[], None]], None]) -> None:
        """The clock runs: checks at an interval are made from now on."""
        self._now = now
        for place, check in enumerate(self._scenario.checks):
            if check.when is When.EVERY:
                every(check.every_s, lambda place=place: self._again(place))  # type: ignore[misc]

    def _again(self, place: int) -> None:
        if self._stage is _Stage.WORK:
            for tenant in self._scenario.checks[place].tenants:
                # One that takes longer than its interval is made less often.
                if (False, place, tenant) not in self._going:
                    self._submit(place, tenant)

    def is_over(self) -> bool:
        """All work is over: whether the checks at the end and the teardown are over, too."""
        if self._stage is _Stage.WORK:
            self._stage, self._over_s = _Stage.ENDING, self._now()
        if self._stage is _Stage.ENDING and not self._busy() and self._is_counted():
            self._stage = _Stage.CHECKS
            checks = [check for check in self._scenario.checks if check.when.at_the_end]
            if checks:
                self._rows.began(self._now(), sum(len(check.tenants) for check in checks))
            self._start(When.AFTER, When.SETTLED)
        if self._stage is _Stage.CHECKS:
            self._retry()
            if not self._busy() and not self._retries:
                self._stage = _Stage.TEARDOWN
        if self._stage is _Stage.TEARDOWN and not self._busy():
            if self._steps_left:
                self._do_step()
            else:
                self._stage = _Stage.DONE
        return self._stage is _Stage.DONE

    def _is_counted(self) -> bool:
        """Whether the figures of the load that checks ask for hold all of it."""
        asked = any(check.figures for check in self._scenario.checks if check.when.at_the_end)
        return not asked or self._judge.until_s >= self._over_s

    # What the engine asks.

    def events(self, until_s: float) -> Block | None:
        """What was found since the last time, up to a time; None for nothing."""
        self._collect()
        return self._rows.take(until_s)

    def rest(self, now_s: float) -> Block | None:
        """All that is left, as of a time."""
        self._collect()
        return self._rows.rest(now_s)

    def close(self) -> None:
        """Do the teardown, unless it is done, and end all that goes on; what was found is left for `events`."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._stage is not _Stage.DONE:
                self._cancelled.set()
                self._wait()
                self._cancelled.clear()
                while self._steps_left:
                    self._do_step()
                    self._wait()
        finally:
            self.stop()

    def stop(self) -> None:
        """End all that goes on, and do nothing more."""
        self._closed, self._stage = True, _Stage.DONE
        self._cancelled.set()
        self._threads.shutdown()
        self._collect()

    # Making them.

    def _start(self, *whens: When) -> None:
        for place, check in enumerate(self._scenario.checks):
            if check.when in whens:
                for tenant in check.tenants:
                    self._submit(place, tenant)

    def _do_step(self) -> None:
        place = self._steps_left.pop(0)
        for tenant in self._scenario.teardown[place].tenants:
            self._submit(place, tenant, teardown=True)

    def _submit(self, place: int, tenant: str, *, teardown: bool = False) -> None:
        step: Step = self._scenario.teardown[place] if teardown else self._scenario.checks[place]
        figures = {each: self._judge.figure(each, tenant) for each in Figure}
        counts = {figure.value: str(count) for figure, count in figures.items()}
        around = Surroundings(
            self._folder, {**self._values, **counts, **({"tenant": tenant} if tenant else {})}, self._cancelled.is_set
        )

        def make() -> None:
            outcome, took_s = perform(step, figures, around)
            with self._lock:
                self._results.append((self._now(), teardown, place, tenant, outcome, took_s))

        self._going[teardown, place, tenant] = self._threads.submit(make)

    def _busy(self) -> bool:
        self._collect()
        return bool(self._going)

    def _wait(self) -> None:
        """Until all that goes on has ended; Ctrl-C ends it."""
        try:
            while self._going:
                wait(list(self._going.values()), 0.1)
                self._collect()
        except BaseException:
            self._cancelled.set()
            raise

    def _collect(self) -> None:
        """Take the results that are there."""
        self._going = {key: future for key, future in self._going.items() if not future.done()}
        with self._lock:
            results, self._results = self._results, []
        for t_s, teardown, place, tenant, outcome, took_s in results:
            step: Step = self._scenario.teardown[place] if teardown else self._scenario.checks[place]
            self._rows.add(t_s, place, tenant, outcome, took_s, teardown=teardown)
            self._reporting.tell(t_s, step, tenant, outcome, took_s)
            if isinstance(step, Check) and step.when is When.SETTLED:
                self._try_again(place, step, tenant, outcome)

    def _try_again(self, place: int, check: Check, tenant: str, outcome: Outcome) -> None:
        answer = Answer(0.0, 0.0, outcome.values, outcome.texts, outcome.failed)
        holds = all(found_in(check, each, answer).status is Status.PASS for each in check.expected)
        pause_s = max(_LEAST_PAUSE_REAL_S, check.within_s / _TRIES / self._speed)
        if not holds and self._now() + pause_s * self._speed <= self._over_s + check.within_s:
            self._retries[place, tenant] = time.monotonic() + pause_s

    def _retry(self) -> None:
        for (place, tenant), at in list(self._retries.items()):
            if time.monotonic() >= at:
                del self._retries[place, tenant]
                self._submit(place, tenant)


def known_values(plan: Plan, directory: Path, speed: float) -> dict[str, str]:
    """What stands in braces in every run; `directory`: for the files of the system."""
    return {
        "dir": str(directory.absolute()),
        "python": sys.executable,
        "seed": str(plan.seed),
        "speed": f"{speed:g}",
        "duration": f"{plan.scenario.duration_s / speed:g}",
    }
