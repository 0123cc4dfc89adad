"""Requests that arrive, and the service that answers them: the model of the system `gateway`.

SimPy's clock carries what is out of the ordinary (faults, losses of telemetry). Between two of its events the ordinary course
of requests is stepped: arrivals, what the agenda of the service holds, timeouts, samples. A timeout counts from when a request
is sent; the service works on it all the same.
"""

import heapq
import math
from collections import deque
from collections.abc import Iterator

import numpy as np
from simpy import Environment

from soak.schemas.language.http import RequestError
from soak.schemas.stream.events import CENSUS, Kind
from soak.schemas.stream.states import TaskState
from soak.schemas.systems.gateway.settings import gateway_of
from soak.simulation.gateway.agenda import Agenda, Request
from soak.simulation.gateway.errors import error_causes, successes
from soak.simulation.gateway.mishaps import Mishaps
from soak.simulation.gateway.service import THROTTLED, Answers, Service
from soak.simulation.gateway.values import labels
from soak.simulation.losses import put_losses
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder

# Plain numbers for the hot path: looking up a member of an enumeration costs as much as a heap operation.
_ENQUEUED, _DISPATCHED, _RECEIVED = int(Kind.TASK_ENQUEUED), int(Kind.TASK_DISPATCHED), int(Kind.RESPONSE_RECEIVED)
_TASK_DONE, _TASK_FAILED = int(Kind.TASK_DONE), int(Kind.TASK_FAILED)
_IN_PROGRESS, _DONE, _FAILED = int(TaskState.IN_PROGRESS), int(TaskState.DONE), int(TaskState.FAILED)
_NEVER = math.inf


class GatewayModel:
    """Turns a plan into events; `ended_s` is when the last request was over after the end of arrivals."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        self._env, self._plan, self._row = env, plan, recorder.row
        gateway = gateway_of(plan.scenario)
        self._timeout_s = gateway.timeout_s
        self._every_s = self._sample_s = plan.scenario.telemetry.sample_interval_s
        errors = error_causes(plan.vocabulary)
        self._throttled, self._server_error = errors[RequestError.THROTTLED], errors[RequestError.SERVER_ERROR]
        self._timed_out, self._wrong = errors[RequestError.TIMEOUT], errors[RequestError.WRONG_ANSWER]
        self._label, self._kinds = labels(plan), max(1, len(plan.scenario.workload.kinds))
        expected = successes(gateway.exchanges)
        self._successes = expected if len(expected) == self._kinds else expected * self._kinds
        self._agenda = Agenda()
        self._mishaps = Mishaps(env, plan, recorder)
        answers = Answers(self._well, self._badly, self._never, self._mishaps.seen)
        self._service = Service(self._agenda, plan, answers, watched=self._mishaps.kills())
        self._mishaps.put(self._service)
        put_losses(env, plan, recorder)
        self._states = bytearray()
        self._open = 0
        self._waits: deque[tuple[float, int]] = deque()
        """Until when each request is waited for, in order; those that have ended are removed when they are the first."""
        self.ended_s: float | None = None
        self._turns = plan.turns() if plan.users else None
        self._arrivals = _numbered(plan)
        self._coming: tuple[float, int] = (_NEVER, 0) if self._turns else next(self._arrivals)

    def run(self, until_s: float) -> None:
        """Let everything happen that comes before `until_s`."""
        env = self._env
        while True:
            next_s = env.peek()
            self._step(min(next_s, until_s))
            if next_s >= until_s:
                break
            env.step()
        # Arrivals are over at a time at which nothing else needs to happen.
        if until_s > self._plan.ends_s:
            self._look_for_the_end(self._plan.ends_s)

    def census(self, now: float) -> None:
        """Record how many requests the model itself holds in each state."""
        counts = np.bincount(np.frombuffer(self._states, dtype=np.uint8), minlength=len(TaskState))
        for state, kind in CENSUS.items():
            self._row((now, kind, -1, 0, -1, 0, int(counts[state])))

    def _step(self, limit_s: float) -> None:
        """The ordinary course of requests before the next event of SimPy. At the same time, what ends comes first."""
        heap, turns, waits, pop = self._agenda.heap, self._turns, self._waits, heapq.heappop
        while True:
            ends_s = heap[0][0] if heap else _NEVER
            due_s = turns.next_s if turns else self._coming[0]
            now = min(ends_s, due_s, waits[0][0] if waits else _NEVER, self._sample_s)
            if now >= limit_s:
                return
            if now == ends_s:
                _, _, action, request = pop(heap)
                action(now, request)
            elif waits and now == waits[0][0]:
                self._give_up(now, waits.popleft()[1])
            elif now == due_s:
                self._submit(now)
            else:
                self._sample(now)

    def _submit(self, now: float) -> None:
        if self._turns:
            for due_s, number, _ in self._turns.take(now):
                self._take(due_s, number)
        else:
            self._take(*self._coming)
            self._coming = next(self._arrivals)

    def _take(self, due_s: float, number: int) -> None:
        """A request is sent."""
        if number >= len(self._states):
            self._states.extend(bytes(number + 2 - len(self._states)))
        self._states[number] = _IN_PROGRESS
        self._open += 1
        enqueued = due_s, _ENQUEUED, number, 0, -1, 0, due_s
        self._row((*enqueued, due_s, _DISPATCHED, number, 1, -1, 0, 0.0))
        self._waits.append((due_s + self._timeout_s, number))
        self._service.take(due_s, Request(number, due_s, *divmod(self._label(number), self._kinds)))

    def _well(self, now: float, request: Request) -> None:
        number = request.number
        if self._states[number] == _IN_PROGRESS:
            success = self._successes[request.kind]
            if now - request.sent_s <= success.within_s:
                self._done(now, number, success.status)
            else:
                self._row((now, _RECEIVED, number, 1, -1, 0, success.status))
                self._fail(now, number, self._wrong)

    def _badly(self, now: float, request: Request, status: int, cause: int) -> None:
        number = request.number
        if self._states[number] == _IN_PROGRESS:
            if status in self._successes[request.kind].also:
                self._done(now, number, status)
                return
            own = self._throttled if status == THROTTLED else self._server_error
            self._row((now, _RECEIVED, number, 1, -1, 0, status))
            self._fail(now, number, self._mishaps.error_of(cause) if cause else own)

    def _done(self, now: float, number: int, status: int) -> None:
        answered = now, _RECEIVED, number, 1, -1, 0, status
        self._row((*answered, now, _TASK_DONE, number, 1, -1, 0, 0.0))
        self._close(now, number, _DONE)

    def _never(self, now: float, request: Request, cause: int) -> None:
        if self._states[request.number] == _IN_PROGRESS:
            self._fail(now, request.number, self._mishaps.error_of(cause))

    def _give_up(self, now: float, number: int) -> None:
        if self._states[number] == _IN_PROGRESS:
            self._fail(now, number, self._timed_out)

    def _fail(self, now: float, number: int, cause: int) -> None:
        self._row((now, _TASK_FAILED, number, 1, -1, cause, 0.0))
        self._close(now, number, _FAILED)

    def _close(self, now: float, number: int, state: int) -> None:
        self._states[number] = state
        self._open -= 1
        waits, states = self._waits, self._states
        while waits and states[waits[0][1]] != _IN_PROGRESS:
            waits.popleft()
        if self._turns:
            self._turns.ended(number, now)
        if not self._open:
            self._look_for_the_end(now)

    def _look_for_the_end(self, now: float) -> None:
        if not self._open and now >= self._plan.ends_s and self.ended_s is None:
            self.ended_s = now

    def _sample(self, now: float) -> None:
        self._sample_s = now + self._every_s
        if self.ended_s is None:
            self._row((now, Kind.SAMPLE_IN_SERVICE, -1, 0, -1, 0, self._service.busy))
            if outbox := self._service.outbox:
                self._row((now, Kind.SAMPLE_OUTBOX, -1, 0, -1, 0, outbox.level(now)))


def _numbered(plan: Plan) -> Iterator[tuple[float, int]]:
    """When each request is due, and its number; endless."""
    for chunk in plan.submissions():
        yield from zip(chunk.due_s.tolist(), chunk.number.tolist(), strict=True)
    while True:
        yield _NEVER, 0
