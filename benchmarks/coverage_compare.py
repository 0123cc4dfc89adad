"""How often what `soak compare` and `soak limits` say is true.

`before`: Wilson's interval after the sequential test; Student's interval of the mean of ten pairs; permutations of the values
of twenty parts of a run, and a change that matters from 5 %. Coverage of pairs is that of the truth in many more pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from experiment import Row
from msgspec.structs import replace

from soak.runner.cli.compare import ALPHA, LEAST
from soak.runner.compare.changes import compare
from soak.runner.compare.dependence import hold_against
from soak.runner.compare.noise import holm
from soak.runner.compare.parts import PARTS, Parts, parts_of
from soak.runner.judge.interval import wilson
from soak.runner.judge.judge import Judge
from soak.runner.judge.student import t_of
from soak.runner.limits.decision import Care, SequentialTest, Tally
from soak.runner.limits.sequence import anytime_interval
from soak.runner.replications.replication import paired_jobs, replicate, seeds
from soak.runner.targets.simulation import Simulation
from soak.runner.whatif.effects import SliValues, effects, together_of, values_of
from soak.schemas.evidence.changes import BASELINE_VERSION, Baseline, BaselineSli, Direction
from soak.schemas.evidence.verdict import Outcome
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats
from soak.simulation.plan import Plan

SCENARIO = Path(__file__).parents[1] / "scenarios/72h.yaml"
VARIANTS = ("queue.workers=6", "queue.retry.max_attempts=3", "faults.transient.rate=11%")
SLOWER = ("workload.task.duration.median=8.4s", "workload.task.duration.p95=21s")
SHOWN = ("success_rate", "latency_mean", "latency_p99", "wait_p95")
COUNT = 10
FIGURES = ("mean", "p50", "p95", "p99")
_MOST_POOL, _MOST_RUNS = 400, 20


def rows(runs: int) -> list[Row]:
    """The table; `runs`: of the cheapest experiments."""
    return [
        *limit_rows(runs),
        *(row for each in VARIANTS for row in pair_rows(each, runs)),
        *part_rows(runs),
        *alike_rows(runs),
        *slow_rows(runs),
    ]


def limit_rows(runs: int) -> Iterator[Row]:
    """Intervals of P(PASS) at the points of `soak limits`, after the test has stopped."""
    test = SequentialTest(0.95, 200)
    for probability in (0.85, 0.9, 0.93, 0.95, 0.974):
        numbers = np.random.default_rng(1)
        held: list[tuple[bool, bool]] = []
        for _ in range(runs):
            tally = Tally()
            while not test.enough(tally, Care.DECIDE):
                tally = tally.plus(bool(numbers.random() < probability))
            found = (each(tally.passes, tally.total, 0.95) for each in (wilson, anytime_interval))
            before, after = (low <= probability <= high for low, high in found)
            held.append((before, after))
        before, after = np.mean(held, axis=0)
        yield Row(
            "limits: P(PASS)", f"P(PASS) {probability:.1%}", "at least 95 %", float(before), float(after), 1.0, runs
        )


# compare SCENARIO --with KEY=VALUE


def pair_rows(variant: str, runs: int) -> Iterator[Row]:
    """Intervals of ten pairs drawn from many: Student's of the mean, and those of the median, all together."""
    base, other = load(SCENARIO, tier="pr").scenario, load(SCENARIO, tier="pr", variant=(variant,)).scenario
    made = [replicate(job) for job in islice(paired_jobs(base, other), 2 * min(_MOST_POOL, max(40, runs)))]
    slis = list(base.slis.values())
    pool = values_of(slis, list(zip(made[::2], made[1::2], strict=True)))
    truths = {each.sli.name: each.differences for each in pool if len(each.differences)}
    numbers = np.random.default_rng(2)
    drawn = [_Drawn.of(pool, truths, numbers) for _ in range(runs)]
    for name in SHOWN:
        if truths[name].any():
            before, after = (np.mean([getattr(each, side)[name] for each in drawn if name in getattr(each, side)] or [np.nan])
                             for side in ("student", "told"))  # fmt: skip
            stated = sum(name in each.told for each in drawn) / runs
            yield Row(
                f"compare --with: {name}", variant, "at least 95 %", float(before), _known(float(after)), stated, runs
            )
    together = [all(each.told.values()) for each in drawn]
    before = float(np.mean([all(each.student.values()) for each in drawn]))
    yield Row(
        "compare --with: all SLIs together", variant, "at least 95 %", before, float(np.mean(together)), 1.0, runs
    )


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Ten pairs: by SLI that varies, whether Student's interval covers the mean, and the one that is told the median."""

    student: dict[str, bool]
    told: dict[str, bool]

    @staticmethod
    def of(pool: Sequence[SliValues], truths: dict[str, Floats], numbers: np.random.Generator) -> "_Drawn":
        places = numbers.choice(len(pool[0].base), COUNT, replace=False).tolist()
        values = [
            SliValues(each.sli, [each.base[place] for place in places], [each.variant[place] for place in places])
            for each in pool
        ]
        varying = {name for name, truth in truths.items() if truth.any()}
        student, told = {}, {}
        for each, effect in zip(values, effects(values, together_of(values, alpha=0.05, least=0.0)), strict=True):
            name = each.sli.name
            if name in varying and len(each.differences) == COUNT:
                half = t_of(0.95, COUNT - 1) * each.differences.std(ddof=1) / np.sqrt(COUNT)
                student[name] = bool(abs(each.differences.mean() - truths[name].mean()) <= half)
            if name in varying and effect.low is not None and effect.high is not None:
                told[name] = bool(effect.low <= np.median(truths[name]) <= effect.high)
        return _Drawn(student, told)


# compare BASE RUN


def part_rows(runs: int) -> Iterator[Row]:
    """False alarms of two runs of an M/M/1 queue over 24 hours, by figure, at 5 %, not adjusted for several."""
    pairs = min(runs, 400)
    for load_factor in (0.5, 0.7, 0.9, 0.95):
        numbers = np.random.default_rng(3)
        queues = [queue(numbers, load_factor) for _ in range(2 * pairs)]
        for place, figure in enumerate(FIGURES):
            old = [_permuted(*(parts(each, 20)[:, place] for each in two)) for two in _twos(queues)]
            new = [hold_against(*(parts(each, 72)[:, place].tolist() for each in two)).p for two in _twos(queues)]
            told = [p for p in new if p is not None]
            alarms = float(np.mean([p <= 0.05 for p in told]))
            before = float(np.mean([p <= 0.05 for p in old]))
            case = f"M/M/1, 24 h, rho {load_factor:g}, {figure}"
            yield Row("compare: false alarms", case, "at most 5 %", before, alarms, len(told) / pairs, pairs)


def alike_rows(runs: int) -> Iterator[Row]:
    """False alarms of all comparisons, those without a test among them, where parts are alike as in an AR(1) process."""
    for memory in (0.0, 0.5, 0.8, 0.9, 0.95):
        numbers, count = np.random.default_rng(3), 2 * runs
        series = np.empty((count, PARTS))
        series[:, 0] = numbers.normal(size=count)
        for place in range(1, PARTS):
            noise = numbers.normal(scale=np.sqrt(1 - memory**2), size=count)
            series[:, place] = memory * series[:, place - 1] + noise
        ps = [hold_against([0.0] * PARTS, each.tolist()).p for each in series]
        naive = np.abs(series.mean(axis=1)) / series.std(axis=1, ddof=1) * np.sqrt(PARTS) > t_of(0.95, PARTS - 1)
        alarms, stated = (float(np.mean([p is not None and p <= most for p in ps])) for most in (0.05, 1.0))
        case = f"AR(1) {memory:g}, {PARTS} parts, of all comparisons"
        yield Row("compare: false alarms", case, "at most 5 %", float(naive.mean()), alarms, stated, count)


def queue(numbers: np.random.Generator, load_factor: float, mean_s: float = 8.0) -> tuple[Floats, Floats]:
    """When tasks were due and how long each took, waits included, in seconds: Lindley's recursion over a day."""
    until_s = 24 * 3600.0
    due_s = np.sort(numbers.random(numbers.poisson(load_factor / mean_s * until_s)) * until_s)
    served_s = np.cumsum(numbers.exponential(mean_s, len(due_s)))
    began = np.concatenate([[0.0], served_s[:-1]])
    return due_s, np.maximum.accumulate(due_s - began) + served_s - due_s


def parts(made: tuple[Floats, Floats], count: int) -> Floats:
    """Of each of as many parts of a day, FIGURES."""
    due_s, took_s = made
    cut = np.split(took_s, np.searchsorted(due_s, np.arange(1, count) * 24 * 3600 / count))
    return np.array([[part.mean(), *np.quantile(part, (0.5, 0.95, 0.99))] for part in cut])


def _twos(queues: Sequence[tuple[Floats, Floats]]) -> Iterator[tuple[tuple[Floats, Floats], tuple[Floats, Floats]]]:
    return zip(queues[::2], queues[1::2], strict=True)


def _permuted(one: Floats, other: Floats, count: int = 2000) -> float:
    """How likely parts that are dealt out anew differ in their means as much, as it was."""
    both, numbers = np.concatenate([one, other]), np.random.default_rng(7)
    dealt = numbers.permuted(np.tile(both, (count, 1)), axis=1)
    apart = np.abs(dealt[:, : len(one)].mean(axis=1) - dealt[:, len(one) :].mean(axis=1))
    return float((np.count_nonzero(apart >= abs(one.mean() - other.mean()) * (1 - 1e-9)) + 1) / (count + 1))


def slow_rows(runs: int) -> Iterator[Row]:
    """Runs of 72 hours with tasks that take 5 % longer: how often that is found; and without a change, how often it is, too."""
    count = min(_MOST_RUNS, max(2, runs // 10))
    base, slower = load(SCENARIO).scenario, load(SCENARIO, variant=SLOWER).scenario
    made = [_run(base, seed) for seed in islice(seeds(5), 2 * count)]
    slow = [_run(slower, seed) for seed in islice(seeds(5), count)]
    cases = {"another seed": (made[count:], slow), "the same seed": (made[:count], slow)}
    for case, (one, other) in cases.items():
        before, after = _alarms(one, other)
        yield Row("compare: 5 % slower is found", f"72h, {case}", "most", before, after, 1.0, count)
    before, after = _alarms(made[:count], made[count:])
    yield Row("compare: any false alarm", "72h, another seed", "at most 1 %", before, after, 1.0, count)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run in parts of whole bursts, and in twenty."""

    whole: Baseline
    twenty: Baseline


def _alarms(base: Sequence[_Run], run: Sequence[_Run]) -> tuple[float, float]:
    pairs = list(zip(base, run, strict=True))
    old = [_worse_before(one.twenty, other.twenty) for one, other in pairs]
    new = [_worse(one.whole, other.whole) for one, other in pairs]
    return float(np.mean(old)), float(np.mean(new))


def _worse(base: Baseline, run: Baseline) -> bool:
    changes = compare(base, run, alpha=ALPHA, least=LEAST, objectives=())
    return any(each.direction is Direction.WORSE for each in changes.changes)


def _worse_before(base: Baseline, run: Baseline) -> bool:
    """Whether a change of 5 % or more for the worse was significant at 1 %: permutations of parts, Holm."""
    tested = [(name, *_sides(base, run, name)) for name in run.slis]
    ps = [_permuted(one, other, 20_000) if min(len(one), len(other)) >= 6 else None for _, one, other in tested]
    for (name, _, _), significant in zip(tested, holm(ps, 0.01), strict=True):
        before, now = base.slis[name].value, run.slis[name].value
        if significant and before and now is not None and abs(now - before) >= 0.05 * abs(before):
            return (now > before) != (run.slis[name].better == "higher")
    return False


def _sides(base: Baseline, run: Baseline, name: str) -> tuple[Floats, Floats]:
    one, other = (np.array([each for each in side.slis[name].slices if each is not None]) for side in (base, run))
    return one, other


def _run(scenario: Scenario, seed: int) -> _Run:
    """A run, as others are compared with it."""
    blocks = list(Simulation().run(Plan(scenario, seed)))
    found = []
    for cut in (parts_of(scenario), Parts(20, scenario.duration_s / 20)):
        sliced = replace(scenario, phases=cut.phases, objectives=(), alerts=(), aborts=())
        judge = Judge(sliced, Plan(sliced, seed).vocabulary, abort=False)
        labels = [judge.labels.selected((("phase", phase.name),)) for phase in cut.phases]
        of_tasks = [sli for sli in sliced.slis.values() if sli.per_task]
        for sli in of_tasks:
            for label in labels:
                judge.folds.fold(sli, label)
        for block in blocks:
            for _ in judge.observe(block):
                pass
        slis = {
            sli.name: BaselineSli(
                sli.unit.value,
                sli.better.value,
                _known(judge.sli_value(sli)),
                [_known(judge.sli_value(sli, label)) for label in labels],
            )
            for sli in of_tasks
        }
        found.append(
            Baseline(
                BASELINE_VERSION, scenario.name, "", "simulation", seed, 1.0, Outcome.PASS, None, scenario.duration_s, slis,
                scenario.system, cut.length_s,
            )
        )  # fmt: skip
    return _Run(*found)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


if __name__ == "__main__":
    for row in rows(400):
        print(row)
