"""The pilot of a splitting: where levels lie, and how much a move redraws. Its runs are not part of the estimate."""

import numpy as np
from msgspec import Struct

from soak.runner.predict.rare.splitting import Ladder, Measure, Recipe, fresh, moved, resampled
from soak.schemas.stream.block import Floats, Ints
from soak.simulation.redraws import Which

STEP = 0.2
"""The share of runs that should make each step."""
LOWEST, POINTS = 0.005, 48
"""Levels are fractions of the way from the ideal value to the limit, from the lowest on, at so many points."""
_FEWEST = 3
_ROUNDS = 3
_MOST_LEVELS = 60
_EASY, _HARD = 0.5, 0.25
"""Shares of moves taken above which a move redraws more, and below which it redraws less."""
_FIRST_SHARE, _SMALLEST = 0.5, 1e-4


class Stuck(Struct, frozen=True):
    """Why no ladder was found: up to which fraction of the way runs came, and after how many levels."""

    fraction: float
    levels: int
    runs: int


class Found(Struct, frozen=True):
    """A ladder, what the pilot itself makes of the probability (nearly unbiased, not used), and its runs."""

    ladder: Ladder
    guess: float
    runs: int


class Pilot:
    """Climbs once with `size` runs, and chooses levels as it goes."""

    def __init__(
        self, measure: Measure, size: int, rng: np.random.Generator, kinds: tuple[Which, ...] = (Which.ALL,)
    ) -> None:
        self._measure, self._size, self._rng, self._kinds = measure, size, rng, kinds
        self._levels: list[float] = []
        self._shares: list[float] = []
        self._share, self._guess, self.runs = _FIRST_SHARE, 1.0, 0

    def climb(self) -> Found | Stuck:
        """The ladder, if there is a way up."""
        recipes = fresh(self._size, self._rng)
        grid = np.geomspace(LOWEST, 1.0, POINTS, endpoint=False)
        scores = self._measured(recipes, grid)
        lowest = self._step(scores, 0, len(grid))
        if lowest > 1:
            # Again, with points only where there is still some way to go.
            grid = np.geomspace(grid[lowest - 2], 1.0, POINTS, endpoint=False)
            scores = self._measured(recipes, grid)
        level = 0
        while len(self._levels) < _MOST_LEVELS:
            level = self._step(scores, level, len(grid))
            there = np.flatnonzero(scores >= level)
            arrived = int(scores.max()) > len(grid)
            if level == 0 or (len(there) < _FEWEST and not arrived):
                break
            self._guess *= len(there) / self._size
            if level > len(grid):
                return Found(Ladder(tuple(self._levels), tuple(self._shares), self._kinds), self._guess, self.runs)
            recipes, scores = resampled(recipes, scores, there.tolist(), self._rng)
            recipes, scores = self._settle(recipes, scores, grid, level)
        nearest = min(int(scores.max()), len(grid))
        fraction = float(grid[nearest - 1]) if nearest else 0.0
        return Stuck(fraction, len(self._levels), self.runs)

    def _measured(self, recipes: list[Recipe], grid: Floats) -> Ints:
        self.runs += len(recipes)
        return np.array(self._measure(recipes, grid.tolist()))

    def _step(self, scores: Ints, level: int, points: int) -> int:
        """The next level: the farthest that enough runs reach, else the farthest that as many reach as the very next; 0: none."""
        shares = [(scores >= each).mean() for each in range(level + 1, points + 2)]
        enough = [each for each, share in enumerate(shares) if share >= STEP]
        if enough:
            return level + 1 + enough[-1]
        best = shares[0]
        return level + 1 + max(each for each, share in enumerate(shares) if share == best) if best > 0 else 0

    def _settle(self, recipes: list[Recipe], scores: Ints, grid: Floats, level: int) -> tuple[list[Recipe], Ints]:
        for _ in range(_ROUNDS):
            ladder = Ladder(tuple(grid.tolist()), (self._share,) * len(grid), self._kinds)
            recipes, scores, taken = moved(self._measure, recipes, scores, ladder, level, self._rng)
            self.runs += len(recipes)
            if taken > _EASY:
                self._share = min(1.0, self._share * 1.5)
            elif taken < _HARD:
                self._share = max(_SMALLEST, self._share / 2)
        self._levels.append(float(grid[level - 1]))
        self._shares.append(self._share)
        return recipes, scores
