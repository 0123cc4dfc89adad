"""Replications at points: the same seeds everywhere, none made twice, none more than it takes."""

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from soak.runner.limits.decision import Care, SequentialTest, Tally
from soak.runner.limits.findings import Findings, point_of, read_points, write_points
from soak.runner.limits.foreseen import PointValues
from soak.runner.limits.parameter import find_parameter
from soak.runner.limits.session import Searches
from soak.runner.limits.trials import PointTrials, Replications, StoppedError, Trial
from soak.runner.replications.replication import Job, ObjectiveOutcome, Replication, seeds
from soak.schemas.errors import UsageError
from soak.schemas.evidence.limits import Basis, SearchOutcome
from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.language.load import Loaded, load
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.settings import queue_of

ROOT = Path(__file__).resolve().parents[3]
TEST = SequentialTest(0.95, 200)


class Done:
    """A job whose result is there when it is asked for."""

    def __init__(self, pool: "Bench", job: Job) -> None:
        self._pool = pool
        self._job = job

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> Replication:
        workers = queue_of(self._job.scenario).workers
        good = workers >= 4
        verdict = Outcome.PASS if good else Outcome.ABORTED if workers == 1 else Outcome.FAIL
        outcome = ObjectiveOutcome(Status.PASS if good else Status.FAIL, 1.0, 1.0, 0.0, 9)
        objectives = [outcome for _ in self._job.scenario.objectives[:1]]
        objectives += [ObjectiveOutcome(Status.PASS, 1.0, 1.0, 0.0, 9) for _ in self._job.scenario.objectives[1:]]
        aborted = "stalled" if verdict is Outcome.ABORTED else None
        return Replication(self._job.index, self._job.seed, verdict, 1.0, aborted, objectives, ["law conservation"])


class Bench:
    """A pool in this process: enough workers are a PASS, too few a FAIL, one alone is stopped."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self.made: list[Job] = []

    def submit(self, job: Job) -> Done:
        self.made.append(job)
        return Done(self, job)

    def attend(self, timeout_s: float | None) -> None:
        """All is there already."""

    def restart(self) -> None:
        raise AssertionError


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load(ROOT / "scenarios" / "72h.yaml", tier="pr")


@cache
def scenario_at(values: PointValues) -> Scenario:
    return load(ROOT / "scenarios" / "72h.yaml", tier="pr", settings=(f"queue.workers={values[0]}",)).scenario


def replications(pool: Bench, stop_at: int | None = None) -> Replications:
    told: list[int] = []

    def watch(values: PointValues, tally: Tally, total: int) -> None:
        told.append(total)

    return Replications(pool, scenario_at, 14, TEST, watch, lambda: len(told) == stop_at)


def first_seeds(count: int) -> list[int]:
    every: Iterator[int] = seeds(14)
    return [next(every) for _ in range(count)]


def test_a_point_is_gone_on_with_where_it_was_left() -> None:
    pool = Bench()
    made = replications(pool)
    made.look(("7",), Care.SCREEN)
    made.look(("7",), Care.SCREEN)
    made.look(("7",), Care.DECIDE)
    made.look(("2",), Care.DECIDE)
    assert [job.index for job in pool.made] == [*range(50), *range(3)]
    assert [job.seed for job in pool.made] == [*first_seeds(50), *first_seeds(3)]
    assert made.total == 53
    assert made.tally(("7",)) == Tally(50, 50)
    assert (made.tally(("2",)), made.tally(("3",))) == (Tally(0, 3), Tally(0, 0))


def test_whoever_asks_to_stop_keeps_what_was_made() -> None:
    made = replications(Bench(), stop_at=5)
    with pytest.raises(StoppedError):
        made.look(("7",), Care.SCREEN)
    assert made.tally(("7",)) == Tally(5, 5)


class Shuffled(Bench):
    """Workers of which any may be the quickest; one is killed now and then."""

    def __init__(self, workers: int, seed: int) -> None:
        super().__init__(workers)
        self.ready: set[int] = set()
        self.restarts = self.forgotten = 0
        self._numbers = np.random.default_rng(seed)

    def submit(self, job: Job) -> "Later":
        self.made.append(job)
        return Later(self, job, len(self.made))

    def attend(self, timeout_s: float | None) -> None:
        if self._numbers.random() < 0.02:
            raise BrokenExecutor
        waiting = [number for number in range(self.forgotten + 1, len(self.made) + 1) if number not in self.ready]
        self.ready.update(self._numbers.permutation(waiting)[:1].tolist())

    def restart(self) -> None:
        self.restarts += 1
        self.forgotten = len(self.made)


class Later(Done):
    """A job whose result is there when its worker is ready."""

    def __init__(self, pool: Shuffled, job: Job, number: int) -> None:
        super().__init__(pool, job)
        self._ready, self._number = pool.ready, number

    def done(self) -> bool:
        return self._number in self._ready

    def result(self, timeout: float | None = None) -> Replication:
        assert self.done()
        return super().result(timeout)


def searched(pool: Bench) -> tuple[str, object]:
    """What a search over workers and retries finds, whole."""
    base = load(ROOT / "scenarios" / "72h.yaml", tier="pr")
    parameters = [find_parameter(base, "queue.workers=1..12", 0.02), find_parameter(base, "drain=30m..60m", 0.5)]
    made = Replications(pool, lambda values: scenario_at(values[:1]), 14, TEST, lambda *_: None, lambda: False)
    searches = Searches(parameters, made, 3)
    assert searches.run()
    return write_points(parameters, made.made), (searches.along(), searches.grid(), made.total)


def test_what_is_found_depends_neither_on_the_workers_nor_on_who_is_quicker() -> None:
    alone = Bench()
    expected = searched(alone)
    # One worker makes only what is asked for.
    assert expected[0].count("\n") - 1 == len(alone.made)
    for pool in (Shuffled(2, 1), Shuffled(2, 2), Shuffled(9, 3)):
        assert searched(pool) == expected
        assert pool.restarts
    # Enough for whatever may follow, such as the scenario itself on the way along the first parameter.
    assert searched(Bench(200)) == expected


class InTurn(Shuffled):
    """Workers that are ready one after the other."""

    def attend(self, timeout_s: float | None) -> None:
        self.ready.add(len(self.ready) + 1)


def test_workers_that_would_be_idle_make_what_comes_next() -> None:
    """Three failures decide: once there is one, a fourth replication there would be in vain, and the next point is not."""
    pool = InTurn(2, 1)
    made = replications(pool)
    made.foresee = lambda points: points.look(("7",), Care.SCREEN)
    made.look(("2",), Care.DECIDE)
    assert [(queue_of(job.scenario).workers, job.index) for job in pool.made] == [
        (2, 0),
        (2, 1),
        (2, 2),
        (7, 0),
        (7, 1),
    ]
    assert (made.made.keys(), made.total) == ({("2",)}, 3)
    made.look(("7",), Care.SCREEN)
    assert [(queue_of(job.scenario).workers, job.index) for job in pool.made[5:]] == [
        (7, index) for index in range(2, 10)
    ]
    assert made.total == 13


def test_a_value_that_cannot_be_is_told_when_the_search_comes_to_it() -> None:
    def impossible(values: PointValues) -> Scenario:
        if values == ("0",):
            raise UsageError("no workers")
        return scenario_at(values)

    made = Replications(Bench(9), impossible, 14, TEST, lambda *_: None, lambda: False)
    made.foresee = lambda points: points.look(("0",), Care.SCREEN)
    made.look(("2",), Care.SCREEN)
    assert made.tally(("2",)) == Tally(0, 3)
    with pytest.raises(UsageError, match="no workers"):
        made.look(("0",), Care.SCREEN)


def test_what_kept_a_replication_from_pass_is_kept() -> None:
    made = replications(Bench())
    for workers in ("1", "2", "4"):
        made.look((workers,), Care.SCREEN)
    causes = {values[0]: {trial.causes for trial in trials} for values, trials in made.made.items()}
    assert causes == {"1": {("abort condition stalled",)}, "2": {("objective success_rate >= 97%",)}, "4": {()}}


def test_a_row_asks_for_its_points() -> None:
    made = replications(Bench())
    row = PointTrials(made, lambda point: (str(point + 1),))
    row.look(6, Care.SCREEN)
    assert (row.passes(6), row.decided(6)) == (True, False)
    assert made.tally(("7",)) == Tally(10, 10)


def test_points_are_read_as_they_were_written(loaded: Loaded) -> None:
    parameter = find_parameter(loaded, "queue.workers", 0.02)
    made = {
        ("4",): [Trial(0, 5, Outcome.PASS, ()), Trial(1, 6, Outcome.FAIL, ('objective a{x="1, 2"} <= 3', "law x"))],
        ("3",): [Trial(0, 5, Outcome.ABORTED, ("abort condition stalled",))],
    }
    text = write_points([parameter], made)
    assert text.startswith("queue.workers,index,seed,verdict,causes\n4,0,5,PASS,\n")
    assert read_points(text) == made


def test_a_point_says_what_its_side_rests_on() -> None:
    def point(passes: int, failures: int) -> tuple[Basis, bool]:
        trials = [
            Trial(index, index, Outcome.PASS if index < passes else Outcome.FAIL, ())
            for index in range(passes + failures)
        ]
        found = point_of([1.0], ("1",), trials, TEST)
        assert found.verdicts == {
            key: count for key, count in ((Outcome.PASS, passes), (Outcome.FAIL, failures)) if count
        }
        return found.basis, found.passing

    assert point(50, 0) == (Basis.TEST, True)
    assert point(0, 3) == (Basis.TEST, False)
    assert point(12, 0) == (Basis.GLANCE, True)
    assert point(190, 10) == (Basis.SHARE, True)
    assert point(189, 11) == (Basis.SHARE, False)


def test_a_search_that_was_broken_off_has_no_finding(loaded: Loaded) -> None:
    parameter = find_parameter(loaded, "queue.workers", 0.02)
    made = {("1",): [Trial(0, 5, Outcome.FAIL, ("law x",))]}
    assert Findings([parameter], made, TEST).search(0, None).finding is SearchOutcome.UNKNOWN
    assert Findings([parameter], {}, TEST).search(0, None).points == []


def test_a_row_may_be_long(loaded: Loaded) -> None:
    parameter = find_parameter(loaded, "queue.guardrail.hard_tokens=2000..1000000000", 0.02)
    made = {("2000",): [Trial(0, 5, Outcome.FAIL, ())], ("700000000",): [Trial(0, 5, Outcome.PASS, ())]}
    findings = Findings([parameter], made, TEST)
    for point in (10**9 - 2000, 700_000_000 - 2000, 0):
        findings.along(0, point)
    assert [point.texts for point in findings.search(0, None).points] == [["2000"], ["700000000"]]
