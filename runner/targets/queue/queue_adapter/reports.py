"""Ends of attempts: reported by a worker, or by the watchdog as an expired lease; recorded with the answer of the queue."""

from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from soak.contract import BusyError, Claim, Expired, Failed, Retry
from soak.runner.targets.context import RunContext
from soak.runner.targets.queue.queue_adapter.caller import QueueCaller
from soak.runner.targets.queue.queue_adapter.tasks import Tasks
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.settings import GuardrailMode, queue_of
from soak.simulation.queue.actions import Action


class _Ended(Struct, frozen=True):
    """A finished attempt: time, task, worker, and its fault."""

    t_s: float
    number: int
    attempt: int
    worker: int
    cause: int


class Reports:
    """Records the answers of the queue, with times taken before each call, so that no backoff seems to start late."""

    def __init__(self, context: RunContext, queue: QueueCaller, tasks: Tasks) -> None:
        self._context = context
        self._plan = context.plan
        self._blocks = queue_of(context.plan.scenario).guardrail_mode is GuardrailMode.ENFORCE
        self._queue = queue
        self._tasks = tasks

    def send(self, claim: Claim, number: int, worker: int, cause: int) -> None:
        """A worker reports the end of an attempt that met `cause`. Raises BusyError: it is to be reported again."""
        action = self._plan.action[cause]
        ended = _Ended(self._context.now(), number, claim.attempt, worker, cause)
        error = self._plan.vocabulary.causes[cause].error
        if action in {Action.TRANSIENT, Action.DB_LOCK, Action.PERMANENT, Action.TIME_LIMIT}:
            answer = self._queue.fail(claim, error, transient=action != Action.PERMANENT)
            if isinstance(answer, Retry | Failed):
                self._failed(ended, answer)
            else:
                self._refused(ended)
        elif action == Action.OVER_BUDGET and self._blocks:
            if self._queue.block(claim, error):
                self._close(ended, Kind.TASK_BLOCKED)
            else:
                self._refused(ended)
        elif self._queue.complete(claim):
            self._close(replace(ended, cause=NO_CAUSE), Kind.TASK_DONE)
        else:
            self._refused(ended)

    def recover(self) -> None:
        """A tick of the watchdog."""
        now_s = self._context.now()
        try:
            found = self._queue.recover()
        except BusyError:
            return
        for each in found:
            if self._queue.claiming and not self._tasks.is_known(each.task_id, each.attempt):
                # Its claim, made at the same moment, comes first.
                self._context.soon(partial(self._expired_meanwhile, each))
            else:
                self._expired(now_s, each)

    def _expired_meanwhile(self, expired: Expired) -> None:
        self._expired(self._context.now(), expired)

    def _expired(self, now_s: float, expired: Expired) -> None:
        number = self._tasks.expired(expired.task_id)
        at = number, expired.attempt
        ended = _Ended(now_s, *at, self._tasks.holder(*at), self._tasks.cause(*at))
        self._note(ended, Kind.LEASE_EXPIRED)
        self._failed(ended, expired.outcome)

    def _failed(self, ended: _Ended, outcome: Retry | Failed) -> None:
        if isinstance(outcome, Failed):
            if outcome.dead_lettered:
                self._note(ended, Kind.TASK_DEAD_LETTERED)
            self._close(ended, Kind.TASK_FAILED)
            return
        due_s = ended.t_s + outcome.in_s * self._context.clock.speed
        self._tasks.waits(ended.number, due_s)
        self._note(ended, Kind.TASK_RETRY, due_s)

    def _refused(self, ended: _Ended) -> None:
        cause = ended.cause or self._tasks.why_refused(ended.number, ended.attempt)
        self._note(replace(ended, cause=cause), Kind.LEASE_REFUSED)

    def _close(self, ended: _Ended, kind: Kind) -> None:
        self._tasks.closed(ended.number)
        self._note(ended, kind)
        self._tasks.ended(ended.number, ended.t_s)

    def _note(self, ended: _Ended, kind: Kind, due_s: float = 0.0) -> None:
        self._context.note(
            ended.t_s,
            kind,
            number=ended.number,
            attempt=ended.attempt,
            worker=ended.worker,
            cause=ended.cause,
            value=due_s,
        )
