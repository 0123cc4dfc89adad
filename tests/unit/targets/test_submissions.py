"""How work is offered: keys that are due twice at one instant, and a system that is busy."""

import textwrap
import threading
import time
from collections.abc import Container
from pathlib import Path

import pytest

from soak.contract import Accepted, BusyError, Refused, Snapshot
from soak.runner.targets.context import RunContext
from soak.runner.targets.queue.orchestrator.rival import Rival
from soak.runner.targets.queue.system_adapter.sampler import Sampler
from soak.runner.targets.submitter import Answer, Submission, Submitter
from soak.schemas.language.load import load
from soak.schemas.stream.events import COPY, Kind
from soak.simulation.plan import Plan

SCENARIO = """
    version: 1
    name: offered
    system: queue
    duration: 2m
    workload:
      arrivals: {process: constant, rate: 30/min}
      task: {duration: {distribution: constant, value: 4s}}
    faults: [{name: twice, type: duplicate_enqueue, rate: 50%, delay: {distribution: constant, value: 0s}}]
"""


class Intake:
    """Notes what is offered; it is busy for the first so many calls."""

    def __init__(self, busy: int = 0) -> None:
        self.busy = busy
        self.taken: list[str] = []
        self.pairs: list[str] = []

    def enqueue(self, key: str, payload: str) -> Answer:
        if self.busy:
            self.busy -= 1
            raise BusyError
        self.taken.append(key)
        return Refused() if self.taken.count(key) > 1 else Accepted(len(self.taken))

    def enqueue_twice(self, key: str, payload: str) -> tuple[Answer | None, Answer | None]:
        self.pairs.append(key)
        # The second connection was quicker.
        self.taken += [key, key]
        return Refused(), Accepted(len(self.taken))


def offered(
    tmp_path: Path, intake: Intake, *, together: bool, told: Container[int] = ()
) -> tuple[list[tuple[Submission, Answer]], RunContext]:
    """All the answers of a plan that is run at once."""
    context = context_of(tmp_path)
    answers: list[tuple[Submission, Answer]] = []
    submitter = Submitter(
        context,
        intake,
        lambda work, answer: answers.append((work, answer)),
        intakes=intake if together else None,
        recorded=told,
    )
    submitter.start()
    until = time.monotonic() + 5
    while not submitter.over:
        assert time.monotonic() < until
        context.agenda.run(context.now())
    return answers, context


def test_a_key_that_is_due_twice_is_offered_on_two_connections(tmp_path: Path) -> None:
    intake = Intake()
    answers, _ = offered(tmp_path, intake, together=True)
    copies = [str(work.number >> 1) for work, _ in answers if work.number & COPY]
    assert copies
    assert intake.pairs == copies
    assert len(intake.taken) == len(answers)
    # Whichever connection won: the task counts as the first submission's, the refusal as the copy's.
    for work, answer in answers:
        assert isinstance(answer, Refused if work.number & COPY else Accepted)


def test_without_a_second_connection_one_comes_after_the_other(tmp_path: Path) -> None:
    intake = Intake()
    answers, _ = offered(tmp_path, intake, together=False)
    assert intake.pairs == []
    assert all(isinstance(answer, Refused if work.number & COPY else Accepted) for work, answer in answers)


def test_what_waits_for_a_busy_system_keeps_its_order(tmp_path: Path) -> None:
    intake = Intake(busy=20)
    answers, context = offered(tmp_path, intake, together=True)
    assert [work.number for work, _ in answers] == sorted(work.number for work, _ in answers)
    told = context.journal.take(1e9).kind.tolist()
    assert told.count(Kind.TASK_DEFERRED) >= 1
    assert len(answers) == len({work.number for work, _ in answers})


def test_what_an_earlier_runner_told_of_is_not_told_again(tmp_path: Path) -> None:
    everything = range(10_000)
    answers, context = offered(tmp_path, Intake(busy=20), together=True, told=everything)
    assert any(work.cause for work, _ in answers)
    assert len(context.journal.take(1e9)) == 0


def test_work_that_was_not_taken_in_is_the_oldest_until_it_is(tmp_path: Path) -> None:
    intake = Intake(busy=1)
    context = context_of(tmp_path)
    submitter = Submitter(context, intake, lambda *_: None)
    assert submitter.oldest_deferred_s is None
    submitter.start()
    first_s = context.agenda.next_s
    while submitter.oldest_deferred_s is None:
        context.agenda.run(context.agenda.next_s)
    assert submitter.oldest_deferred_s == first_s
    while not intake.taken:
        context.agenda.run(context.agenda.next_s)
    assert submitter.oldest_deferred_s is None


@pytest.mark.parametrize(
    ("within_real_s", "outside_s", "waited_s"),
    [
        (0.0, None, 0.0),
        (2.0, None, 20.0),
        (2.0, -30.0, 30.0),
        (2.0, -5.0, 20.0),
        (None, -30.0, 30.0),
        ("busy", -30.0, 30.0),
    ],
)
def test_a_sample_tells_who_has_waited_longest(
    within_real_s: float | str | None, outside_s: float | None, waited_s: float, tmp_path: Path
) -> None:
    """Inside the system, in real seconds at ten times the speed, or outside of it, as the runner knows: in scenario time."""
    context = context_of(tmp_path, speed=10.0)
    now_s = context.now()

    def snapshot() -> Snapshot:
        if isinstance(within_real_s, str):
            raise BusyError
        return Snapshot(oldest_s=within_real_s)

    Sampler(context, snapshot, list, lambda: None if outside_s is None else now_s + outside_s).sample()
    block = context.journal.take(1e9)
    (value,) = block.value[block.kind == Kind.SAMPLE_OLDEST_PENDING]
    (t_s,) = block.t[block.kind == Kind.SAMPLE_OLDEST_PENDING]
    meanwhile_s = t_s - now_s if outside_s is not None and waited_s == -outside_s else 0.0
    assert value == pytest.approx(waited_s + meanwhile_s, abs=2e-6)


def context_of(tmp_path: Path, speed: float = 1e6) -> RunContext:
    path = tmp_path / "offered.yaml"
    path.write_text(textwrap.dedent(SCENARIO))
    return RunContext.begin(Plan(load(path).scenario), speed)


class _Store:
    def close(self) -> None:
        pass


def test_two_connections_are_at_it_at_the_same_time() -> None:
    """Each waits for the other in the middle of its call: one after the other, neither would ever get on."""
    both = threading.Barrier(2, timeout=5)

    def offer(*_: object) -> Answer:
        both.wait()
        return Accepted(1)

    rival = Rival(_Store, offer)  # type: ignore[arg-type]
    try:
        for _ in range(20):
            assert rival.race("k", "p", offer) == (Accepted(1), Accepted(1))
    finally:
        rival.close()


def test_a_second_connection_that_is_busy_or_fails() -> None:
    raises: list[Exception] = [BusyError(), OSError("no room")]

    def offer(*_: object) -> Answer:
        raise raises.pop(0)

    rival = Rival(_Store, offer)  # type: ignore[arg-type]
    try:
        assert rival.race("k", "p", lambda: Accepted(1)) == (Accepted(1), None)
        with pytest.raises(OSError, match="no room"):
            rival.race("k", "p", lambda: Accepted(1))
    finally:
        rival.close()


def test_a_second_connection_that_cannot_be_made_hangs_nobody() -> None:
    def connect() -> _Store:
        raise OSError("no such database")

    rival = Rival(connect, lambda *_: Accepted(1))  # type: ignore[arg-type]
    with pytest.raises(OSError, match="no such database"):
        rival.race("k", "p", lambda: Accepted(1))
    rival.close()
