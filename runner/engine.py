"""The engine: takes events from a target, shows them to the judge, and keeps them.

It knows nothing about systems or how a target works.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from soak.runner.checks.beside import MakeChecks, closed_after, no_checks, with_events
from soak.runner.early import end_early, end_simulation_early
from soak.runner.interruption import AskedToStopError
from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.runner.judge.need import EVERYTHING, Need
from soak.runner.judge.samples import Facts
from soak.runner.requests import NOBODY, Taken, or_asked
from soak.runner.targets.base import FromFile, Patient, Promising, Redelivering, Serving, Target
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import End, Verdict
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, make_block, merge, tick
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.simulation.plan import Plan


class Sink(Protocol):
    """Something that keeps what was judged."""

    def append(self, block: Block, facts: Facts) -> None:
        """Keep a block, with what the judge made of it."""


class Resumed(Struct, frozen=True):
    """A run to continue: its judge, which has seen all recorded events; how long nothing was observed, in scenario time;
    and how long the runner was down after that, in real time."""

    judge: Judge
    gap_s: float
    pause_real_s: float

    def first_block(self) -> Block:
        """The first events after resuming."""
        now_s, kinds = tick(self.judge.until_s), [Kind.RUN_PAUSED, Kind.RUN_RESUMED]
        return make_block([now_s] * 2, kinds, until_s=now_s, value=[tick(self.pause_real_s), tick(self.gap_s)])


class BrokenOffError(Exception):
    """The target failed midway: `judge` has seen the events so far, `__cause__` is the failure."""

    def __init__(self, judge: Judge) -> None:
        super().__init__("the run failed midway")
        self.judge = judge


def never() -> bool:
    """Never interrupted."""
    return False


def identify(
    scenario: Scenario, scenario_sha256: str, seed: int, target: Target, *, abort: bool, stop: str | None = None
) -> Identity:
    """What is run: plan and target, and what ends it early (see `Identity`)."""
    patience_s = target.patience_s if isinstance(target, Patient) else None
    declared_s = target.redelivery_s if isinstance(target, Redelivering) else None
    return Identity(
        scenario.name,
        scenario_sha256,
        seed,
        target.name,
        target.clock,
        abort,
        target.speed,
        patience_s,
        None if declared_s is None else declared_s * target.speed,
        stop,
        target.target_sha256 if isinstance(target, FromFile) else None,
        *((target.level, target.promises, target.left_out) if isinstance(target, Promising) else (None, None, None)),
        target.roles if isinstance(target, Serving) else None,
        dict(target.target_file.options) or None if isinstance(target, FromFile) else None,
    )


def execute(
    plan: Plan,
    target: Target,
    identity: Identity,
    sinks: Sequence[Sink] = (),
    watchers: Sequence[Callable[[Judge], None]] = (),
    interrupted: Callable[[], bool] = never,
    resumed: Resumed | None = None,
    *,
    need: Need = EVERYTHING,
    checking: MakeChecks = no_checks,
    requests: Taken = NOBODY,
) -> tuple[Verdict, Judge]:
    """Run `plan` against `target` to its end, an abort condition, an interruption or a request; returns verdict and judge.

    `watchers` are called between blocks. `resumed`: the run continues from there; earlier events were judged and kept.
    `need`: what is asked of the verdict. `checking`: the checks of a real run. Raises BrokenOffError.
    """
    judge = resumed.judge if resumed else Judge.of(plan.scenario, plan.vocabulary, identity, need)
    start = _after if sinks or watchers or need.findings else _joined
    plan.checking = checks = checking(judge)
    if identity.stop and target.clock == "simulated":
        end_simulation_early(plan, target, identity, interrupted)

    def observe(block: Block) -> None:
        _judged(judge, requests.into(with_events(block, checks)), sinks)
        for watcher in watchers:
            watcher(judge)
        if identity.stop and target.clock != "simulated" and not judge.aborted_by:
            end_early(plan, judge, identity)

    with (
        contextlib.closing(_watched(judge, start(_first(resumed), target.run(plan)))) as blocks,
        # The teardown comes first: the system is still there.
        closed_after(checks, judge, lambda block: _judged(judge, block, sinks)),
    ):
        end = _followed(blocks, observe, judge, or_asked(interrupted, requests))
    if end is End.COMPLETED and plan.ends_s < plan.scenario.duration_s:
        end = End.DECIDED
    return decide(judge, identity, _close(judge, plan, end, sinks), with_findings=need.findings), judge


def _first(resumed: Resumed | None) -> Block:
    return resumed.first_block() if resumed else make_block([0.0], [Kind.RUN_STARTED], until_s=0.0)


def _judged(judge: Judge, block: Block, sinks: Sequence[Sink]) -> None:
    """Judge a block and keep it."""
    for part in judge.observe(block):
        _keep(sinks, part, judge.facts)


def _followed(
    blocks: Iterator[Block], observe: Callable[[Block], None], judge: Judge, interrupted: Callable[[], bool]
) -> End:
    """Observe blocks up to the end of the run; returns why it ended."""
    try:
        for block in blocks:
            observe(block)
            if judge.aborted_by:
                return End.ABORTED
            if interrupted():
                return End.INTERRUPTED
    except AskedToStopError:
        return End.INTERRUPTED
    return End.COMPLETED


def _close(judge: Judge, plan: Plan, end: End, sinks: Sequence[Sink]) -> End:
    """Record how the run ended; events of its last instant can still abort it."""
    _judged(judge, _last_block(judge, plan, end), sinks)
    return _close(judge, plan, End.ABORTED, sinks) if judge.aborted_by and end is not End.ABORTED else end


def _after(start: Block, blocks: Generator[Block, None, None]) -> Generator[Block, None, None]:
    with contextlib.closing(blocks):
        yield start
        yield from blocks


def _joined(start: Block, blocks: Generator[Block, None, None]) -> Generator[Block, None, None]:
    """As `_after`, where nobody looks on: with the start in the first block, as each costs something."""
    with contextlib.closing(blocks):
        first = next(blocks, None)
        yield start if first is None else merge([start, first])
        yield from blocks


def _watched(judge: Judge, blocks: Generator[Block, None, None]) -> Generator[Block, None, None]:
    """The blocks; separates a failure of the target from one of the judge or of the evidence."""
    with contextlib.closing(blocks):
        try:
            yield from blocks
        except UsageError:
            raise
        except Exception as error:
            raise BrokenOffError(judge) from error


def _last_block(judge: Judge, plan: Plan, end: End) -> Block:
    """The event that says how the run ended."""
    now_s = tick(judge.until_s)
    if end is End.ABORTED:
        assert judge.aborted_by
        name = judge.vocabulary.name(judge.aborted_by.condition.name)
        return make_block([now_s], [Kind.RUN_ABORTED], until_s=now_s, value=[name])
    if end is End.INTERRUPTED:
        return make_block([now_s], [Kind.RUN_INTERRUPTED], until_s=now_s)
    kind = Kind.RUN_DECIDED if end is End.DECIDED else Kind.RUN_ENDED
    return make_block([now_s], [kind], until_s=now_s, value=[plan.planned])


def _keep(sinks: Sequence[Sink], block: Block, facts: Facts) -> None:
    for sink in sinks:
        sink.append(block, facts)
