"""When the checks of a real run are made, and that its teardown is done however it ends.

The driving thread starts them and takes their results, and never waits for one while work goes on. Helper threads make them.
"""

import math
import sys
import threading
import time
from collections.abc import Callable, Mapping
from enum import Enum, auto
from pathlib import Path

from soak.runner.checks.answers import Outcome
from soak.runner.checks.perform import Surroundings, perform
from soak.runner.checks.report import Reporting
from soak.runner.checks.request import Requests
from soak.runner.checks.rows import Rows
from soak.runner.checks.workers import Job, Workers
from soak.runner.judge.checks.expected import found_in
from soak.runner.judge.checks.outcomes import Answer
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.check import Check, Figure, LoadFigure, Step, When
from soak.schemas.stream.block import Block
from soak.simulation.plan import Plan

_AT_ONCE = 4
_GRACE_REAL_S = 5.0
"""A check ends within its timeout, and that which is slow to end, a little later; then it is given up."""
_LOOK_REAL_S = 0.05
_CANCELLED_WITHIN_REAL_S = 2.0
"""Commands end at once when they are told to; what waits for an answer is not waited for."""
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
        tenants = tuple(each.name for each in plan.scenario.workload.tenants)
        self._requests = Requests(plan.scenario.http, folder, tenants, plan.seed)
        self._rows = Rows(plan)
        self._threads = Workers(_AT_ONCE)
        self._cancelled = threading.Event()
        self._going: dict[tuple[bool, int, str], Job] = {}
        self._results: list[tuple[float, bool, int, str, Outcome, float]] = []
        self._lock = threading.Lock()
        self._now: Callable[[], float] = lambda: 0.0
        self._end_load: Callable[[], None] = lambda: None
        self._stage, self._over_s = _Stage.WORK, 0.0
        self._retries: dict[tuple[int, str], float] = {}
        """When a check that did not hold yet is tried again, on the monotonic clock."""
        self._steps_left = list(range(len(plan.scenario.teardown)))
        self._closed = False

    # What the target asks.

    def know(self, values: Mapping[str, str]) -> None:
        """Names in braces that stand for something of this target."""
        self._values.update(values)

    def quiet(self, action: Callable[[], None]) -> None:
        """What ends the load, before the teardown of a run that is cut short."""
        self._end_load = action

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
            self._rows.began(self._over_s, sum(len(check.tenants) for check in checks))
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
                self._wait(_CANCELLED_WITHIN_REAL_S)
                for key in list(self._going):
                    self._give_up(key, "interrupted")
                self._cancelled = threading.Event()
                self._end_load()
                while self._steps_left:
                    self._do_step()
                    self._wait()
        finally:
            self.stop()

    def stop(self) -> None:
        """End all that goes on, and do nothing more."""
        self._closed, self._stage = True, _Stage.DONE
        self._cancelled.set()
        self._threads.close()
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
        kinds = ("", *(kind.name for kind in self._scenario.workload.kinds))
        known = [LoadFigure(figure, kind) for figure in Figure for kind in kinds]
        figures = {each: self._judge.figure(each, tenant) for each in known}
        counts = {each.name: str(count) for each, count in figures.items()}
        values = {**self._values, **counts, **({"tenant": tenant} if tenant else {})}
        around = Surroundings(self._folder, self._requests, tenant, values, self._cancelled.is_set)

        key = teardown, place, tenant

        def make() -> None:
            outcome, took_s = perform(step, figures, around)
            with self._lock:
                if self._going.get(key) is job:
                    self._results.append((self._now(), *key, outcome, took_s))

        # Nothing looks for the job before it is there.
        with self._lock:
            self._going[key] = job = self._threads.submit(make, step.timeout_s + _GRACE_REAL_S)

    def _busy(self) -> bool:
        self._collect()
        return bool(self._going)

    def _wait(self, at_most_s: float = math.inf) -> None:
        """Until all that goes on has ended; Ctrl-C ends it."""
        until = time.monotonic() + at_most_s
        try:
            while self._going and time.monotonic() < until:
                next(iter(self._going.values())).ended.wait(_LOOK_REAL_S)
                self._collect()
        except BaseException:
            self._cancelled.set()
            raise

    def _collect(self) -> None:
        """Take the results that are there."""
        for key, job in list(self._going.items()):
            if job.is_lost:
                self._give_up(key, "timeout")
        with self._lock:
            self._going = {key: job for key, job in self._going.items() if not job.ended.is_set()}
            results, self._results = self._results, []
        for t_s, teardown, place, tenant, outcome, took_s in results:
            step: Step = self._scenario.teardown[place] if teardown else self._scenario.checks[place]
            self._rows.add(t_s, place, tenant, outcome, took_s, teardown=teardown)
            self._reporting.tell(t_s, step, tenant, outcome, took_s)
            if isinstance(step, Check) and step.when is When.SETTLED:
                self._try_again(place, step, tenant, outcome)

    def _give_up(self, key: tuple[bool, int, str], cause: str) -> None:
        """Do not wait for one any longer."""
        with self._lock:
            job = self._going.pop(key)
            if not job.ended.is_set():
                self._threads.replace(job)
                self._results.append((self._now(), *key, Outcome(failed=cause), job.within_s))

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
    url = plan.scenario.http.url if plan.scenario.http else ""
    return {
        **({"url": url} if url else {}),
        "dir": str(directory.absolute()),
        "python": sys.executable,
        "seed": str(plan.seed),
        "speed": f"{speed:g}",
        "duration": f"{plan.scenario.duration_s / speed:g}",
    }
