"""The client's policies for real: the same calls as the model makes, whatever wraps what; the breaker by itself."""

import asyncio
import time
from pathlib import Path

import pytest
from calls import PRIMARY, calls_scenario

from soak.runner.targets.calls.breaker import Breaker
from soak.runner.targets.calls.request import Attempts, Request
from soak.runner.targets.calls.rows import Rows
from soak.runner.targets.calls.target import CallsTarget
from soak.runner.targets.clock import Clock
from soak.runner.targets.simulation import Simulation
from soak.schemas.language.load import Loaded
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary
from soak.schemas.systems.calls.settings import CircuitBreaker
from soak.simulation.calls.outcome import CallError
from soak.simulation.plan import Plan

BROKEN = "{name: broken, type: server_error, rate: 100%}"
HALF = "{name: broken, type: server_error, rate: 50%}"
THROTTLED = "{name: throttled, type: rate_limited, rate: 50%, retry_after: 3s}"
SECOND = f"{PRIMARY}\n{PRIMARY.replace('primary', 'second')}"
LIMITED = PRIMARY[:-1] + ", memory: 32MB}"
Event = tuple[str, int, int, str]


def told(loaded: Loaded, target: CallsTarget | Simulation, directory: Path) -> tuple[list[Event], list[float]]:
    """What happened to tasks and calls, task by task; and how long each wait before another attempt was to be."""
    directory.mkdir()
    target.prepare(directory)
    plan = Plan(loaded.scenario)
    events, waits = [], []
    for block in target.run(plan):
        for place, kind in enumerate(map(Kind, block.kind.tolist())):
            if kind.name.startswith(("CALL", "TASK")):
                error = plan.vocabulary.causes[int(block.cause[place])].error
                events.append((kind.name, int(block.task[place]), int(block.attempt[place]), error))
            if kind is Kind.TASK_RETRY:
                waits.append((int(block.task[place]), float(block.value[place] - block.t[place])))
    by_task = sorted(events, key=lambda event: event[1])
    return by_task, [wait_s for _, wait_s in sorted(waits, key=lambda wait: wait[0])]


@pytest.mark.parametrize(
    ("policy", "more"),
    [
        # A limit on all attempts together: no attempt begins that would come too late.
        ("{retry: {max_attempts: 5, backoff: {initial: 2s}}}, {timeout: 5s}", {"faults": BROKEN}),
        ("{retry: {max_attempts: 2}}, {retry: {max_attempts: 2}}", {"faults": BROKEN}),
        ("{retry: {errors: [timeout]}}", {"faults": BROKEN}),
        ("{retry: {max_attempts: 3}}, {fallback: {to: second}}", {"faults": HALF, "dependencies": SECOND}),
        ("{fallback: {to: second}}, {retry: {max_attempts: 3}}", {"faults": THROTTLED, "dependencies": SECOND}),
        (
            "{bulkhead: {max_concurrent: 50}}, {pool: {size: 50}}, {rate_limit: {rate: 90/s, burst: 50}}",
            {"faults": HALF},
        ),
        (
            "{degrade: {chunk: 8MB, chunk_time: 10ms, shrink: 50%}}",
            {"dependencies": LIMITED, "task": "{memory: [{size: 16MB, hold: true}, {size: 24MB}, {size: 6MB}]}"},
        ),
    ],
)
def test_the_same_calls_as_in_the_model(policy: str, more: dict[str, str], tmp_path: Path) -> None:
    loaded = calls_scenario(tmp_path, tasks=4, rate="1/s", policy=policy, **more)  # type: ignore[arg-type]
    real, model = (
        told(loaded, target, tmp_path / name)[0]
        for name, target in (("real", CallsTarget(4.0)), ("model", Simulation()))
    )
    assert real == model


def test_waits_are_as_long_and_as_random_as_in_the_model(tmp_path: Path) -> None:
    policy = "{retry: {max_attempts: 3, backoff: {initial: 10s, factor: 1.5, jitter: 100%}}}"
    loaded = calls_scenario(tmp_path, tasks=4, policy=policy, faults=BROKEN)
    real, model = (
        told(loaded, target, tmp_path / name)[1]
        for name, target in (("real", CallsTarget(20.0)), ("model", Simulation()))
    )
    assert len(model) == 8
    assert max(model) - min(model) > 5
    assert real == pytest.approx(model, abs=2.0)


# The circuit breaker by itself.


class Calls:
    """A breaker around calls that end as they are told to."""

    def __init__(self, policy: CircuitBreaker) -> None:
        vocabulary = Vocabulary()
        self._rows = Rows(Clock(1.0, time.time()))
        self._ends: dict[int, asyncio.Future[None]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        attempts = Attempts(self._rows, vocabulary)
        self._breaker = Breaker(policy, self._rows.clock, attempts, self._inner)

    async def _inner(self, request: Request, deadline: float) -> None:
        self._ends[request.number] = asyncio.get_running_loop().create_future()
        await self._ends[request.number]

    async def begin(self, *numbers: int) -> None:
        """Begin calls."""
        for number in numbers:
            self._tasks[number] = asyncio.create_task(self._breaker.handle(Request(number, 0, False), 1e9))
        await asyncio.sleep(0.01)

    async def end(self, *numbers: int, well: bool) -> None:
        """End calls."""
        for number in numbers:
            end = self._ends[number]
            end.set_result(None) if well else end.set_exception(CallError("server_error", NO_CAUSE))
        await asyncio.wait([self._tasks[number] for number in numbers])
        assert all(bool(self._tasks[number].exception()) is not well for number in numbers)

    def rejected(self, number: int) -> bool:
        """Whether a call was not let through."""
        task = self._tasks[number]
        error = task.exception() if task.done() else None
        return isinstance(error, CallError) and error.error == "circuit_open"

    def states(self) -> list[str]:
        """What the breaker told of itself since the last time."""
        return [row.kind.name for row in self._rows.take() if row.kind.name.startswith("CIRCUIT")]


def test_a_breaker_lets_so_many_trials_through_and_needs_them_all() -> None:
    async def run() -> None:
        calls = Calls(CircuitBreaker(failures=2, open_for_s=0.1, half_open_calls=2))
        await calls.begin(1, 2, 3)
        await calls.end(1, 2, well=False)
        assert calls.states() == ["CIRCUIT_OPENED"]
        await calls.begin(4)
        assert calls.rejected(4)
        # One that had begun before says nothing of how it is now.
        await calls.end(3, well=True)
        await asyncio.sleep(0.15)
        await calls.begin(5, 6, 7)
        assert [calls.rejected(number) for number in (5, 6, 7)] == [False, False, True]
        assert calls.states() == ["CIRCUIT_HALF_OPENED"]
        await calls.end(5, well=True)
        assert calls.states() == []
        await calls.end(6, well=True)
        assert calls.states() == ["CIRCUIT_CLOSED"]
        await calls.begin(8)
        await calls.end(8, well=True)

    asyncio.run(run())


def test_a_trial_that_fails_opens_it_again() -> None:
    async def run() -> None:
        calls = Calls(CircuitBreaker(failures=1, open_for_s=0.1, half_open_calls=2))
        await calls.begin(1)
        await calls.end(1, well=False)
        await asyncio.sleep(0.15)
        await calls.begin(2, 3)
        await calls.end(2, well=True)
        await calls.end(3, well=False)
        await calls.begin(4)
        assert calls.rejected(4)
        assert calls.states() == ["CIRCUIT_OPENED", "CIRCUIT_HALF_OPENED", "CIRCUIT_OPENED"]

    asyncio.run(run())


def test_rejections_do_not_pile_up_in_the_breaker() -> None:
    async def run() -> None:
        calls = Calls(CircuitBreaker(failures=1, open_for_s=50.0, half_open_calls=1))
        await calls.begin(1)
        await calls.end(1, well=False)
        await calls.begin(*range(2, 50))
        assert all(calls.rejected(number) for number in range(2, 50))
        breaker = await calls._breaker._breakers.get_breaker("calls")
        state = breaker.context._state
        assert isinstance(state, Exception)
        assert state.__traceback__ is None

    asyncio.run(run())
