"""The course of a real run against a system that owns its workers: one thread, which waits for a time or for a call."""

import selectors
from collections.abc import Generator
from typing import Protocol

from soak.contract import Snapshot
from soak.runner.targets.context import Course, patiently
from soak.runner.targets.queue.system_adapter.body_server import Desk
from soak.runner.targets.queue.system_adapter.change_reader import Follower
from soak.runner.targets.queue.system_adapter.process_control import Hands
from soak.runner.targets.submitter import Submitter
from soak.schemas.stream.block import Block

_LOOK_REAL_S = 0.05
"""How often the system's account is read while it drains, so that the run ends when the last task is closed."""


class Stoppable(Protocol):
    """The system, as far as its end is concerned."""

    def stop(self) -> None:
        """See `soak.contract.System`."""

    def snapshot(self) -> Snapshot:
        """See `soak.contract.System`."""


def drive(
    course: Course,
    selector: selectors.BaseSelector,
    system: Stoppable,
    hands: Hands,
    desk: Desk,
    follower: Follower,
    submitter: Submitter,
) -> Generator[Block, None, None]:
    """The events of the run, a block every `course.flush_s`; the last one ends with the system's own census.

    `submitter` has started. The data of whatever is registered with `selector` is called when that is readable.
    """
    course.at(course.plan.scenario.duration_s, lambda: course.every_real(_LOOK_REAL_S, lambda: _read(follower)))
    over = False
    try:
        while not over:
            over = _go_on(course, selector, follower, submitter, course.now() + course.flush_s)
            until_s = course.now()
            # What a busy system has not told yet is still to come: the block waits for it.
            if _read(follower) and not over:
                yield course.journal.take(until_s)
    except Exception:
        # What happened until the system failed is evidence, too.
        yield course.journal.take(course.now())
        raise
    finally:
        # What still runs is left to its lease: it must not keep the system from stopping.
        hands.wake_all()
        desk.close()
    # How long the system takes to stop is no part of the run.
    patiently(system.stop)
    patiently(follower.read)
    until_s = max(until_s, follower.told_s)
    course.take_census(system.snapshot, until_s)
    yield course.journal.take(until_s)


def _read(follower: Follower) -> bool:
    return patiently(follower.read, 0.0)


def _go_on(
    course: Course, selector: selectors.BaseSelector, follower: Follower, submitter: Submitter, until_s: float
) -> bool:
    """Do what is due and hear what is said up to `until_s`; returns whether the run is over."""
    while (now_s := course.now()) < until_s:
        wait_s = course.clock.real(min(course.agenda.next_s, until_s) - now_s)
        for key, _ in selector.select(max(0.0, wait_s)):
            key.data()
        course.agenda.run(course.now())
        if course.is_over(lambda: not submitter.over or bool(follower.open)):
            return True
    return False
