"""Multilevel splitting: the probability of an event as a product of probabilities that are not small.

A run is a function of independent draws. Levels lie between what is common and the event; `size` runs begin anywhere, those
that reach the next level are multiplied, and each copy is moved: part of its draws are replaced, and the move is taken when
the run still reaches the level, which leaves the law of runs that reach it as it is (subset simulation: Au and Beck 2001).
With levels, sizes and moves fixed beforehand the product of the shares is an unbiased estimate of the probability, however
slowly the moves mix (Botev and Kroese 2012; it is the normalising constant of a sequential Monte Carlo sampler: Del Moral,
Doucet and Jasra 2006). So a pilot chooses the levels and moves, and its runs do not count.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.stream.block import Ints
from soak.simulation.redraws import Redraw, Which

MOVES = 4
"""Moves of each run at each level."""
KINDS = (Which.ALL, Which.ALL, Which.ARRIVALS, Which.FATES)
"""What moves redraw where arrivals are drawn, too, each as often as it is written here."""
_SPREAD = (1 / 3, 1.0, 3.0)
"""Moves are of several sizes around that of the level."""


class Recipe(Struct, frozen=True):
    """What a run is made of: a seed, and which draws were replaced."""

    seed: int
    redraws: tuple[Redraw, ...] = ()


Measure: TypeAlias = Callable[[Sequence[Recipe], Sequence[float]], Sequence[int]]
"""Makes runs; for each, how many of the levels it reached, one more when the event happened in it."""


class Ladder(Struct, frozen=True):
    """Levels, ascending, without the event; for each, the share of tasks that a move redraws there; and what moves redraw."""

    levels: tuple[float, ...]
    shares: tuple[float, ...]
    kinds: tuple[Which, ...] = (Which.ALL,)


class Repetition(Struct, frozen=True):
    """One whole ascent: the estimate, the share of runs that made each step, how many runs it took, and one that got there."""

    estimate: float
    steps: tuple[float, ...]
    runs: int
    example: Recipe | None = None


def fresh(count: int, rng: np.random.Generator) -> list[Recipe]:
    """Runs with nothing replaced."""
    return [Recipe(seed) for seed in _seeds(count, rng)]


def ascend(measure: Measure, ladder: Ladder, size: int, rng: np.random.Generator) -> Repetition:
    """Climb the levels once with `size` runs. `measure` may raise to stop it."""
    recipes = fresh(size, rng)
    scores = np.array(measure(recipes, ladder.levels))
    estimate, steps, runs = 1.0, [], size
    for level in range(1, len(ladder.levels) + 2):
        there = np.flatnonzero(scores >= level)
        estimate *= len(there) / size
        steps.append(len(there) / size)
        if not len(there):
            return Repetition(0.0, tuple(steps), runs)
        if level > len(ladder.levels):
            break
        recipes, scores = resampled(recipes, scores, there.tolist(), rng)
        for _ in range(MOVES):
            recipes, scores, _ = moved(measure, recipes, scores, ladder, level, rng)
            runs += size
    return Repetition(estimate, tuple(steps), runs, recipes[int(there[0])])


def resampled(
    recipes: Sequence[Recipe], scores: Ints, there: Sequence[int], rng: np.random.Generator
) -> tuple[list[Recipe], Ints]:
    """As many runs as there were, of those in the places `there`, each as often as the others up to one (at random which)."""
    size = len(recipes)
    order = rng.permutation(np.asarray(there))
    places = order[np.arange(size) % len(order)]
    return [recipes[place] for place in places.tolist()], scores[places]


def moved(
    measure: Measure,
    recipes: Sequence[Recipe],
    scores: Ints,
    ladder: Ladder,
    level: int,
    rng: np.random.Generator,
) -> tuple[list[Recipe], Ints, float]:
    """Each run with part of its draws replaced where it still reaches `level`; and the share of moves that were taken."""
    seeds = _seeds(len(recipes), rng)
    proposed = [_altered(each, ladder, level, seed, rng) for each, seed in zip(recipes, seeds, strict=True)]
    reached = np.array(measure(proposed, ladder.levels))
    taken = reached >= level
    after = [new if yes else old for new, old, yes in zip(proposed, recipes, taken.tolist(), strict=True)]
    return after, np.where(taken, reached, scores), float(taken.mean())


def _altered(recipe: Recipe, ladder: Ladder, level: int, seed: int, rng: np.random.Generator) -> Recipe:
    which = ladder.kinds[int(rng.integers(len(ladder.kinds)))]
    share = min(1.0, ladder.shares[level - 1] * _SPREAD[int(rng.integers(len(_SPREAD)))])
    if share == 1 and which is Which.ALL:
        return Recipe(seed)
    return replace(recipe, redraws=(*recipe.redraws, Redraw(seed, share, which)))


def _seeds(count: int, rng: np.random.Generator) -> list[int]:
    seeds: list[int] = rng.integers(0, 1 << 53, count).tolist()
    return seeds
