"""The execution ledger: each attempt that a body reports, with its planned fate."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from soak.runner.targets.context import RunContext
from soak.runner.targets.queue.foreign.account import Account
from soak.runner.targets.queue.foreign.server import Attempt, Server
from soak.runner.targets.queue.names import Workers
from soak.schemas.stream.events import KEY_SHIFT, Kind
from soak.schemas.stream.identity import LEAST_LAG_REAL_S
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.queue.actions import BODY_FAILS, Action
from soak.simulation.queue.mishaps import limited, rules

GONE = "process_gone"
"""The error of an execution whose process is gone, and no fault is known to have ended it."""

_FAILS = {
    Action.TRANSIENT: "transient",
    Action.PERMANENT: "permanent",
    Action.TIME_LIMIT: "transient",
    Action.DB_LOCK: "transient",
}
"""How a body ends that fails."""

_NUMBERED = re.compile(r"\b(process|task|submit|census) \d+")

_ACTIONS = tuple(Action)
"""By number: a lookup of the member costs as much as a clock."""


class Strikes(Protocol):
    """What faults of attempts do to the worker that has one, by its name."""

    @property
    def blamed(self) -> Mapping[str, int]:
        """By worker that a fault was to end: the cause, until it is started again."""

    @property
    def slowed(self) -> Mapping[str, Sequence[tuple[float, int]]]:
        """By worker: how many times as long what it begins now is to take, and the cause of that."""

    def worker_of(self, pid: int) -> str | None:
        """The worker that a process belongs to; None for a process of no worker that we know."""

    def kill(self, name: str, cause: int) -> bool:
        """SIGKILL as the target file says; its end is noted with the cause."""

    def pause(self, name: str) -> bool:
        """SIGSTOP."""

    def wake(self, name: str) -> None:
        """SIGCONT, where there is still such a process."""


class Ledger:
    """Told by the server when a body starts and ends, it decides what happens in between.

    An execution has died when its line is closed, whatever was killed.
    """

    def __init__(
        self, context: RunContext, server: Server, account: Account, workers: Workers, strikes: Strikes
    ) -> None:
        self._context, self._plan = context, context.plan
        self._server, self._account, self._workers, self._strikes = server, account, workers, strikes
        self._queue = queue_of(context.plan.scenario)
        self._limited, self._rules = limited(context.plan), rules(context.plan)
        self._locked_s = self._queue.busy_timeout_s
        self.strays = 0
        """Bodies whose task was never submitted."""
        server.answer(started=self._started, ended=self._ended, lost=self._lost, wrong=self.went_wrong)
        self.wrong: dict[str, int] = {}
        """What clients did wrong, in words, and how often."""

    # What bodies report.

    def _started(self, attempt: Attempt) -> None:
        if attempt.number > self._account.highest:
            self.strays += 1
            self.went_wrong(f"a body reports task {attempt.number >> KEY_SHIFT}, which was never submitted")
            self._server.finish(attempt, end="permanent", error="unknown_task")
            return
        self._name(attempt)
        t_s = self._context.clock.scenario(attempt.started_at)
        attempt.attempt = self._account.started(attempt.number, self._workers.number(attempt.worker), t_s)
        if attempt.own:
            return
        service_s, attempt.cause, within = self._plan.fate(attempt.number, attempt.attempt, t_s)
        service_s = self._begun(attempt, service_s)
        self._server.work(attempt, service_s / self._context.clock.speed, 0)
        self._put_fate(attempt, t_s, service_s, within)

    def _name(self, attempt: Attempt) -> None:
        """The worker of an attempt: that whose process it runs in, or else what it calls itself."""
        line = attempt.line
        found = line.of_worker if line else None
        if found is None and attempt.pid:
            found = self._strikes.worker_of(attempt.pid)
            if line:
                line.of_worker = found
        attempt.worker = found or attempt.worker or (f"{attempt.host}:{attempt.pid}" if attempt.pid else "")

    def _begun(self, attempt: Attempt, service_s: float) -> float:
        """How long an attempt takes that has begun, in scenario time: other than planned if it is slow."""
        if self._action(attempt) is Action.SLOW:
            self._inject(attempt)
            service_s *= self._queue.fleet.strikes[self._plan.fault_of(attempt.cause).name].factor
        for factor, slowed in self._strikes.slowed.get(attempt.worker, ()):
            service_s *= factor
            self._context.note(self._context.now(), Kind.FAULT_SEEN, cause=slowed)
        limited_s, cause = self._limited(attempt.number, service_s, attempt.cause)
        if limited_s < service_s and not attempt.cause:
            attempt.cause = cause
        return limited_s

    def _put_fate(self, attempt: Attempt, t_s: float, service_s: float, within: float) -> None:
        action, end_s = self._action(attempt), t_s + service_s
        if action in {Action.CRASH, Action.HANG}:
            strike = self._crash if action is Action.CRASH else self._hang
            self._context.at(t_s + within * service_s, lambda: strike(attempt))
        if action is Action.HANG:
            end_s += self._plan.fault_of(attempt.cause).hang_for_s
        elif action is Action.DB_LOCK:
            end_s += self._locked_s
        self._context.at(end_s, lambda: self._finish(attempt))

    def _ended(self, attempt: Attempt, at: float, end: str, error: str) -> None:
        if not attempt.attempt:
            return  # of no task that was submitted
        t_s, action = self._context.clock.scenario(at), self._action(attempt)
        if action in {Action.HANG, Action.SLOW}:
            self._context.note(t_s, Kind.FAULT_SEEN, cause=attempt.cause)
        if end != "ok":
            planned = attempt.cause if action in _FAILS else NO_CAUSE
            cause = planned or self._plan.vocabulary.cause("", error or end)
            where = self._where(attempt)
            # Before it was told to, it cannot have failed; of work of its own, that is seen a little later.
            since_s = t_s - LEAST_LAG_REAL_S * self._context.clock.speed if attempt.told_s is None else attempt.told_s
            ran_s, transient = self._ran_s(attempt, t_s), end == "transient"
            self._account.failed(*where, t_s, cause, ran_s, transient=transient, since_s=since_s)
        elif action is Action.OVER_BUDGET:
            self._account.blocked(*self._where(attempt), t_s, attempt.cause, self._ran_s(attempt, t_s))
        else:
            self._account.succeeded(*self._where(attempt), t_s, self._ran_s(attempt, t_s))

    def _lost(self, attempt: Attempt, at: float) -> None:
        if not attempt.attempt:
            return
        t_s = self._context.clock.scenario(at)
        cause = self._strikes.blamed.get(attempt.worker) or self._plan.vocabulary.cause("", GONE)
        if cause == attempt.cause and self._action(attempt) is Action.CRASH:
            self._context.note(t_s, Kind.FAULT_SEEN, cause=cause)
        self._account.died(*self._where(attempt), t_s, cause, self._ran_s(attempt, t_s))

    def went_wrong(self, words: str) -> None:
        """Note what a client of the protocol did wrong."""
        self.wrong[words] = self.wrong.get(words, 0) + 1

    def mistakes(self) -> list[str]:
        """What clients did wrong, in words; what differs in the process or task alone is said once, with how often."""
        alike: dict[str, list[str]] = {}
        for words in self.wrong:
            alike.setdefault(_NUMBERED.sub(r"\1", words), []).append(words)
        return [_counted(each, sum(self.wrong[words] for words in each)) for each in alike.values()]

    # What happens to them.

    def _where(self, attempt: Attempt) -> tuple[int, int, int]:
        return attempt.number, attempt.attempt, self._workers.number(attempt.worker)

    def _ran_s(self, attempt: Attempt, t_s: float) -> float:
        return max(0.0, t_s - self._context.clock.scenario(attempt.started_at))

    def _finish(self, attempt: Attempt) -> None:
        """The service time is over."""
        if attempt.over:
            return
        action, attempt.told_s = self._action(attempt), self._context.now()
        if (action in BODY_FAILS or action is Action.DB_LOCK) and action is not Action.TIME_LIMIT:
            self._inject(attempt)
        if action in _FAILS:
            error = self._plan.vocabulary.causes[attempt.cause].error
            self._server.finish(attempt, end=_FAILS[action], error=error)
        else:
            over = action is Action.OVER_BUDGET
            tokens = self._rules(attempt.number).hard_tokens + 1 if over else 0
            self._server.finish(attempt, end="ok", tokens=tokens)

    def _crash(self, attempt: Attempt) -> None:
        if not attempt.over and self._is_reachable(attempt):
            self._inject(attempt)
            self._strikes.kill(attempt.worker, attempt.cause)

    def _hang(self, attempt: Attempt) -> None:
        if not attempt.over and self._is_reachable(attempt):
            self._inject(attempt)
            self._strikes.pause(attempt.worker)
            wakes_s = self._context.now() + self._plan.fault_of(attempt.cause).hang_for_s
            self._context.at(wakes_s, lambda: self._strikes.wake(attempt.worker))

    def _is_reachable(self, attempt: Attempt) -> bool:
        """Whether the process of an attempt belongs to a worker that can be struck."""
        if attempt.pid and self._strikes.worker_of(attempt.pid) == attempt.worker:
            return True
        self.went_wrong(f"worker {attempt.worker!r} is not a process of this run: it cannot be killed or stopped")
        return False

    def _inject(self, attempt: Attempt) -> None:
        self._context.note(
            self._context.now(),
            Kind.FAULT_INJECTED,
            number=attempt.number,
            attempt=attempt.attempt,
            worker=self._workers.number(attempt.worker),
            cause=attempt.cause,
        )

    def _action(self, attempt: Attempt) -> Action:
        return _ACTIONS[self._plan.action[attempt.cause]]


def _counted(alike: list[str], times: int) -> str:
    if times == 1:
        return alike[0]
    return f"{alike[0]} ({times} times{', by other processes or of other tasks too' if len(alike) > 1 else ''})"
