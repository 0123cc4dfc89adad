"""Signs and ranks of pairs: against tables, and against distributions of which the truth is known."""

from pathlib import Path

import numpy as np
import pytest

from soak.runner.compare.signs import counts, family, median_interval, most_differing, pairs_needed, rank, sign_p
from soak.runner.whatif.effects import SliValues, effects, together_of
from soak.schemas.evidence.changes import Direction
from soak.schemas.evidence.whatif import Effect
from soak.schemas.language.load import load
from soak.schemas.stream.block import Floats


@pytest.mark.parametrize(
    ("count", "level", "expected"),
    # Conover 1999, table A3: the binomial distribution with one half.
    [
        (5, 0.05, 0),
        (6, 0.05, 1),
        (8, 0.05, 1),
        (9, 0.05, 2),
        (10, 0.05, 2),
        (20, 0.05, 6),
        (10, 0.002, 1),
        (10, 0.0019, 0),
    ],
)
def test_ranks_as_in_the_table(count: int, level: float, expected: int) -> None:
    assert rank(count, level) == expected


def test_the_interval_is_between_order_statistics() -> None:
    values = np.array([5.0, 1.0, 3.0, 2.0, 4.0, 10.0, 9.0, 8.0, 7.0, 6.0])
    assert median_interval(values, 0.05) == (2.0, 9.0)
    assert median_interval(values, 0.002) == (1.0, 10.0)
    assert median_interval(values, 0.001) is None


def test_a_family_counts_what_can_come_out_significant() -> None:
    assert sign_p(10, 0) == pytest.approx(2 / 1024)
    assert counts(6, 0.05)
    assert not counts(5, 0.05)
    assert not counts(0, 1.0)
    # Three of which all ten pairs differ; the others could never come out significant at a third of 5 %.
    assert family([10, 10, 10, 4, 3, 0, 0], 0.05) == 3
    # Of one with six differing pairs 5 % is enough, of two it is not.
    assert family([6, 2], 0.05) == 1
    assert family([6, 6], 0.05) == 2
    assert not counts(6, 0.05 / 2)
    assert (pairs_needed(1, 0.05), pairs_needed(20, 0.05), pairs_needed(50, 0.05)) == (6, 10, 11)
    assert most_differing(10, 0.95) == pytest.approx(0.2589, abs=1e-4)


# Effects of which the truth is known.

_LATENCY = load(Path(__file__).resolve().parents[3] / "scenarios" / "72h.yaml").scenario.slis["latency_p99"]


def effect_of(*differences: Floats) -> list[Effect]:
    """Of SLIs whose pairs differ so."""
    values = [SliValues(_LATENCY, [100.0] * len(each), (100.0 + each).tolist()) for each in differences]
    return effects(values, together_of(values, alpha=0.05, least=0.0))


def heavy(generator: np.random.Generator, count: int) -> Floats:
    """Mostly small, now and then very large: mean 1.98, median near 0.12."""
    return generator.exponential(0.2, count) + 10 * (generator.random(count) < 0.02) * generator.exponential(9.0, count)


def test_intervals_together_hold_their_promise_where_students_does_not() -> None:
    generator = np.random.default_rng(2)
    median = float(np.median(heavy(generator, 400_000)))
    wrong = told = 0
    for _ in range(300):
        found = effect_of(*(heavy(generator, 12) for _ in range(5)))
        told += sum(each.low is not None for each in found)
        wrong += any(each.low is not None and not each.low <= median <= (each.high or 0) for each in found)
    assert told == 1500
    # 5 % at most; 300 trials have a standard deviation of 1.3 %.
    assert wrong / 300 <= 0.08


def test_decisions_and_intervals_agree() -> None:
    generator = np.random.default_rng(6)
    directions = set()
    for _ in range(200):
        for each in effect_of(*(np.round(generator.normal(shift, 1.0, 16), 1) for shift in (0.0, 0.6, 1.2))):
            directions.add(each.direction)
            if each.low is not None:
                outside = each.low > 0 or (each.high or 0) < 0
                assert outside is (each.direction in {Direction.WORSE, Direction.BETTER})
    assert directions >= {Direction.WORSE, Direction.UNCHANGED}


def test_no_effect_at_all_raises_as_few_alarms_as_promised() -> None:
    generator = np.random.default_rng(9)
    alarms = 0
    for _ in range(400):
        common = generator.normal(size=(2, 20))
        found = effect_of(*(common[0] * scale - common[1] * scale for scale in (1.0, 2.0)), generator.normal(size=20))
        alarms += any(each.direction in {Direction.WORSE, Direction.BETTER} for each in found)
    assert alarms / 400 <= 0.08


@pytest.mark.parametrize(
    ("differences", "direction", "note"),
    [
        ([0.0] * 10, Direction.UNCHANGED, "the same in all 10 pairs: it differs in at most 26% of all"),
        ([1.0] + [0.0] * 9, Direction.UNTESTED, "no statement: 9 of 10 pairs do not differ (raise -n)"),
        ([1.0] * 5, Direction.UNTESTED, "no statement: 5 pairs are too few"),
        ([2.0, 3.0] * 3 + [0.0] * 14, Direction.WORSE, "higher in 6 of 20 pairs, lower in 0"),
        # Each time a little better, and once so much worse that the mean is.
        (
            [-1.0 - place / 100 for place in range(15)] + [99.0],
            Direction.UNTESTED,
            "no statement: higher in 1 of 16 pairs",
        ),
    ],
)
def test_where_nothing_is_said_the_reason_is(differences: list[float], direction: Direction, note: str) -> None:
    [effect] = effect_of(np.array(differences))
    assert (effect.direction, effect.low, effect.high) == (direction, None, None)
    assert effect.note.startswith(note)
    assert note in effect.detail


def test_too_few_pairs_for_so_many_say_how_many_it_takes() -> None:
    found = effect_of(*(np.arange(1.0, 7.0) for _ in range(4)))
    assert {each.note for each in found} == {"no statement: 6 pairs are too few (-n 8 or more)"}
