"""Requests that arrive, and the service that answers them: the model of the system `gateway`."""

import math
from collections.abc import Generator

import numpy as np
from simpy import Environment, Event, Resource

from soak.schemas.language.http import RequestError
from soak.schemas.stream.events import CENSUS, Kind
from soak.schemas.stream.states import TaskState
from soak.schemas.systems.gateway.settings import gateway_of
from soak.simulation.gateway.errors import error_causes
from soak.simulation.losses import put_losses
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder

_OK, _UNAVAILABLE = 200, 503


class GatewayModel:
    """Turns a plan into events; `ended_s` is when the last request was over after the end of arrivals."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        self._env, self._plan, self._row = env, plan, recorder.row
        self._gateway = gateway_of(plan.scenario)
        self._workers = Resource(env, self._gateway.workers)
        self._errors = error_causes(plan.vocabulary)
        self._states = bytearray()
        self._open = 0
        self.ended_s: float | None = None
        if plan.users:
            self._turns, self._asked_s = plan.turns(), math.inf
            self._ask()
        else:
            env.process(self._arrive())
        env.process(self._sample())
        env.timeout(plan.ends_s).callbacks.append(lambda _: self._look_for_the_end())
        put_losses(env, plan, recorder)

    def run(self, until_s: float) -> None:
        """Let everything happen that comes before `until_s`."""
        self._env.run(until=until_s)

    def census(self, now: float) -> None:
        """Record how many requests the model itself holds in each state."""
        counts = np.bincount(np.frombuffer(self._states, dtype=np.uint8), minlength=len(TaskState))
        for state, kind in CENSUS.items():
            self._row((now, kind, -1, 0, -1, 0, int(counts[state])))

    def _arrive(self) -> Generator[Event, None, None]:
        for chunk in self._plan.submissions():
            for due_s, number in zip(chunk.due_s.tolist(), chunk.number.tolist(), strict=True):
                if due_s > self._env.now:
                    yield self._env.timeout(due_s - self._env.now)
                self._env.process(self._answer(number, due_s))

    def _ask(self) -> None:
        """Have the next request of the users made when it is due."""
        due_s = self._turns.next_s
        if due_s < self._asked_s:
            self._asked_s = due_s
            self._env.timeout(max(0.0, due_s - self._env.now)).callbacks.append(lambda _: self._submit(due_s))

    def _submit(self, until_s: float) -> None:
        if until_s != self._asked_s:
            # Something was due earlier: this has been asked for again since.
            return
        self._asked_s = math.inf
        for due_s, number, _ in self._turns.take(until_s):
            self._env.process(self._answer(number, due_s))
        self._ask()

    def _answer(self, number: int, due_s: float) -> Generator[Event, None, None]:
        """One request, from its arrival to its answer."""
        self._states.extend(bytes(max(0, number + 2 - len(self._states))))
        self._states[number] = TaskState.IN_PROGRESS
        self._open += 1
        self._row((due_s, Kind.TASK_ENQUEUED, number, 0, -1, 0, due_s))
        self._row((due_s, Kind.TASK_DISPATCHED, number, 1, -1, 0, 0.0))
        if len(self._workers.queue) >= self._gateway.backlog and self._workers.count == self._workers.capacity:
            self._close(number, _UNAVAILABLE, self._errors[RequestError.SERVER_ERROR])
            return
        with self._workers.request() as turn:
            if not turn.triggered:
                yield turn
            yield self._env.timeout(self._plan.fate(number, 1, self._env.now)[0])
        self._close(number, _OK, 0)

    def _close(self, number: int, status: int, cause: int) -> None:
        now, failed = self._env.now, cause != 0
        self._row((now, Kind.RESPONSE_RECEIVED, number, 1, -1, 0, status))
        self._row((now, Kind.TASK_FAILED if failed else Kind.TASK_DONE, number, 1, -1, cause, 0.0))
        self._states[number] = TaskState.FAILED if failed else TaskState.DONE
        self._open -= 1
        if self._plan.users:
            self._turns.ended(number, now)
            self._ask()
        self._look_for_the_end()

    def _look_for_the_end(self) -> None:
        if not self._open and self._env.now >= self._plan.ends_s and self.ended_s is None:
            self.ended_s = self._env.now

    def _sample(self) -> Generator[Event, None, None]:
        every_s = self._plan.scenario.telemetry.sample_interval_s
        while True:
            yield self._env.timeout(every_s)
            if self.ended_s is None:
                self._row((self._env.now, Kind.SAMPLE_IN_SERVICE, -1, 0, -1, 0, self._workers.count))
