"""Executions with their planned fates: how long they take, how they end, what kills their workers."""

import socket
from collections.abc import Mapping
from typing import Any, cast

from histories import loaded

from soak.runner.targets.agenda import Agenda
from soak.runner.targets.clock import Clock
from soak.runner.targets.context import RunContext
from soak.runner.targets.journal import Journal
from soak.runner.targets.queue.foreign.account import Account
from soak.runner.targets.queue.foreign.ledger import Ledger
from soak.runner.targets.queue.foreign.server import Attempt, Server, _Line
from soak.runner.targets.queue.names import Workers
from soak.runner.targets.submitter import Submission
from soak.schemas.stream.events import SPECS, Kind, task_name
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.settings import queue_of
from soak.schemas.target.model import Promise, Promises
from soak.simulation.plan import Plan

TASK = 6
SCENARIO = """
duration: 1m
workload: {arrivals: {rate: 1/s}, task: {duration: {distribution: constant, value: 4s}}}
queue: {busy_timeout: 2s, retry: {max_attempts: 2, backoff: [10s]}}
faults: [{name: it, type: %s, rate: 100%%%s}]
"""
PLAIN = SCENARIO.partition("faults")[0]


class Run:
    """A ledger at a clock that is set by hand; what it says to bodies and does to workers is kept in `said`."""

    def __init__(self, text: str = PLAIN, *promises: Promise, worker: str | None = "w0") -> None:
        self.t_s = 0.0
        plan = Plan(loaded(text).scenario)
        clock = Clock(1.0, 0.0, wall=lambda: self.t_s, steady=lambda: self.t_s)
        self.context = RunContext(plan, clock, Agenda(), Journal(plan, 0.0), 0.0, 0.0)
        self.account = Account(self.context, Promises(frozenset({Promise.RETRIES, *promises})))
        self.said: list[str] = []
        self.blamed: Mapping[str, int] = {}
        self.slowed: dict[str, list[tuple[float, int]]] = {}
        self.worker = worker
        workers = Workers(queue_of(plan.scenario))
        self.ledger = Ledger(self.context, cast(Server, self), self.account, workers, self)
        self.account.offered(Submission(0.0, TASK, NO_CAUSE))
        self.account.accepted(TASK, 0.0)

    # The server.

    def answer(self, *, started: Any, ended: Any, lost: Any, wrong: Any) -> None:
        self.started, self.ended, self.lost = started, ended, lost

    def work(self, attempt: Attempt, seconds: float, memory_bytes: int = 0) -> None:
        self.say(f"work {seconds:g}")

    def finish(self, attempt: Attempt, *, end: str, error: str = "", tokens: int = 0) -> None:
        attempt.planned = (end, error)
        self.say(" ".join(["finish", end, error]).strip())

    def say(self, words: str) -> None:
        self.said.append(f"{self.t_s:g} {words}")

    # Faults.

    def worker_of(self, pid: int) -> str | None:
        return self.worker

    def kill(self, name: str, cause: int) -> bool:
        self.blamed = {name: cause}
        self.say(f"kill {name}")
        return True

    def pause(self, name: str) -> bool:
        self.say(f"pause {name}")
        return True

    def wake(self, name: str) -> None:
        self.say(f"wake {name}")

    # A body.

    def start(self, number: int = TASK, **fields: Any) -> Attempt:
        attempt = Attempt(number, started_at=self.t_s, **{"pid": 7, **fields})
        self.started(attempt)
        return attempt

    def end(self, attempt: Attempt, end: str = "", error: str = "") -> None:
        attempt.over = True
        planned = (end, error) if end or not attempt.planned else attempt.planned
        self.ended(attempt, self.t_s, *planned)

    def gone(self, attempt: Attempt) -> None:
        attempt.over = True
        self.lost(attempt, self.t_s)

    def until(self, end_s: float) -> None:
        while self.t_s < end_s:
            self.t_s = round(self.t_s + 0.5, 6)
            self.context.agenda.run(self.t_s)

    @property
    def waits(self) -> list[tuple[float, float]]:
        """When retries were noted, and when they may begin."""
        block = self.context.journal.take(self.t_s)
        retries = block.kind == Kind.TASK_RETRY
        return list(zip(block.t[retries].tolist(), block.value[retries].tolist(), strict=True))

    @property
    def events(self) -> list[str]:
        block = self.context.journal.take(self.t_s)
        rows = zip(*(getattr(block, name).tolist() for name in ("t", "kind", "task", "attempt", "cause")), strict=True)
        causes = self.context.plan.vocabulary.causes
        found = []
        for t_s, kind, task, attempt, cause in rows:
            why = [causes[cause].fault or causes[cause].error] if cause else []
            name = [task_name(task), f"@{attempt}"] if task >= 0 else []
            found.append(" ".join([f"{t_s:g}", SPECS[Kind(kind)].type, *name, *why]))
        return found[1:]


def test_a_body_is_told_to_end_when_its_time_is_over() -> None:
    run = Run()
    attempt = run.start()
    run.until(10)
    assert run.said == ["0 work 4", "4 finish ok"]
    run.end(attempt)
    assert run.events[-2:] == ["10 execution.ended 3 @1", "10 task.done 3 @1"]


def test_what_a_slow_worker_begins_takes_longer() -> None:
    run = Run()
    run.slowed = {"w0": [(2.5, run.context.plan.vocabulary.cause("it", "slow_worker"))]}
    run.start()
    run.until(10)
    assert run.said == ["0 work 10", "10 finish ok"]
    assert "0 fault.seen it" in run.events


def test_faults_of_the_body_are_how_it_ends() -> None:
    for fault, end, last in (
        ("transient_error", "transient", "4 task.retry 3 @1 it"),
        ("permanent_error", "permanent", "4 task.failed 3 @1 it"),
    ):
        run = Run(SCENARIO % (fault, ", errors: [network]"))
        attempt = run.start()
        run.until(4)
        run.end(attempt)
        assert run.said == ["0 work 4", f"4 finish {end} network"]
        assert run.events[2:] == ["4 fault.injected 3 @1 it", "4 execution.ended 3 @1 it", last]


def test_a_database_lock_takes_its_timeout_and_fails() -> None:
    run = Run(SCENARIO % ("db_lock", ""))
    run.start()
    run.until(10)
    assert run.said[-1].startswith("6 finish transient")


def test_a_crash_kills_the_worker_and_its_execution_dies_of_it() -> None:
    run = Run(SCENARIO % ("worker_crash", ""))
    attempt = run.start()
    while len(run.said) < 2:
        run.until(run.t_s + 0.5)
    assert run.said[1].endswith("kill w0")
    run.gone(attempt)
    *_, seen, ended = (each.split(" ", 1)[1] for each in run.events)
    assert [seen, ended] == ["fault.seen it", "execution.ended 3 @1 it"]
    assert run.account.open == 1
    run.until(20)
    assert not any("finish" in each for each in run.said), "nobody is told to end who is gone"


def test_a_line_that_closes_without_a_fault_is_a_process_that_is_gone() -> None:
    run = Run()
    run.gone(run.start())
    assert run.events[-1] == "0 execution.ended 3 @1 process_gone"


def test_a_worker_that_is_not_ours_is_not_struck() -> None:
    run = Run(SCENARIO % ("worker_crash", ""), worker=None)
    run.start(worker="elsewhere")
    run.until(20)
    assert run.said == ["0 work 4", "4 finish ok"]
    assert list(run.ledger.wrong) == ["worker 'elsewhere' is not a process of this run: it cannot be killed or stopped"]


def test_a_hang_stops_the_worker_and_is_seen_when_it_goes_on() -> None:
    run = Run(SCENARIO % ("worker_hang", ", hang_for: 3s"))
    attempt = run.start()
    run.until(10)
    words = [each.split(" ", 1) for each in run.said]
    assert [word for _, word in words] == ["work 4", "pause w0", "wake w0", "finish ok"]
    assert float(words[2][0]) - float(words[1][0]) == 3
    assert words[3][0] == "7"
    run.end(attempt)
    assert "10 fault.seen it" in run.events


def test_a_body_that_fails_otherwise_than_it_was_told_fails_of_itself() -> None:
    run = Run()
    run.end(run.start(), "transient", "out of memory")
    assert run.events[2:] == ["0 execution.ended 3 @1 out of memory", "0 task.retry 3 @1 out of memory"]


def test_work_of_its_own_is_not_planned() -> None:
    run = Run()
    attempt = run.start(own=True)
    run.until(10)
    assert run.said == []
    run.end(attempt, "ok")
    assert run.events[-1] == "10 task.done 3 @1"


def test_what_a_body_claims_of_its_attempt_does_not_count() -> None:
    run = Run()
    assert [run.start(claimed=each).attempt for each in (9, 1)] == [1, 2]


def test_the_worker_of_a_process_is_looked_for_once_for_each_connection() -> None:
    run, asked = Run(), list[int]()
    run.worker_of = lambda pid: (asked.append(pid), "w3" if pid == 7 else None)[1]  # type: ignore[method-assign]
    ours, unknown = _Line(cast(socket.socket, None)), _Line(cast(socket.socket, None))
    names = [run.start(line=line, pid=pid, worker="x").worker for line, pid in [(ours, 7), (unknown, 8)] * 2]
    assert names == ["w3", "x", "w3", "x"]
    assert asked == [7, 8, 8]


def test_a_task_that_was_never_submitted_is_refused_and_not_recorded() -> None:
    run = Run()
    stray = run.start(number=100)
    run.end(stray)
    run.gone(run.start(number=100))
    assert run.said == ["0 finish permanent unknown_task"] * 2
    assert run.events == []
    assert run.ledger.wrong == {"a body reports task 50, which was never submitted": 2}


def test_mistakes_that_differ_in_the_process_or_the_task_alone_are_said_once() -> None:
    run = Run()
    for pid in (71, 72, 72):
        run.ledger.went_wrong(f"process {pid} was refused: its token is not that of this run")
    for task in (8, 9):
        run.start(number=task << 4)
    run.ledger.went_wrong("submit: ready was said again")
    others = "by other processes or of other tasks too"
    assert run.ledger.mistakes() == [
        f"process 71 was refused: its token is not that of this run (3 times, {others})",
        f"a body reports task {8 << 4 >> 1}, which was never submitted (2 times, {others})",
        "submit: ready was said again",
    ]


def test_a_wait_is_counted_from_when_a_body_was_told_to_fail() -> None:
    """That it has failed is heard later, on a busy machine much later."""
    run = Run(SCENARIO % ("transient_error", ", errors: [network]"), Promise.BACKOFF)
    attempt = run.start()
    run.until(6)
    run.end(attempt)
    (retry,) = run.waits
    assert retry == (6.0, 14.0), "told at 4, seen at 6: a backoff of 10 s is over at 14"
