"""The runner's record of tasks accepted by a queue."""

from collections import deque
from collections.abc import Callable, Sequence

from soak.contract import Claim, TaskId
from soak.runner.targets.keys import key_of, payload_of
from soak.runner.targets.queue.names import worker_name
from soak.runner.targets.queue.queue_adapter.caller import QueueCaller
from soak.schemas.stream.events import COPY
from soak.schemas.stream.vocabulary import Vocabulary

REMEMBERED = 2_000


class Tasks:
    """Tasks by the queue's ids and the plan's numbers. `blame`: the fault of an attempt, by task number and attempt."""

    def __init__(self, queue: QueueCaller, vocabulary: Vocabulary, kind_of: Callable[[int], str]) -> None:
        """kind_of: the name of the kind of a task; empty for none."""
        self._queue = queue
        self._kind_of = kind_of
        self._expired = vocabulary.cause("", "lease_expired")
        self._claimed_twice = vocabulary.cause("", "claimed_twice")
        self._numbers: dict[TaskId, int] = {}
        self.open: set[int] = set()
        """Those that are not closed."""
        self.due_s: dict[int, float] = {}
        """When those that wait may be claimed."""
        self.blame: dict[int, dict[int, int]] = {}
        self._holders: dict[int, dict[int, int]] = {}
        self._twice: set[int] = set()
        self.claimed_twice = 0
        """How many claims were of a task that was not waiting."""
        self._closed: deque[int] = deque()
        self.ended: Callable[[int, float], None] = lambda number, t_s: None
        """To be called with the number of each task that is closed, and when."""

    def accepted(self, task_id: TaskId, number: int, due_s: float) -> None:
        """The queue accepted a task. Raises ContractError for an id used before."""
        if task_id in self._numbers:
            raise self._queue.broke(
                "enqueue", f"returned the id {task_id!r} a second time (every accepted task needs a new id)"
            )
        self._numbers[task_id] = number
        self.open.add(number)
        self.due_s[number] = due_s

    def claimed(self, claim: Claim, worker: int, rivals: Sequence[int] = ()) -> int:
        """The number of a task that was claimed. Raises ContractError for a claim that is not what was enqueued.

        A task that was not waiting is claimed twice: that is for the judge to see. `rivals` claimed the same attempt at the
        same moment; then the claim may be in the name of any of them.
        """
        number = self._number(claim.task_id, "claim")
        kind = self._kind_of(number)
        for what, came, *meant in (
            ("worker", claim.worker, *map(worker_name, (worker, *rivals))),
            ("key", claim.key, key_of(number)),
            ("payload", claim.payload, payload_of(number, kind), payload_of(number & ~COPY, kind)),
        ):
            if came not in meant:
                raise self._queue.broke(
                    "claim", f"returned task {claim.task_id!r} with {what} {came!r}, not {meant[0]!r}"
                )
        if self.due_s.pop(number, None) is None:
            self._twice.add(number)
            self.claimed_twice += 1
        self._holders.setdefault(number, {})[claim.attempt] = worker
        return number

    def is_known(self, task_id: TaskId, attempt: int) -> bool:
        """Whether an attempt was claimed."""
        return attempt in self._holders.get(self._numbers.get(task_id, -1), {})

    def waits(self, number: int, due_s: float) -> None:
        """A task is PENDING again."""
        self.open.add(number)
        self.due_s[number] = due_s

    def holder(self, number: int, attempt: int) -> int:
        """Which worker made an attempt; -1 when that is not known any more."""
        return self._holders.get(number, {}).get(attempt, -1)

    def expired(self, task_id: TaskId) -> int:
        """The number of a task whose lease ran out. Raises ContractError for one that there is not."""
        return self._number(task_id, "recover")

    def closed(self, number: int) -> None:
        """A task is DONE, FAILED or BLOCKED."""
        self.open.discard(number)
        self.due_s.pop(number, None)
        # A worker that lost its lease may still come back to it: it is not forgotten at once.
        self._closed.append(number)
        if len(self._closed) > REMEMBERED:
            forgotten = self._closed.popleft()
            self.blame.pop(forgotten, None)
            self._holders.pop(forgotten, None)
            self._twice.discard(forgotten)

    def cause(self, number: int, attempt: int) -> int:
        """The fault that an attempt met, or that its lease ran out."""
        return self.blame.get(number, {}).get(attempt, self._expired)

    def why_refused(self, number: int, attempt: int) -> int:
        """The fault that an attempt met, or that its task was claimed twice, or that its lease ran out."""
        otherwise = self._claimed_twice if number in self._twice else self._expired
        return self.blame.get(number, {}).get(attempt, otherwise)

    def _number(self, task_id: TaskId, method: str) -> int:
        if task_id not in self._numbers:
            raise self._queue.broke(method, f"named the task {task_id!r}, which enqueue() never returned")
        return self._numbers[task_id]
