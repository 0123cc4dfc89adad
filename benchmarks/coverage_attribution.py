"""How often a fault is put in doubt that takes effect as planned, and one of which hardly anything does."""

from pathlib import Path

import numpy as np
from experiment import Row
from msgspec.structs import replace

from soak.runner.judge.faults import FaultCounts, hardly
from soak.schemas.evidence.verdict import FaultResult, Status
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

SCENARIOS = Path(__file__).parents[1] / "scenarios"
STATEMENT = "a fault by rate is in doubt"
TASKS = 3_000
"""Opportunities of the drawn cases."""


def rows(runs: int) -> list[Row]:
    """Drawn counts, and simulations of a shipped scenario with faults of every kind, each with `runs` seeds."""
    planned = [_drawn(expected, 1.0, runs * 100) for expected in (6, 12, 30, 300)]
    short = [_drawn(expected, share, runs * 100) for expected in (12, 30, 300) for share in (0.1, 0.3)]
    return [*planned, *short, _simulated(runs)]


def _drawn(expected: float, share: float, runs: int) -> Row:
    """Counts of opportunities that are struck, each by itself; of those planned a share takes effect."""
    seen = np.random.default_rng(int(expected * 10 + share * 1000)).binomial(TASKS, share * expected / TASKS, runs)
    before = seen == 0
    after = before | np.array([hardly(int(count), expected) for count in seen])
    case = f"{expected:g} expected, " + ("as planned" if share == 1 else f"{share:.0%} of them take effect")
    wanted = "at most 0.01 % beside those never seen" if share == 1 else "found"
    return Row(STATEMENT, case, wanted, float(before.mean()), float(after.mean()), 1.0, runs)


def _simulated(runs: int) -> Row:
    """Every fault of a scenario in which each takes effect as planned."""
    scenario = load(SCENARIOS / "selftest" / "steady.yaml").scenario
    found = [result for seed in range(runs) for result in results(replace(scenario, seed=seed))]
    before = [not each.seen for each in found]
    after = [each.status is Status.INCONCLUSIVE for each in found]
    case = "seven faults of scenarios/selftest/steady.yaml, as planned"
    wanted = "no more than were never seen"
    return Row(STATEMENT, case, wanted, float(np.mean(before)), float(np.mean(after)), 1.0, len(found))


def results(scenario: Scenario) -> list[FaultResult]:
    """What the judge says of the faults of a simulation."""
    plan = Plan(scenario)
    counts, until_s = FaultCounts(plan.scenario, plan.vocabulary), 0.0
    for block in simulate(plan):
        counts.observe(block)
        until_s = block.until_s
    return counts.results(until_s)


if __name__ == "__main__":
    for row in rows(100):
        print(row)
