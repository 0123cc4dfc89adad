"""The main loop of a real run against a system that owns its workers: one thread, which waits for timers and sockets."""

import selectors
from collections.abc import Generator
from typing import Protocol

from soak.contract import Snapshot
from soak.runner.targets.context import RunContext, patiently
from soak.runner.targets.queue.system_adapter.body_server import BodyServer
from soak.runner.targets.queue.system_adapter.change_reader import ChangeReader
from soak.runner.targets.queue.system_adapter.process_control import ProcessControl
from soak.runner.targets.submitter import Submitter
from soak.runner.targets.users_submitter import LOOK_REAL_S
from soak.schemas.stream.block import Block

_LOOK_REAL_S = 0.05
"""Interval of reading changes while draining, so that the run ends when the last task is closed."""


class Stoppable(Protocol):
    """The system, as far as its end is concerned."""

    def stop(self) -> None:
        """See `soak.contract.System`."""

    def snapshot(self) -> Snapshot:
        """See `soak.contract.System`."""


def drive(
    context: RunContext,
    selector: selectors.BaseSelector,
    system: Stoppable,
    process_control: ProcessControl,
    body_server: BodyServer,
    change_reader: ChangeReader,
    submitter: Submitter,
) -> Generator[Block, None, None]:
    """The events of the run, a block every `context.flush_s`; the last one ends with the system's own census.

    `submitter` has started. The data of whatever is registered with `selector` is called when that is readable.
    """
    if context.plan.users:
        context.every_real(LOOK_REAL_S, lambda: _read(change_reader))
    context.at(context.plan.scenario.duration_s, lambda: context.every_real(_LOOK_REAL_S, lambda: _read(change_reader)))
    over = False
    try:
        while not over:
            over = _go_on(context, selector, change_reader, submitter, context.now() + context.flush_s)
            until_s = context.now()
            # A busy system may have unreported changes: the block waits for them.
            if _read(change_reader) and not over:
                yield context.journal.take(until_s)
    except Exception:
        # Events before the system failed are evidence, too.
        yield context.journal.take(context.now())
        raise
    finally:
        # Running attempts are left to their leases: they must not keep the system from stopping.
        process_control.wake_all()
        body_server.close()
    # Stopping the system is not part of the run.
    patiently(system.stop)
    patiently(change_reader.read)
    until_s = max(until_s, change_reader.latest_s)
    context.take_census(system.snapshot, until_s)
    yield context.journal.take(until_s)


def _read(change_reader: ChangeReader) -> bool:
    return patiently(change_reader.read, 0.0)


def _go_on(
    context: RunContext,
    selector: selectors.BaseSelector,
    change_reader: ChangeReader,
    submitter: Submitter,
    until_s: float,
) -> bool:
    """Handle timers and sockets up to `until_s`; returns whether the run is over."""
    while (now_s := context.now()) < until_s:
        wait_s = context.clock.real(min(context.agenda.next_s, until_s) - now_s)
        for key, _ in selector.select(max(0.0, wait_s)):
            key.data()
        context.agenda.run(context.now())
        if context.is_over(lambda: not submitter.over or bool(change_reader.open)):
            return True
    return False
