"""Rare events: against exact probabilities, the coverage of intervals, and what is said where nothing sound can be."""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from soak.runner.predict.rare.estimate import mean_of, mean_of_ascents, t_quantile
from soak.runner.predict.rare.events import AbortHolds, ObjectiveBroken
from soak.runner.predict.rare.pilot import Found, Pilot, Stuck
from soak.runner.predict.rare.runs import Runs
from soak.runner.predict.rare.search import LARGEST, Search
from soak.runner.predict.rare.session import events_of
from soak.runner.predict.rare.splitting import Ladder, Recipe, Repetition, ascend
from soak.runner.predict.rare.tilting import Proposal, Tuned, Tuning
from soak.runner.replications.replication import Job, Replication, replicate
from soak.runner.replications.worker_pool import Promise
from soak.schemas.errors import UsageError
from soak.schemas.evidence.prediction import Answer, Method
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.simulation.redraws import Redraw, RedrawnSeed, Tilt, TiltedRate, Weighed, Which
from soak.simulation.streams import BLOCK, Stream

TASKS, RATE, LIMIT = 60, 0.02, 9
"""Each of so many tasks fails with that chance; the event: at least LIMIT fail."""
EXACT = sum(math.comb(TASKS, k) * RATE**k * (1 - RATE) ** (TASKS - k) for k in range(LIMIT, TASKS + 1))
SCENARIO = """
version: 1
name: binomial
system: queue
duration: 5m
drain: 1m
seed: 3
workload:
  arrivals: {rate: 12/min, process: constant}
  task: {duration: {distribution: constant, value: 1s}}
queue: {workers: 50, poll_interval: 0s, retry: {max_attempts: 1}}
faults:
  - {name: broken, type: permanent_error, rate: 2%}
slis:
  failures: {count: "task.failed"}
slos:
  - success_rate >= 80%
abort:
  - {name: many, when: failures >= 9}
"""


def scenario_of(place: Path, *settings: str, text: str = SCENARIO) -> Scenario:
    path = place / "binomial.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, settings=settings).simulated().scenario


@cache
def uniforms(recipe: Recipe) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """What decides over the tasks of a run, redrawn as recipes say; each is made from the one before."""
    if not recipe.redraws:
        return np.random.default_rng(recipe.seed).random(TASKS)
    *before, last = recipe.redraws
    rng = np.random.default_rng(last.seed)
    return np.where(rng.random(TASKS) < last.share, rng.random(TASKS), uniforms(replace(recipe, redraws=tuple(before))))


def measure(recipes: Sequence[Recipe], levels: Sequence[float]) -> list[int]:
    counts = [int((uniforms(each) < RATE).sum()) for each in recipes]
    return [sum(count >= level * LIMIT for level in (*levels, 1.0)) for count in counts]


def outcomes(runs: Sequence[tuple[int, Tilt]]) -> list[Weighed | None]:
    """The same event by importance sampling, through the streams of the model."""
    made = []
    for number, tilt in runs:
        seed = RedrawnSeed(number, tilt=tilt)
        hit = int((Stream(seed, "fault:broken").at(0, 1).random(BLOCK)[:TASKS] < RATE).sum()) >= LIMIT
        made.append(seed._weigh.weighed(TASKS) if hit and seed._weigh else None)
    return made


LADDER = Ladder((2 / 9, 3 / 9, 4 / 9, 5 / 9, 6 / 9, 7 / 9, 8 / 9), (1.0, 0.5, 0.5, 0.3, 0.3, 0.2, 0.15))
RATES = (TiltedRate("fault:broken", 1, RATE, LIMIT / TASKS),)


def test_splitting_is_unbiased() -> None:
    assert pytest.approx(3.010842939957468e-06) == EXACT
    found = []
    for number in range(50):
        found.append(ascend(measure, LADDER, 30, np.random.default_rng([1, number])).estimate)
        uniforms.cache_clear()
    mean = mean_of(found, 0.95)
    assert abs(mean.value - EXACT) < 3.5 * mean.relative_error * mean.value
    assert mean.relative_error < 0.35


def test_importance_sampling_is_unbiased_and_its_interval_covers_in_95_percent() -> None:
    made = outcomes(Proposal(TASKS, (0,), RATES).draw(400, np.random.default_rng(2)))
    ratios = np.array([ratio_of(hits) for hits in range(TASKS + 1)])
    assert all(each is None or each.ratio == pytest.approx(ratios[each.hits[0]]) for each in made)
    hits = np.random.default_rng(3).binomial(TASKS, RATES[0].tilted, 120_000)
    weights = np.where(hits >= LIMIT, ratios[hits], 0.0)
    mean = mean_of(weights.tolist(), 0.95)
    assert abs(mean.value - EXACT) < 3.5 * mean.relative_error * mean.value
    intervals = [mean_of(part.tolist(), 0.95).interval for part in weights.reshape(400, 300)]
    assert sum(low <= EXACT <= high for low, high in intervals) / 400 == pytest.approx(0.95, abs=0.025)


def ratio_of(hits: int) -> float:
    """How much likelier that many faults are without the tilt than with it."""
    tilted = RATES[0].tilted
    return float((RATE / tilted) ** hits * ((1 - RATE) / (1 - tilted)) ** (TASKS - hits))


def test_stretches_are_weighted_by_their_mixture() -> None:
    """A stretch of 20 tasks anywhere: the chance that at least 3 of 60 fail is the same, whatever the stretch."""
    exact = 1 - sum(math.comb(TASKS, k) * RATE**k * (1 - RATE) ** (TASKS - k) for k in range(3))
    proposal = Proposal(20, (-10, 0, 10, 20, 30, 40, 50), (TiltedRate("fault:broken", 1, RATE, 0.1),))
    total = []
    for number, tilt in proposal.draw(3_000, np.random.default_rng(5)):
        seed = RedrawnSeed(number, tilt=tilt)
        hit = int((Stream(seed, "fault:broken").at(0, 1).random(BLOCK)[:TASKS] < RATE).sum()) >= 3
        total.append(seed._weigh.weighed(TASKS).ratio if hit and seed._weigh else 0.0)
    mean = mean_of(total, 0.95)
    assert abs(mean.value - exact) < 3.5 * mean.relative_error * mean.value


def test_the_interval_of_ascents_covers_the_mean_of_log_normal_estimates() -> None:
    rng = np.random.default_rng(7)
    made = np.exp(rng.normal(-0.32, 0.8, (2_000, 10)))
    covered = [low <= 1 <= high for low, high in (mean_of_ascents(row.tolist(), 0.95).interval for row in made)]
    assert np.mean(covered) == pytest.approx(0.955, abs=0.025)


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (9, 2.2622), (30, 2.0423), (1000, 1.9623)]
)
def test_quantiles_of_t_are_those_of_tables(freedom: int, expected: float) -> None:
    assert t_quantile(0.95, freedom) == pytest.approx(expected, rel=2e-4)


def test_a_pilot_finds_levels_up_to_the_event() -> None:
    found = Pilot(measure, 80, np.random.default_rng(3)).climb()
    assert isinstance(found, Found)
    assert list(found.ladder.levels) == sorted(found.ladder.levels)
    assert EXACT / 30 < found.guess < EXACT * 30


def test_a_pilot_follows_the_few_runs_in_which_it_happened() -> None:
    def two_arrive(recipes: Sequence[Recipe], levels: Sequence[float]) -> list[int]:
        return [len(levels) + 1 if place < 2 else 3 for place in range(len(recipes))]

    found = Pilot(two_arrive, 50, np.random.default_rng(3)).climb()
    assert isinstance(found, Found)
    assert found.guess == pytest.approx(2 / 50)


def test_a_pilot_says_when_nothing_lies_between() -> None:
    found = Pilot(lambda recipes, levels: [len(levels)] * len(recipes), 40, np.random.default_rng(3)).climb()
    assert isinstance(found, Stuck)
    none = Pilot(lambda recipes, levels: [0] * len(recipes), 40, np.random.default_rng(3)).climb()
    assert isinstance(none, Stuck) and none.fraction == 0


def test_rates_are_found_by_cross_entropy() -> None:
    tuned = Tuning(outcomes, (replace(RATES[0], tilted=RATE),), TASKS, np.random.default_rng(4)).best()
    assert isinstance(tuned, Tuned)
    assert tuned.proposal.length == TASKS
    assert tuned.proposal.rates[0].tilted == pytest.approx(LIMIT / TASKS, rel=0.3)
    assert tuned.relative_variance < 10


def test_likelihood_ratios_may_be_so_small_that_their_squares_are_0() -> None:
    def tiny(tilted: Sequence[tuple[int, Tilt]]) -> list[Weighed | None]:
        return [each and replace(each, ratio=each.ratio * 2.0**-600) for each in outcomes(tilted)]

    small, usual = (
        Tuning(each, (replace(RATES[0], tilted=RATE),), TASKS, np.random.default_rng(4)).best()
        for each in (tiny, outcomes)
    )
    assert small and usual
    assert (small.proposal, small.guess) == (usual.proposal, usual.guess * 2.0**-600)
    assert small.relative_variance == usual.relative_variance
    weights = [0.0, 1.0, 2.0, 4.0]
    assert mean_of([each * 2.0**-600 for each in weights], 0.95).relative_error == mean_of(weights, 0.95).relative_error


def test_redrawn_draws_are_those_of_the_other_seed_for_the_chosen_tasks_only() -> None:
    redraw = Redraw(9, 0.25)
    mixed = Stream(RedrawnSeed(4, (redraw,)), "service").at(2, 1).standard_exponential(BLOCK)
    own, other = (Stream(seed, "service").at(2, 1).standard_exponential(BLOCK) for seed in (4, 9))
    chosen = redraw.chosen(2)
    assert chosen.mean() == pytest.approx(0.25, abs=0.03)
    assert (mixed == np.where(chosen, other, own)).all()
    fates = RedrawnSeed(4, (Redraw(9, 1.0, Which.FATES),))
    assert (Stream(fates, "arrivals").at(0).random(8) == Stream(4, "arrivals").at(0).random(8)).all()
    assert (Stream(fates, "service").at(0).random(8) == Stream(9, "service").at(0).random(8)).all()


def test_a_seed_with_nothing_replaced_gives_the_same_run(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path)
    untouched = replace(scenario, aborts=())
    nothing = Job(0, 11, untouched, redraws=(Redraw(5, 0.0),))
    assert replicate(nothing) == replicate(Job(0, 11, untouched))
    assert replicate(Job(0, 11, untouched, redraws=(Redraw(12, 1.0),))).objectives == (
        replicate(Job(0, 12, untouched)).objectives
    )


def test_levels_are_limits_on_the_way(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path)
    event = AbortHolds(scenario.aborts[0])
    graded = event.scenario(scenario, [0.5, 0.8])
    assert [(each.name, each.stops) for each in graded.aborts] == [("0", False), ("1", False), ("2", True)]
    assert [each.comparison.target for each in graded.aborts] == pytest.approx([4.5, 7.2, 9.0])  # type: ignore[union-attr]
    broken = ObjectiveBroken(scenario.objectives[0], 0)
    assert broken.graded and not broken.scenario(scenario, [0.5]).aborts
    made = replicate(Job(0, 1, broken.scenario(scenario, [0.01, 0.99])))
    assert broken.score(made, [0.01, 0.99]) == (made.objectives[0].value < 1 - 0.2 * 0.01)  # type: ignore[operator]


class Here:
    """A pool that makes replications here and now."""

    in_flight = 1

    def submit(self, job: Job) -> Promise:
        class Made:
            def result(self, timeout: float | None = None) -> Replication:
                return replicate(job)

        return Made()

    def restart(self) -> None: ...

    def close(self) -> None: ...


def searched(scenario: Scenario, plain: Sequence[Replication], effort: int, stopped_after: int | None = None) -> Search:
    made = [0]
    event = AbortHolds(scenario.aborts[0])

    def interrupted() -> bool:
        return stopped_after is not None and made[0] >= stopped_after

    def told(count: int) -> None:
        made[0] = count

    return Search(scenario, event, Runs(scenario, event, Here(), interrupted, told), effort)


def test_what_is_frequent_is_left_to_brute_force(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, "abort=[{name: many, when: failures >= 1}]")
    plain = [replicate(Job(number, number, scenario)) for number in range(12)]
    answer = searched(scenario, plain, 100).answer(plain)
    assert (answer.answer, answer.method, answer.runs) == (Answer.NOT_RARE, Method.BRUTE_FORCE, 0)
    assert answer.probability == sum(bool(each.held) for each in plain) / 12


def test_nothing_is_made_up_where_there_is_no_way(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, "duration=30s", "faults=[]")
    answer = searched(scenario, [], 100).answer([])
    assert (answer.answer, answer.probability, answer.interval) == (Answer.INCONCLUSIVE, None, None)
    assert "may be impossible" in answer.reason


def test_an_interruption_is_said(tmp_path: Path) -> None:
    answer = searched(scenario_of(tmp_path), [], 100, stopped_after=1).answer([])
    assert (answer.answer, answer.reason[:11]) == (Answer.INCONCLUSIVE, "interrupted")


def test_a_model_run_has_the_exact_probability(tmp_path: Path) -> None:
    """The whole way from a tilt to a weight, through plan, model and judge, in 80 runs."""
    scenario = scenario_of(tmp_path)
    event = AbortHolds(scenario.aborts[0])
    runs = Runs(scenario, event, Here(), lambda: False, lambda _: None)
    made = runs.outcomes(Proposal(TASKS, (0,), RATES).draw(80, np.random.default_rng(6)))
    mean = mean_of([each.ratio if each else 0.0 for each in made], 0.95)
    assert abs(mean.value - EXACT) < 3.5 * mean.relative_error * mean.value
    assert mean.relative_error < 0.35


def log_normal(measure: object, ladder: object, size: int, rng: np.random.Generator) -> Repetition:
    return Repetition(1e-3 * math.exp(rng.normal(-0.125, 0.5)), (1e-3,), size)


def stopped_at(scenario: Scenario, precision: float | None, seed: int) -> Search:
    """A search with up to 170 ascents, whose estimates are drawn."""
    searching = searched(replace(scenario, seed=seed), [], 170 * LARGEST)
    searching.precision, searching.climbed = precision, Found(Ladder((), ()), 1e-3, 0)
    searching._climb()
    return searching


def test_the_interval_is_looked_at_when_ascents_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.runner.predict.rare.search.ascend", log_normal)
    scenario = scenario_of(tmp_path)
    assert len(stopped_at(scenario, None, 1).ascents) == 170
    made = [stopped_at(scenario, 0.2, seed) for seed in range(300)]
    assert {len(each.ascents) for each in made} == {10, 20, 40, 80}
    intervals = [mean_of_ascents([one.estimate for one in each.ascents], 0.95).interval for each in made]
    assert sum(low <= 1e-3 <= high for low, high in intervals) / 300 == pytest.approx(0.94, abs=0.04)


def test_names_that_are_not_there(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path)
    assert [each.name for each in events_of(scenario, (), all_aborts=True)] == ["many"]
    assert [each.name for each in events_of(scenario, ["objective1"])] == ["success_rate >= 80%"]
    both = events_of(scenario, ["success_rate >= 80%", "many", "objective1"], all_aborts=True)
    assert [each.name for each in both] == ["many", "success_rate >= 80%"]
    with pytest.raises(UsageError, match="did you mean"):
        events_of(scenario, ["mani"])
    with pytest.raises(UsageError, match="no abort conditions"):
        events_of(replace(scenario, aborts=()), (), all_aborts=True)
