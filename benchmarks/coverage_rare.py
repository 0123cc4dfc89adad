"""How often intervals of `soak predict --rare` hold the true probability: `python benchmarks/coverage_rare.py [--runs 200]`.

Whole searches, pilots and doubts and all, for k or more of 60 tasks that fail with 2 % each: an array stands for the model,
so that a search costs a second. `--stopping`: with `--precision`. `--model`: 24 tasks through model and judge, and brute force.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from unittest import mock

import numpy as np
from msgspec.structs import replace

from soak.runner.judge.interval import wilson
from soak.runner.predict.rare import search
from soak.runner.predict.rare.estimate import t_quantile
from soak.runner.predict.rare.events import AbortHolds
from soak.runner.predict.rare.runs import Runs
from soak.runner.predict.rare.search import Search
from soak.runner.predict.rare.splitting import Recipe
from soak.runner.predict.rare.tilting import rates_of
from soak.runner.replications.replication import Job, Replication, replicate, seeds
from soak.runner.replications.worker_pool import Promise
from soak.schemas.evidence.prediction import Method, RareEvent
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats
from soak.simulation.redraws import Tilt, Weighed

TASKS, MODEL_TASKS, RATE = 60, 24, 0.02
EFFORT = 5_000
SCENARIO = """
version: 1
name: binomial
system: queue
duration: {minutes}m
drain: 1m
seed: 1
workload:
  arrivals: {{rate: 12/min, process: constant}}
  task: {{duration: {{distribution: constant, value: 1s}}}}
queue: {{workers: 50, poll_interval: 0s, retry: {{max_attempts: 1}}}}
faults:
  - {{name: broken, type: permanent_error, rate: 2%}}
slis:
  failures: {{count: "task.failed"}}
slos:
  - success_rate >= 50%
abort:
  - {{name: many, when: failures >= {limit}}}
"""


@cache
def scenario_of(tasks: int, limit: int) -> Scenario:
    """Tasks one by one, none waits for another; the abort condition holds once `limit` of them have failed."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "binomial.yaml"
        path.write_text(SCENARIO.format(minutes=tasks // 12, limit=limit), encoding="utf-8")
        return load(path).simulated().scenario


def exact(tasks: int, limit: int) -> float:
    """The probability that `limit` or more fail."""
    return math.fsum(math.comb(tasks, k) * RATE**k * (1 - RATE) ** (tasks - k) for k in range(limit, tasks + 1))


class Ungraded(AbortHolds):
    """An event without levels: importance sampling has to do."""

    graded = False


class Drawn(Runs):
    """Runs that are an array of uniform numbers, one a task."""

    def __init__(self, limit: int) -> None:
        self.made, self._limit = 0, limit
        self._uniforms: dict[Recipe, Floats] = {}

    def measure(self, recipes: Sequence[Recipe], levels: Sequence[float]) -> list[int]:
        """How many levels each reached; one more when the event happened."""
        self.made += len(recipes)
        counts = [int((self._of(each) < RATE).sum()) for each in recipes]
        return [sum(count >= level * self._limit for level in (*levels, 1.0)) for count in counts]

    def outcomes(self, tilted: Sequence[tuple[int, Tilt]]) -> list[Weighed | None]:
        """What each is weighted by: by the definition, apart from that of the streams."""
        self.made += len(tilted)
        return [self._weighed(np.random.default_rng(seed).random(TASKS), tilt) for seed, tilt in tilted]

    def _of(self, recipe: Recipe) -> Floats:
        if recipe not in self._uniforms:
            self._uniforms[recipe] = self._made(recipe)
        return self._uniforms[recipe]

    def _made(self, recipe: Recipe) -> Floats:
        if not recipe.redraws:
            return np.random.default_rng(recipe.seed).random(TASKS)
        *before, last = recipe.redraws
        rng = np.random.default_rng(last.seed)
        return np.where(
            rng.random(TASKS) < last.share, rng.random(TASKS), self._of(replace(recipe, redraws=tuple(before)))
        )

    def _weighed(self, uniform: Floats, tilt: Tilt) -> Weighed | None:
        rate, *later = tilt.rates  # of the first attempt, and of those that no task has
        chances = np.full(TASKS, rate.rate)
        stretch = slice(max(0, tilt.first), max(0, tilt.first + tilt.length))
        chances[stretch] = rate.tilted
        failed = uniform < chances
        if failed.sum() < self._limit:
            return None
        ratios = np.where(failed, rate.tilted / rate.rate, (1 - rate.tilted) / (1 - rate.rate))
        products = [float(np.prod(ratios[max(0, each) : max(0, each + tilt.length)])) for each in tilt.firsts]
        return Weighed(
            len(products) / math.fsum(products), (int(failed[stretch].sum()), *(0 for _ in later)), len(failed[stretch])
        )


class Here:
    """A pool that makes replications here and now."""

    in_flight = 1

    def submit(self, job: Job) -> Promise:
        """The promise makes it."""

        class Made:
            def result(self, timeout: float | None = None) -> Replication:
                return replicate(job)

        return Made()

    def restart(self) -> None:
        """Nothing to start."""

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True)
class Searched:
    """What one search found; estimate: the mean, also where it was withheld; None where its pilot found no way."""

    estimate: float | None
    answer: RareEvent
    estimates: int


def of(made: Search, answer: RareEvent) -> Searched:
    """The estimate and the answer of a search that is over."""
    values = [each.estimate for each in made.ascents] or made.weights
    return Searched(math.fsum(values) / len(values) if values else None, answer, len(values))


def drawn(method: Method, limit: int, effort: int, seed: int) -> Searched:
    """A whole search among arrays."""
    scenario = replace(scenario_of(TASKS, limit), seed=seed)
    condition = scenario.aborts[0]
    event = AbortHolds(condition) if method is Method.SPLITTING else Ungraded(condition)
    if method is Method.SPLITTING:
        scenario = replace(scenario, faults=())
    made = Search(scenario, event, Drawn(limit), effort)
    return of(made, made.answer([]))


def modelled(method: Method, limit: int, effort: int, seed: int) -> Searched:
    """A whole search through plan, model and judge."""
    scenario = replace(scenario_of(MODEL_TASKS, limit), seed=seed)
    condition = scenario.aborts[0]
    climbs = method is Method.SPLITTING
    event = AbortHolds(condition) if climbs else Ungraded(condition)
    runs = Runs(scenario, event, Here(), lambda: False, lambda _: None)
    made = Search(scenario, event, runs, effort)
    with mock.patch.object(search, "rates_of", (lambda *_: ()) if climbs else rates_of):
        return of(made, made.answer([]))


def table(name: str, truth: float, runs: int, made: Callable[[int], Searched]) -> None:
    """A line: coverage with its own interval, misses on both sides, bias in standard errors, and gain over brute force."""
    began = time.process_time()
    found = [made(number + 1) for number in range(runs)]
    intervals = [each.answer.interval for each in found if each.answer.interval]
    covered = sum(low <= truth <= high for low, high in intervals)
    below, above = sum(high < truth for _, high in intervals), sum(low > truth for low, _ in intervals)
    low, high = wilson(covered, len(intervals), 0.95) if intervals else (0.0, 1.0)
    values = np.array([each.estimate for each in found if each.estimate is not None])
    spread = float(values.std(ddof=1))
    each = float(np.mean([one.answer.runs + one.answer.pilot_runs for one in found]))
    counts = sorted(one.estimates for one in found)
    print(
        f"{name:44} p {truth:.3g}: stated {len(intervals)} of {runs}, covered {covered / max(1, len(intervals)):.1%} "
        f"({low:.1%} to {high:.1%}; too low {below}, too high {above}), mean {values.mean() / truth:.3f} of p, bias "
        f"{(values.mean() - truth) / (spread / math.sqrt(len(values))):+.2f} se of {len(values)}, "
        f"deviation {spread / truth:.2f} of p, "
        f"runs {each:,.0f} (estimates {counts[0]} to {counts[-1]}, median {counts[runs // 2]}), "
        f"gain {truth * (1 - truth) / spread**2 / max(1.0, each):.3g}, {time.process_time() - began:.0f} s",
        flush=True,
    )


def of_fixed_effort(runs: int) -> None:
    """Splitting and importance sampling, 1e-3 and 1e-6, with the default effort; splitting with ten times as much."""
    for method, effort, count in (
        (Method.IMPORTANCE_SAMPLING, EFFORT, runs),
        (Method.SPLITTING, EFFORT, runs),
        (Method.SPLITTING, 10 * EFFORT, runs // 10),
    ):
        for limit in (6, 9):
            made = partial(drawn, method, limit, effort)
            table(f"{method}, effort {effort}", exact(TASKS, limit), count, made)


def of_stopping(runs: int) -> None:
    """Searches that end once the interval is narrow enough: log-normal ascents, then weighted runs. `estimate` by array."""
    random = np.random.default_rng(5)
    for deviation in (0.25, 0.5, 0.8):
        made = log_normal(random.normal(-(deviation**2) / 2, deviation, (20 * runs, 400)))
        stopped(f"log-normal ascents, {deviation}", 1.0, *made, fewest=10)
    for limit in (6, 9):
        stopped(
            f"weighted runs in hundreds, {limit}", exact(TASKS, limit), *weighted(limit, 4 * runs, random), fewest=5
        )


def log_normal(logs: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean and interval of the first n estimates of each row, for each n: Cox's."""
    count = np.arange(1, logs.shape[1] + 1)
    quantiles = np.array([math.inf, *(t_quantile(0.95, freedom) for freedom in count[:-1].tolist())])
    mean, middle = np.exp(logs).cumsum(1) / count, logs.cumsum(1) / count
    freedom = np.maximum(1, count - 1)
    variance = np.maximum(0.0, (logs**2).cumsum(1) - count * middle**2) / freedom
    half = quantiles * np.sqrt(np.maximum(1e-12, variance / count + variance**2 / (2 * freedom)))
    low, high = (np.exp(middle + variance / 2 + sign * half) for sign in (-1, 1))
    return mean, np.minimum(low, mean), np.maximum(high, mean)


def weighted(limit: int, runs: int, random: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """The same after each hundred of 16,000 weighted runs, all tasks tilted so that `limit` fail on average."""
    tilted, count = limit / TASKS, 100 * np.arange(1, 161)
    failed = np.arange(TASKS + 1)
    weights = np.where(failed < limit, 0.0, (RATE / tilted) ** failed * ((1 - RATE) / (1 - tilted)) ** (TASKS - failed))
    drawn = (weights[random.binomial(TASKS, tilted, (160, 100))] for _ in range(runs))
    sums = np.array([(each.sum(1).cumsum(), (each**2).sum(1).cumsum()) for each in drawn])
    mean = sums[:, 0] / count
    factor = np.exp(1.96 * np.sqrt((sums[:, 1] / count - mean**2) / (count - 1)) / mean)
    return mean, mean / factor, mean * factor


def stopped(name: str, truth: float, mean: Floats, low: Floats, high: Floats, *, fewest: int) -> None:
    """Lines: coverage where a search looks after each, and where it looks whenever their number has doubled."""
    most = mean.shape[1]
    doubled = [fewest << power for power in range(12) if fewest << power <= most]
    for precision in (0.2, 0.1, 0.05):
        for words, looks in (("each", list(range(fewest, most + 1))), ("doubled", doubled)):
            narrow = np.stack([high[:, look - 1] / mean[:, look - 1] - 1 <= precision for look in looks], axis=1)
            places = np.where(narrow.any(1), np.array(looks)[narrow.argmax(1)], most) - 1
            rows = np.arange(len(mean))
            covered = float(((low[rows, places] <= truth) & (truth <= high[rows, places])).mean())
            print(
                f"{name:32} precision {precision}, looks {words:8} covered {covered:.1%}, median {np.median(places) + 1:.0f}"
            )


def of_model(runs: int) -> None:
    """Through model and judge, and brute force."""
    for method, limit, effort, count in (
        (Method.IMPORTANCE_SAMPLING, 6, 300, runs),
        (Method.IMPORTANCE_SAMPLING, 4, 300, runs),
        (Method.SPLITTING, 4, 1_000, runs // 2),
    ):
        made = partial(modelled, method, limit, effort)
        table(f"model, {method}, effort {effort}", exact(MODEL_TASKS, limit), count, made)
    scenario, count = scenario_of(MODEL_TASKS, 4), 10_000
    hits = sum(bool(replicate(Job(0, seed, scenario)).held) for seed in first(count))
    low, high = wilson(hits, count, 0.95)
    truth = exact(MODEL_TASKS, 4)
    print(
        f"brute force: {hits} of {count}, {hits / count:.3g} ({low:.3g} to {high:.3g}), exact {truth:.3g}", flush=True
    )


def first(count: int) -> Iterator[int]:
    """Seeds of plain replications."""
    return (seed for _, seed in zip(range(count), seeds(1), strict=False))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--stopping", action="store_true")
    parser.add_argument("--model", action="store_true")
    chosen = parser.parse_args()
    part = of_model if chosen.model else of_stopping if chosen.stopping else of_fixed_effort
    part(chosen.runs)
