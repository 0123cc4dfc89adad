"""Importance sampling: faults at higher rates in a stretch of the run, and the outcome weighted by the likelihood ratio.

A rare event needs one unusual stretch, not an unusual run: tilted over the whole of it, weights would degenerate. The stretch is
chosen at random among those that cover the run, and the likelihood ratio is that of the mixture (Hesterberg 1995), which is
bounded where the event happened in the stretch. Rates are found by cross-entropy in a pilot (Rubinstein 1999): those of the runs
in which the event happened, weighted.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.language.faults import Fault
from soak.simulation.redraws import Tilt, TiltedRate, Weighed

Outcomes: TypeAlias = Callable[[Sequence[tuple[int, Tilt]]], Sequence[Weighed | None]]
"""Makes runs of seeds with tilts; what each is weighted by, None where the event did not happen."""

MOST_ATTEMPTS = 4
_FACTORS = (4.0, 32.0, 256.0, 4096.0, 1e6, 1e9)
"""By how much the odds of a fault are multiplied, as long as the event is rare."""
_LENGTHS = (1, 16, 256, 4096)
_TRIED, _HITS = 24, 5
_REFINED, _ROUNDS = 64, 3
_LOW, _HIGH = 1e-9, 0.95


class Proposal(Struct, frozen=True):
    """What runs are drawn with: the length of the stretch, where it may begin, the rates in it."""

    length: int
    firsts: tuple[int, ...]
    rates: tuple[TiltedRate, ...]

    def draw(self, count: int, rng: np.random.Generator) -> list[tuple[int, Tilt]]:
        """Seeds and tilts of runs."""
        seeds = rng.integers(0, 1 << 53, count).tolist()
        firsts = rng.choice(np.array(self.firsts), count).tolist()
        return [
            (seed, Tilt(first, self.length, self.firsts, self.rates)) for seed, first in zip(seeds, firsts, strict=True)
        ]


class Tuned(Struct, frozen=True):
    """A proposal, and what the pilot makes of it: the probability (not used) and the relative variance of a run."""

    proposal: Proposal
    guess: float
    relative_variance: float


def rates_of(faults: Sequence[Fault], attempts: int) -> tuple[TiltedRate, ...]:
    """The draws that decide over faults by rate: of each attempt, where attempts meet them, else of each task."""
    rates = []
    for fault in faults:
        if 0 < fault.rate < 1 and fault.spec.counts:
            layers = (0,) if fault.spec.counts == "tasks" else range(1, min(attempts, MOST_ATTEMPTS) + 1)
            rates += [TiltedRate(f"fault:{fault.name}", layer, fault.rate, fault.rate) for layer in layers]
    return tuple(rates)


class Tuning:
    """The pilot: finds lengths and rates with which the event happens, and keeps the best. Its runs do not count."""

    def __init__(self, outcomes: Outcomes, rates: tuple[TiltedRate, ...], tasks: int, rng: np.random.Generator) -> None:
        """tasks: how many arrive in a run, about; those beyond are not tilted."""
        self._outcomes, self._rates, self._tasks, self._rng = outcomes, rates, tasks, rng
        self.runs = 0

    def best(self) -> Tuned | None:
        """The proposal whose runs vary least; None where the event never happened."""
        found = [tuned for each in self._frequent() if (tuned := self._refined(each))]
        return min(found, key=lambda each: each.relative_variance, default=None)

    def _frequent(self) -> Iterator[Proposal]:
        """For each length, the smallest rates with which the event is frequent."""
        for length in sorted({min(each, self._tasks) for each in _LENGTHS}):
            firsts = tuple(range(1 - length if length < self._tasks else 0, self._tasks, max(1, length // 2)))
            for factor in _FACTORS if length < self._tasks else (1.5, *_FACTORS):
                proposal = Proposal(length, firsts[: 1 if length >= self._tasks else None], self._multiplied(factor))
                if sum(each is not None for each in self._made(proposal, _TRIED)) >= _HITS:
                    yield proposal
                    break

    def _multiplied(self, factor: float) -> tuple[TiltedRate, ...]:
        return tuple(replace(each, tilted=_bounded(_odds(each.rate, factor), each.rate)) for each in self._rates)

    def _refined(self, proposal: Proposal) -> Tuned | None:
        tuned = None
        for turn in range(_ROUNDS):
            made = list(self._made(proposal, _REFINED))
            weights = np.array([each.ratio if each else 0.0 for each in made])
            if not weights.any():
                return tuned
            # Squares of likelihood ratios of a long run would be 0.
            scaled = np.ldexp(weights, -int(np.frexp(weights.max())[1]))
            now = Tuned(proposal, float(weights.mean()), float(scaled.var()) / float(scaled.mean()) ** 2)
            if turn == _ROUNDS - 1 or (tuned and now.relative_variance < 1):
                return now
            tuned, proposal = now, replace(proposal, rates=_by_cross_entropy(proposal.rates, made))
        return tuned

    def _made(self, proposal: Proposal, count: int) -> Sequence[Weighed | None]:
        self.runs += count
        return self._outcomes(proposal.draw(count, self._rng))


def _by_cross_entropy(rates: Sequence[TiltedRate], made: Sequence[Weighed | None]) -> tuple[TiltedRate, ...]:
    """The rates seen where the event happened, weighted; smoothed with those that were used (de Boer et al. 2005)."""
    happened = [each for each in made if each and each.trials]
    trials = math.fsum(each.ratio * each.trials for each in happened)
    if not trials:
        return tuple(rates)
    seen = [math.fsum(each.ratio * each.hits[place] for each in happened) / trials for place in range(len(rates))]
    return tuple(
        replace(each, tilted=_bounded(0.8 * rate + 0.2 * each.tilted, each.rate))
        for each, rate in zip(rates, seen, strict=True)
    )


def _odds(rate: float, factor: float) -> float:
    return factor * rate / (1 - rate + factor * rate)


def _bounded(tilted: float, rate: float) -> float:
    return min(max(tilted, rate), max(_HIGH, rate))
