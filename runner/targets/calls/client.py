"""The tasks: each arrives at its time and is carried through the policies, all in one event loop in a separate thread."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Protocol

from soak.runner.targets.calls.dependencies import Program
from soak.runner.targets.calls.policies import own_pool
from soak.runner.targets.calls.request import Attempts, Handler, Request
from soak.runner.targets.calls.rows import Rows
from soak.runner.targets.calls.supervisor import Supervisor
from soak.runner.targets.calls.wire import Wire
from soak.schemas.stream.events import Kind
from soak.schemas.stream.states import TaskState
from soak.schemas.systems.calls.settings import calls_of
from soak.simulation.calls.outcome import CallError
from soak.simulation.plan import Plan
from soak.simulation.turns import Turns


class Chain(Protocol):
    """The client under test; `handle` carries out a request, or raises CallError."""

    handle: Handler


MakeChain = Callable[..., Chain]
"""Like `Policies`: makes a chain from a plan, a clock, a recorder of attempts, and a wire per dependency."""


class Client:
    """Carries the plan's tasks; `run` is for the loop, everything else may be read from outside."""

    def __init__(self, plan: Plan, rows: Rows, programs: Mapping[str, Program], make_chain: MakeChain) -> None:
        self._plan = plan
        self._rows = rows
        self._clock = rows.clock
        self._programs = programs
        self._make_chain = make_chain
        self._needs = [need for need in calls_of(plan.scenario).memory for _ in range(need.tasks)]
        self._states: Counter[TaskState] = Counter()
        self._all_came = False
        self._wires: dict[str, Wire] = {}
        self._ended = asyncio.Event()
        self._turns = plan.turns() if plan.users else None
        """The users of a closed workload at work."""
        self._news = asyncio.Event()
        """A task has ended: its user may be next."""

    # Readable from other threads.

    @property
    def open(self) -> int:
        """Open tasks."""
        return self._states[TaskState.IN_PROGRESS]

    @property
    def in_flight(self) -> int:
        """Calls in flight."""
        return sum(wire.in_flight for wire in tuple(self._wires.values()))

    @property
    def is_busy(self) -> bool:
        """Whether tasks are open or outstanding."""
        return not self._all_came or self.open > 0

    def census(self) -> dict[TaskState, int]:
        """Tasks by state, by the client's own count."""
        return dict(self._states)

    def end(self) -> None:
        """End `run`; call it in the loop."""
        self._ended.set()

    # In the loop.

    async def run(self) -> None:
        """Carry every task of the plan, until `end`."""
        plan, attempts = self._plan, Attempts(self._rows, self._plan.vocabulary)
        pool, primary = own_pool(calls_of(plan.scenario).policy), calls_of(plan.scenario).primary.name
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            supervisors = {name: Supervisor(program, plan, self._rows) for name, program in self._programs.items()}
            for name, program in self._programs.items():
                wire = Wire(program, supervisors[name], plan, self._rows, attempts, pool if name == primary else None)
                stack.push_async_callback(wire.close)
                self._wires[name] = wire
            chain = self._make_chain(plan, self._clock, attempts, self._wires)
            work = [tasks.create_task(each.run()) for each in supervisors.values()]
            work.append(tasks.create_task(self._arrive(chain) if self._turns is None else self._take_turns(chain)))
            await self._ended.wait()
            for each in work:
                each.cancel()

    async def _arrive(self, chain: Chain) -> None:
        async with asyncio.TaskGroup() as tasks:
            for chunk in self._plan.submissions():
                for due_s, number in zip(chunk.due_s.tolist(), chunk.number.tolist(), strict=True):
                    # Yield even when late, so that earlier tasks get their turn.
                    await asyncio.sleep(0)
                    while (left_s := due_s - self._clock.now()) > 0:
                        await asyncio.sleep(self._clock.real(left_s))
                    if due_s >= self._plan.ends_s:
                        self._all_came = True
                        return
                    self._begin(tasks, chain, number, due_s)
            self._all_came = True

    async def _take_turns(self, chain: Chain) -> None:
        """Like `_arrive`, for users who wait for their tasks."""
        turns = self._turns
        assert turns
        async with asyncio.TaskGroup() as tasks:
            while (left_s := min(turns.next_s, self._plan.ends_s) - self._clock.now()) > 0 or self._is_due(turns):
                self._news.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), max(0.0, self._clock.real(left_s)))
                for due_s, number, _ in turns.take(self._clock.now()):
                    self._begin(tasks, chain, number, due_s)
            self._all_came = True

    def _is_due(self, turns: Turns) -> bool:
        """Whether a submission that was due before the end of arrivals is late."""
        return turns.next_s < self._plan.ends_s

    def _begin(self, tasks: asyncio.TaskGroup, chain: Chain, number: int, due_s: float) -> None:
        # Recorded here: the loop may not run the task itself at once.
        self._states[TaskState.IN_PROGRESS] += 1
        self._rows.note(Kind.TASK_ENQUEUED, number=number, value=due_s)
        tasks.create_task(self._carry(chain, number))

    async def _carry(self, chain: Chain, number: int) -> None:
        """One task, from its arrival to its end."""
        need = self._needs[(number >> 1) % len(self._needs)] if self._needs else None
        request = Request(number, need.size_bytes if need else 0, bool(need and need.hold))
        self._rows.note(Kind.TASK_DISPATCHED, number=number, attempt=1)
        try:
            await chain.handle(request, math.inf)
        except CallError as failed:
            self._close(request, Kind.TASK_FAILED, TaskState.FAILED, failed.cause)
            return
        if request.degraded:
            how = self._plan.vocabulary.name(request.degraded)
            self._rows.note(Kind.TASK_DEGRADED, number=number, attempt=request.attempt, value=how)
        self._close(request, Kind.TASK_DONE, TaskState.DONE, 0)

    def _close(self, request: Request, kind: Kind, state: TaskState, cause: int) -> None:
        self._rows.note(kind, number=request.number, attempt=request.attempt, cause=cause)
        self._states[state] += 1
        self._states[TaskState.IN_PROGRESS] -= 1
        if self._turns:
            self._turns.ended(request.number, self._clock.now())
            self._news.set()
