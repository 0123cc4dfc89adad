"""The queue with users who wait for their tasks: what comes next follows from what ends."""

from simpy import Environment

from soak.schemas.stream.states import TaskState
from soak.simulation.plan import Plan
from soak.simulation.queue.fleet import FleetModel
from soak.simulation.queue.lease import FOREVER
from soak.simulation.queue.model import QueueModel
from soak.simulation.queue.queues import QueuesModel
from soak.simulation.recorder import Recorder


class ClosedQueueModel(QueueModel):
    """A queue whose work comes from `plan.turns` instead of `plan.submissions`."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        self._turns = plan.turns()
        super().__init__(env, plan, recorder)

    def _next_chunk(self) -> None:
        self._next_due = self._turns.next_s

    def catch_up(self, now: float) -> None:
        """Accept all work that is due by `now`."""
        if self._next_due > now:
            return
        # What is done with a submission may look for more work to come.
        self._next_due = FOREVER
        for due, number, cause in self._turns.take(now):
            self._states.extend(bytes(max(0, number + 2 - len(self._states))))
            if self._outages:
                self._submit(due, number, cause)
            elif cause:
                self._enqueue_again(due, due, number, cause)
            else:
                self._enqueue(due, due, number, cause)
        self._next_due = self._turns.next_s

    def close(self, now: float, number: int, state: int) -> None:
        """End a task in `state`; its user goes on, unless nobody ever answers: it is lost."""
        super().close(now, number, state)
        if state == TaskState.LOST:
            return
        self._turns.ended(number, now)
        self._next_due = self._turns.next_s
        if not self._ready:
            # The next submission may come before the poll that is planned.
            self.plan_poll(now)


class ClosedFleetModel(ClosedQueueModel, FleetModel):
    """The same, of a queue whose number of workers changes."""


class ClosedQueuesModel(ClosedQueueModel, QueuesModel):
    """The same, where workers belong to queues."""
