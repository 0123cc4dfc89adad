"""Submissions that are answered later: what is accepted, refused, offered again, and never offered twice."""

import selectors
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from histories import loaded

from soak.runner.targets.agenda import Agenda
from soak.runner.targets.clock import Clock
from soak.runner.targets.context import RunContext
from soak.runner.targets.journal import Journal
from soak.runner.targets.queue.foreign.account import Account
from soak.runner.targets.queue.foreign.commands import CommandIntake
from soak.runner.targets.queue.foreign.offers import LONGEST_REAL_S, Answer, Offers
from soak.schemas.stream.events import SPECS, Kind, task_name
from soak.schemas.target.model import Promises, Spoken
from soak.simulation.plan import Plan

ARRIVALS = """
duration: 10s
workload: {arrivals: {process: constant, rate: 1/s}, task: {duration: {distribution: constant, value: 1s}}}
"""
TWICE = """
faults: [{name: twice, type: duplicate_enqueue, rate: 100%, delay: {distribution: constant, value: 0s}}]
"""
USERS = """
duration: 10s
workload:
  users: {count: 2, think: {distribution: constant, value: 1s}}
  task: {duration: {distribution: constant, value: 1s}}
"""


class Run:
    """Offers at a clock that is set by hand. answers: for the next submissions; then all are accepted."""

    def __init__(self, text: str = ARRIVALS, *answers: Answer) -> None:
        self.t_s = 0.0
        plan = Plan(loaded(text).scenario)
        clock = Clock(1.0, 0.0, wall=lambda: self.t_s, steady=lambda: self.t_s)
        self.context = RunContext(plan, clock, Agenda(), Journal(plan, 0.0), 0.0, 0.0)
        self.account = Account(self.context, Promises())
        self.offers = Offers(self.context, self.account)
        self.offers.intake = self
        self.answers = list(answers)
        self.submitted: list[tuple[float, str]] = []
        self.takes_s: dict[str, float] = {}
        """In which time a task is answered; 0 otherwise."""
        self.offers.start()

    def submit(self, number: int, key: str, payload: str) -> None:
        self.submitted.append((round(self.t_s, 3), task_name(number)))
        answer = self.answers.pop(0) if self.answers else Answer.ACCEPTED
        self.context.at(self.t_s + self.takes_s.get(key, 0.0), lambda: self.offers.answer(number, answer, "because"))

    def until(self, end_s: float, each_s: float = 0.01) -> None:
        while self.t_s < end_s:
            self.t_s = round(self.t_s + each_s, 6)
            self.context.agenda.run(self.t_s)

    def seen(self, *kinds: Kind) -> list[str]:
        block = self.context.journal.take(self.t_s)
        rows = zip(block.t.tolist(), block.kind.tolist(), block.task.tolist(), strict=True)
        return [f"{t_s:.2f} {SPECS[Kind(kind)].type} {task_name(task)}" for t_s, kind, task in rows if kind in kinds]


def test_work_is_submitted_when_it_is_due() -> None:
    run = Run()
    run.until(2.4)
    assert run.submitted == [(0.01, "0"), (1.0, "1"), (2.0, "2")]
    assert run.seen(Kind.TASK_ENQUEUED) == ["0.01 task.enqueued 0", "1.00 task.enqueued 1", "2.00 task.enqueued 2"]
    assert not run.offers.over
    run.until(11.0)
    assert run.offers.over
    assert run.account.snapshot().pending == 10


def test_an_answer_that_comes_late_is_not_the_load_generators_fault() -> None:
    run = Run()
    run.takes_s = {"0": 0.5, "1": 3.0}
    run.until(4.5)
    kinds = (Kind.TASK_DEFERRED, Kind.TASK_ENQUEUED)
    slow = [line for line in run.seen(*kinds) if line.endswith((" 0", " 1"))]
    assert slow == ["0.51 task.enqueued 0", "2.01 task.deferred 1", "4.00 task.enqueued 1"]


def test_what_waits_for_its_answer_is_counted_until_it_comes() -> None:
    run = Run()
    run.takes_s = {"1": 0.5}
    run.until(1.2)
    assert run.offers.unanswered == 1
    run.until(1.6)
    assert run.offers.unanswered == 0


def test_a_busy_system_is_asked_again_later_and_later_with_the_oldest_first() -> None:
    run = Run(ARRIVALS, *[Answer.BUSY] * 8)
    run.until(5.4)
    tries = [t_s for t_s, name in run.submitted if name == "0"]
    waits = [round(after - before, 2) for before, after in pairwise(tries)]
    assert waits[0] == pytest.approx(0.05, abs=0.03)
    assert waits == pytest.approx(sorted(waits), abs=0.02)
    assert max(waits) == pytest.approx(LONGEST_REAL_S, abs=0.03)
    # Nothing overtakes it; all that came meanwhile follows at once.
    assert [name for _, name in run.submitted[len(tries) :]] == ["1", "2", "3", "4", "5"]
    assert run.offers.why == "because"
    assert run.offers.not_accepted() == []
    assert run.seen(Kind.TASK_DEFERRED) == [f"{t_s:.2f} task.deferred {n}" for n, t_s in enumerate((0.01, 1, 2, 3, 4))]


def test_what_got_no_answer_is_never_offered_again() -> None:
    run = Run(ARRIVALS, Answer.UNKNOWN)
    run.until(11.0)
    assert [name for _, name in run.submitted] == [str(n) for n in range(10)]
    assert run.offers.not_accepted() == [
        "1 submission not known to be accepted, never seen to start, and not judged; last: because"
    ]
    assert run.offers.over
    assert run.seen(Kind.TASK_DEFERRED) == ["0.01 task.deferred 0"]
    # Its body shows that it was accepted after all.
    run.account.started(0, 0, run.t_s)
    assert run.seen(Kind.TASK_ENQUEUED, Kind.TASK_DISPATCHED) == ["11.00 task.enqueued 0", "11.00 task.dispatched 0"]


@pytest.mark.parametrize("answer", [Answer.UNKNOWN, Answer.BUSY, Answer.REFUSED])
def test_what_has_started_was_accepted_whatever_is_answered_later(answer: Answer) -> None:
    run = Run(ARRIVALS, answer)
    run.takes_s["0"] = 0.5
    run.context.at(0.1, lambda: run.account.started(0, 0, run.t_s))
    run.until(11.0)
    assert [name for _, name in run.submitted] == [str(n) for n in range(10)]
    assert [each.split()[1:] for each in run.seen(Kind.TASK_ENQUEUED, Kind.TASK_DEFERRED, Kind.TASK_FAILED)] == [
        ["task.enqueued", str(n)] for n in range(10)
    ]
    assert run.offers.over
    assert run.offers.not_accepted() == []


def test_a_duplicate_follows_the_answer_to_its_original() -> None:
    run = Run(ARRIVALS + TWICE, Answer.BUSY, Answer.BUSY, Answer.ACCEPTED, Answer.REFUSED)
    run.until(0.9)
    assert [name for _, name in run.submitted] == ["0", "0", "0", "0.2"]
    assert run.seen(Kind.TASK_ENQUEUED, Kind.TASK_SKIPPED, Kind.TASK_DUPLICATE)[0].endswith("task.duplicate 0.2")
    assert run.account.snapshot().pending == 1


def test_users_submit_again_when_their_task_has_ended() -> None:
    run = Run(USERS)
    run.until(1.9)
    first = [name for _, name in run.submitted]
    assert len(first) == 2
    run.until(5.0)
    assert len(run.submitted) == 2
    number = int(first[0]) * 2
    run.account.started(number, 0, run.t_s)
    run.account.succeeded(number, 1, 0, run.t_s, 1.0)
    run.until(6.5)
    assert len(run.submitted) == 3


@pytest.mark.parametrize(
    ("code", "answer", "why"),
    [
        ("0", Answer.ACCEPTED, "exited with 0"),
        ("3", Answer.REFUSED, "exited with 3"),
        ("75", Answer.BUSY, "exited with 75: no connection"),
        ("1", Answer.UNKNOWN, "exited with 1: no connection"),
        ("'killed'", Answer.UNKNOWN, "was ended by signal 9"),
        ("'hangs'", Answer.UNKNOWN, "has not ended after 0.5 s"),
    ],
)
def test_the_exit_code_of_a_command_is_its_answer(tmp_path: Path, code: str, answer: Answer, why: str) -> None:
    program = (
        "import os, sys, time\n"
        "assert sys.argv[1:] == ['7', '{\"number\": 14}']\n"
        f"code = {code}\n"
        "if code == 'killed': os.kill(os.getpid(), 9)\n"
        "if code == 'hangs': time.sleep(60)\n"
        "print('no connection'); sys.exit(code)\n"
    )
    (tmp_path / "submit.py").write_text(program)
    told: list[tuple[int, Answer, str]] = []
    context = RunContext.begin(Plan(loaded(ARRIVALS).scenario), 1.0)
    with selectors.DefaultSelector() as selector:
        spoken = Spoken(command=f"{sys.executable} submit.py {{key}} {{payload}}", timeout_s=0.5 if "h" in code else 30)
        intake = CommandIntake(context, selector, spoken, {}, tmp_path, tmp_path, _into(told))
        intake.submit(14, "7", '{"number": 14}')
        while not told:
            for key, _ in selector.select(0.05):
                key.data()
            context.agenda.run(context.now())
        intake.close()
    (found,) = told
    assert found[:2] == (14, answer)
    assert found[2].endswith(why)


def test_a_command_that_is_not_there_is_no_answer_yet(tmp_path: Path) -> None:
    told: list[tuple[int, Answer, str]] = []
    context = RunContext.begin(Plan(loaded(ARRIVALS).scenario), 1.0)
    with selectors.DefaultSelector() as selector:
        intake = CommandIntake(context, selector, Spoken(command="./none {key}"), {}, tmp_path, tmp_path, _into(told))
        intake.submit(14, "7", "")
        context.agenda.run(context.now())
        intake.close()
    assert told == [(14, Answer.BUSY, "./none cannot be started: No such file or directory")]


def _into(told: list[tuple[int, Answer, str]]) -> Callable[[int, Answer, str], None]:
    return lambda number, answer, why: told.append((number, answer, why))


@pytest.mark.parametrize("answer", [Answer.BUSY, Answer.UNKNOWN, Answer.REFUSED])
def test_what_runs_was_accepted_whatever_is_answered(answer: Answer) -> None:
    run = Run(ARRIVALS, answer)
    run.takes_s["0"] = 0.5
    run.until(0.2)
    run.account.started(0, 0, 0.2)
    run.until(5.4)
    assert [name for _, name in run.submitted] == ["0", "1", "2", "3", "4", "5"]
    events = run.seen(Kind.TASK_ENQUEUED, Kind.TASK_DEFERRED, Kind.TASK_FAILED)
    assert [each for each in events if each.endswith(" 0")] == ["0.20 task.enqueued 0"]
    assert (run.offers.not_accepted(), run.account.open) == ([], 6)


def test_what_starts_although_it_was_busy_is_not_offered_again() -> None:
    run = Run(ARRIVALS, *[Answer.BUSY] * 3)
    run.until(0.3)
    tried = len(run.submitted)
    run.account.started(0, 0, 0.3)
    run.until(2.4)
    assert [name for _, name in run.submitted[tried:]] == ["1", "2"]
    assert run.account.open == 3
