"""The course of a real run against a system that owns its workers: one thread, which waits for a time or for a call."""

import selectors
import time
from collections.abc import Callable, Generator
from typing import Protocol

from runner.targets.contract import BusyError, Snapshot
from runner.targets.course import AGAIN_REAL_S, FLUSH_REAL_S, Course
from runner.targets.owning.desk import Desk
from runner.targets.owning.follower import Follower
from runner.targets.owning.sampler import take_census
from runner.targets.submitter import Submitter
from schemas.block import Block

_LOOK_REAL_S = 0.05
"""How often the system's account is read while it drains, so that the run ends when the last task is closed."""

_PATIENCE_REAL_S = 5.0


class Stoppable(Protocol):
    """The system, as far as its end is concerned."""

    def stop(self) -> None:
        """See `runner.targets.contract.System`."""

    def snapshot(self) -> Snapshot:
        """See `runner.targets.contract.System`."""


def drive(
    course: Course,
    selector: selectors.BaseSelector,
    system: Stoppable,
    desk: Desk,
    follower: Follower,
    submitter: Submitter,
) -> Generator[Block, None, None]:
    """The events of the run, a block every FLUSH_REAL_S; the last one ends with the system's own census.

    The data of whatever is registered with `selector` is called when that is readable.
    """
    submitter.start()
    course.at(
        course.plan.scenario.duration_s,
        lambda: course.every_real(_LOOK_REAL_S, lambda: patiently(follower.read, 0.0)),
    )
    over = False
    try:
        while not over:
            over = _go_on(course, selector, follower, submitter, course.now() + FLUSH_REAL_S * course.clock.speed)
            until_s = course.now()
            patiently(follower.read, 0.0)
            if not over:
                yield course.journal.take(until_s)
    finally:
        desk.dismiss()
    patiently(system.stop)
    patiently(follower.read)
    until_s = course.now()
    # A system that stays busy holds no census, and then the verdict is not PASS.
    patiently(lambda: take_census(course, system.snapshot(), until_s))
    yield course.journal.take(until_s)


def _go_on(
    course: Course, selector: selectors.BaseSelector, follower: Follower, submitter: Submitter, until_s: float
) -> bool:
    """Do what is due and hear what is said up to `until_s`; returns whether the run is over."""
    while (now_s := course.now()) < until_s:
        wait_s = course.clock.real(min(course.agenda.next_s, until_s) - now_s)
        for key, _ in selector.select(max(0.0, wait_s)):
            key.data()
        course.agenda.run(course.now())
        if course.is_over(lambda: not submitter.over or follower.open_tasks > 0):
            return True
    return False


def patiently(call: Callable[[], None], patience_real_s: float = _PATIENCE_REAL_S) -> None:
    """Call until the system is not busy, or the patience is over."""
    until = time.monotonic() + patience_real_s
    while True:
        try:
            return call()
        except BusyError:
            if time.monotonic() >= until:
                return None
            time.sleep(AGAIN_REAL_S)
