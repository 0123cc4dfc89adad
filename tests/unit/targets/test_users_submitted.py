"""How the work of users who wait for it is offered for real: their next submissions follow from the ends that are seen."""

import math
import textwrap
import time
from pathlib import Path

import pytest
from memory_queue import MemoryQueue
from thread_system import ThreadSystem

from soak.contract import Accepted, BusyError, Refused
from soak.runner.engine import execute, identify
from soak.runner.targets.base import Target
from soak.runner.targets.context import RunContext
from soak.runner.targets.queue.queue_adapter.target import QueueAdapter
from soak.runner.targets.queue.system_adapter.target import SystemAdapter
from soak.runner.targets.submitter import Answer, Submission
from soak.runner.targets.users_submitter import UsersSubmitter, submitter_of
from soak.schemas.evidence.verdict import Outcome
from soak.schemas.language.load import Loaded, load
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import COPY, Kind
from soak.schemas.stream.states import TaskState
from soak.simulation.plan import Plan
from soak.simulation.run import simulate
from soak.simulation.turns import Past

SPEED = 300.0
SCENARIO = """
    version: 1
    name: quick
    system: queue
    duration: 5m
    drain: 10m
    seed: 2
    workload:
      users: {{count: 4, think: {{distribution: exponential, mean: 20s}}{more}}}
      task: {{duration: {{distribution: exponential, mean: 5s}}}}
    queue:
      workers: 3
      poll_interval: 1s
      watchdog_interval: 5s
      lease: {{duration: 1m, heartbeat: 15s}}
      retry: {{max_attempts: 4, backoff: [10s]}}
    faults:
      - {{name: twice, type: duplicate_enqueue, rate: 30%, delay: {{distribution: constant, value: {delay}}}}}
      - {{name: bad, type: permanent_error, rate: 20%}}
    slos: [success_rate >= 20%, duplicate_block_rate == 100%, lost_tasks == 0]
    telemetry: {{max_gap: 30m, max_lag: 30s}}
"""


def scenario(tmp_path: Path, more: str = "", delay: str = "3s") -> Loaded:
    path = tmp_path / "quick.yaml"
    path.write_text(textwrap.dedent(SCENARIO).format(more=more, delay=delay))
    return load(path)


class Intake:
    """Takes everything, or is busy, or refuses keys."""

    def __init__(self, *, busy: int = 0, refused: frozenset[str] = frozenset()) -> None:
        self.busy, self.refused = busy, refused
        self.taken: list[str] = []
        self.pairs: list[str] = []

    def enqueue(self, key: str, payload: str) -> Answer:
        if self.busy:
            self.busy -= 1
            raise BusyError
        self.taken.append(key)
        return Refused() if key in self.refused or self.taken.count(key) > 1 else Accepted(len(self.taken))

    def enqueue_twice(self, key: str, payload: str) -> tuple[Answer | None, Answer | None]:
        self.pairs.append(key)
        return Accepted(len(self.pairs)), Refused()


def submitter(
    tmp_path: Path, intake: Intake, *, speed: float = 2_000.0, together: bool = False, delay: str = "3s"
) -> tuple[UsersSubmitter, RunContext, list[Submission]]:
    """One whose submissions are answered and noted."""
    context, made = RunContext.begin(Plan(scenario(tmp_path, delay=delay).scenario), speed), list[Submission]()
    intakes = intake if together else None
    found = UsersSubmitter(context, intake, lambda work, _: made.append(work), intakes)
    found.start()
    return found, context, made


def run_until(context: RunContext, t_s: float) -> None:
    while context.now() < t_s:
        context.agenda.run(context.now())
        time.sleep(0)
    context.agenda.run(context.now())


def test_nobody_submits_before_the_task_has_ended(tmp_path: Path) -> None:
    users, context, made = submitter(tmp_path, Intake())
    run_until(context, 250.0)
    firsts = [each for each in made if not each.number & COPY]
    assert [each.number for each in firsts] == [0, 2, 4, 6]
    users.ended(2, 100.0)
    users.ended(2, 200.0)
    plan = context.plan
    assert plan.users
    run_until(context, 260.0)
    [following] = [each for each in made if each.number == 10]
    assert following.due_s == pytest.approx(100.0 + plan.users.think_s(1, 0))
    run_until(context, 301.0)
    assert users.over


def test_a_key_that_is_due_twice_is_offered_on_two_connections(tmp_path: Path) -> None:
    intake = Intake()
    _, context, made = submitter(tmp_path, intake, together=True, delay="0s")
    run_until(context, 50.0)
    copies = [str(each.number >> 1) for each in made if each.number & COPY]
    assert intake.pairs == copies != []


def test_a_user_whose_key_is_refused_goes_on(tmp_path: Path) -> None:
    _, context, made = submitter(tmp_path, Intake(refused=frozenset({"1"})))
    run_until(context, 290.0)
    assert [each.number for each in made if not each.number & COPY and (each.number >> 1) % 4 == 1][:2] == [2, 10]


def test_a_busy_system_is_waited_for(tmp_path: Path) -> None:
    _, context, made = submitter(tmp_path, Intake(busy=5))
    run_until(context, 200.0)
    deferred = context.journal.take(context.now()).kind == Kind.TASK_DEFERRED
    assert deferred.any()
    assert [each.number for each in made if not each.number & COPY] == [0, 2, 4, 6]


def test_work_at_a_rate_does_not_wait(tmp_path: Path) -> None:
    path = tmp_path / "open.yaml"
    text = textwrap.dedent(SCENARIO).format(more="", delay="1s")
    path.write_text(
        text.replace("users: {count: 4, think: {distribution: exponential, mean: 20s}}", "arrivals: {rate: 5/min}")
    )
    context = RunContext.begin(Plan(load(path).scenario), SPEED)
    found, ended = submitter_of(context, Intake(), lambda *_: None)
    assert not isinstance(found, UsersSubmitter)
    ended(0, 1.0)


@pytest.mark.parametrize(
    "target",
    [QueueAdapter("x:X", MemoryQueue, SPEED), SystemAdapter("x:X", ThreadSystem, SPEED)],
    ids=["queue", "system"],
)
def test_attached_classes_are_driven_by_users(target: Target, tmp_path: Path) -> None:
    """The tasks of each user are its first ones without a gap, and met the same fates as in a simulation."""
    loaded = scenario(tmp_path)
    plan = Plan(loaded.scenario)
    target.prepare(tmp_path)
    verdict, judge = execute(plan, target, identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True))
    assert verdict.verdict is Outcome.PASS, verdict.reasons
    table = judge.lifecycle.table
    accepted = {number for number in range(0, len(table.states), 2) if table.states[number]}
    turns = {user: sorted(number // 8 for number in accepted if number // 2 % 4 == user) for user in range(4)}
    assert all(found == list(range(len(found))) and len(found) > 3 for found in turns.values())
    failed = {number for number in accepted if plan.fate(number, 1, 0.0)[1]}
    assert {number for number in accepted if table.states[number] == TaskState.FAILED} == failed != set()


# Resuming.


def blocks(tmp_path: Path, more: str) -> list[Block]:
    return list(simulate(Plan(scenario(tmp_path, more).scenario)))


@pytest.mark.parametrize("more", ["", ", timeout: 4s"])
@pytest.mark.parametrize("cut_s", [0.0, 61.0, 150.0, 299.0])
def test_users_are_resumed_where_they_stood(cut_s: float, more: str, tmp_path: Path) -> None:
    """From the events up to a time, and the ends that come to light after it, follows the very rest of the run."""
    made: dict[int, tuple[float, int]] = {}
    closed_s: dict[int, float] = {}
    for block in blocks(tmp_path, more):
        for n in range(len(block)):
            number, kind, t_s = int(block.task[n]), block.kind[n], float(block.t[n])
            if kind in {Kind.TASK_ENQUEUED, Kind.TASK_DUPLICATE}:
                made.setdefault(number, (t_s, int(block.cause[n])))
            elif kind in {Kind.TASK_DONE, Kind.TASK_FAILED}:
                closed_s.setdefault(number, t_s)
    known = {number for number, (t_s, _) in made.items() if t_s <= cut_s}
    before = {number: t_s for number, t_s in closed_s.items() if t_s <= cut_s}
    plan = Plan(scenario(tmp_path, more).scenario)
    turns = plan.turns(Past(before, cut_s, lambda work: work[1] in known))
    later = sorted((t_s, number) for number, t_s in closed_s.items() if t_s > cut_s)
    rest: dict[int, float] = {}
    for t_s, number in [*later, (math.inf, -1)]:
        rest |= {work[1]: work[0] for work in turns.take(min(t_s, 300.0))}
        if number >= 0:
            turns.ended(number, t_s)
    expected = {number: t_s for number, (t_s, _) in made.items() if number not in known}
    assert rest == pytest.approx(expected, abs=3e-6)
    assert plan.planned == len(made)
