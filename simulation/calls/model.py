"""Tasks that arrive, each carried through the client's policies: the model of the system `calls`."""

import math

import numpy as np
from simpy import Environment

from soak.schemas.stream.events import CENSUS, Kind
from soak.schemas.stream.states import TaskState
from soak.schemas.systems.calls.settings import calls_of
from soak.simulation.calls.client import Client
from soak.simulation.calls.outcome import CallError, Request, Steps
from soak.simulation.losses import put_losses
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder


class CallsModel:
    """Turns a plan into events; `ended_s` is when the last task was over after the end of arrivals."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        self._env = env
        self._plan = plan
        self._row = recorder.row
        self._duration_s = plan.ends_s
        self._needs = [need for need in calls_of(plan.scenario).memory for _ in range(need.tasks)]
        self._client = Client(env, plan, recorder, self._holds)
        self._states = bytearray()
        self._open = 0
        self.ended_s: float | None = None
        if plan.users:
            self._turns, self._asked_s = plan.turns(), math.inf
            self._ask()
        else:
            env.process(self._arrive())
        env.process(self._sample())
        env.timeout(self._duration_s).callbacks.append(lambda _: self._look_for_the_end())
        put_losses(env, plan, recorder)

    def run(self, until_s: float) -> None:
        """Let everything happen that comes before `until_s`."""
        self._env.run(until=until_s)

    def census(self, now: float) -> None:
        """Record how many tasks the model itself holds in each state."""
        counts = np.bincount(np.frombuffer(self._states, dtype=np.uint8), minlength=len(TaskState))
        for state, kind in CENSUS.items():
            self._row((now, kind, -1, 0, -1, 0, int(counts[state])))

    def _holds(self, request: Request) -> bool:
        return bool(self._needs) and self._needs[(request.number >> 1) % len(self._needs)].hold

    def _arrive(self) -> Steps:
        for chunk in self._plan.submissions():
            for due_s, number in zip(chunk.due_s.tolist(), chunk.number.tolist(), strict=True):
                if due_s > self._env.now:
                    yield self._env.timeout(due_s - self._env.now)
                self._env.process(self._carry(number, due_s))

    def _ask(self) -> None:
        """Have the next submission of the users made when it is due."""
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
            self._env.process(self._carry(number, due_s))
        self._ask()

    def _carry(self, number: int, due_s: float) -> Steps:
        """One task, from its arrival to its end."""
        need = self._needs[(number >> 1) % len(self._needs)].size_bytes if self._needs else 0
        request = Request(number, need)
        self._states.extend(bytes(max(0, number + 2 - len(self._states))))
        self._states[number] = TaskState.IN_PROGRESS
        self._open += 1
        self._row((due_s, Kind.TASK_ENQUEUED, number, 0, -1, 0, due_s))
        self._row((due_s, Kind.TASK_DISPATCHED, number, 1, -1, 0, 0.0))
        try:
            yield from self._client.handle(request, math.inf)
        except CallError as failed:
            self._close(request, Kind.TASK_FAILED, TaskState.FAILED, failed.cause)
            return
        if request.degraded:
            how = self._plan.vocabulary.name(request.degraded)
            self._row((self._env.now, Kind.TASK_DEGRADED, number, request.attempt, -1, 0, how))
        self._close(request, Kind.TASK_DONE, TaskState.DONE, 0)

    def _close(self, request: Request, kind: Kind, state: TaskState, cause: int) -> None:
        self._row((self._env.now, kind, request.number, request.attempt, -1, cause, 0.0))
        self._states[request.number] = state
        self._open -= 1
        if self._plan.users:
            self._turns.ended(request.number, self._env.now)
            self._ask()
        self._look_for_the_end()

    def _look_for_the_end(self) -> None:
        if not self._open and self._env.now >= self._duration_s and self.ended_s is None:
            self.ended_s = self._env.now

    def _sample(self) -> Steps:
        every_s = self._plan.scenario.telemetry.sample_interval_s
        while True:
            yield self._env.timeout(every_s)
            if self.ended_s is None:
                waiting = self._open - self._client.in_flight
                self._row((self._env.now, Kind.SAMPLE_QUEUE_DEPTH, -1, 0, -1, 0, waiting))
                self._row((self._env.now, Kind.SAMPLE_IN_FLIGHT, -1, 0, -1, 0, self._client.in_flight))
