"""Clusters of large values: the peaks of clusters are independent of each other where single values are not.

The intervals estimator of the extremal index, and the declustering that follows from it, of Ferro and Segers (2003).
"""

import numpy as np
from msgspec import Struct

from soak.runner.judge.tails import Largest
from soak.schemas.stream.block import Floats, Ints

LEAST_CLUSTERS, MOST_CLUSTERS = 50, 300
_SHARE = 0.05
"""Share of the observations that count as large, at most."""


class Clusters(Struct, frozen=True):
    """Values above `threshold` in time order, with their places among all observations, and their clusters.

    index: the extremal index, the share of large values that begin a cluster. starts: where in `values` each cluster begins.
    """

    threshold: float
    values: Floats
    places: Ints
    index: float
    starts: Ints
    times: Floats
    """When each cluster began."""

    @property
    def peaks(self) -> Floats:
        """The largest value of each cluster."""
        peaks: Floats = np.maximum.reduceat(self.values, self.starts)
        return peaks

    @property
    def sizes(self) -> Ints:
        """How many values each cluster has."""
        return np.diff(self.starts, append=len(self.values))

    def __len__(self) -> int:
        return len(self.starts)


def find_clusters(largest: Largest) -> Clusters | None:
    """Clusters above a threshold that the largest 5 % pass, or fewer: few enough to be far out. None for hardly any values."""
    t, value, place = largest.kept()
    descending = np.sort(value)[::-1]
    # All values above the smallest that was kept have been kept.
    count = min(int(_SHARE * largest.samples), len(descending) - 1)
    while count >= 2:
        found = _clusters(t, value, place, float(descending[count]))
        if found is None or len(found) <= MOST_CLUSTERS:
            return found
        count = int(count * max(MOST_CLUSTERS / len(found), 0.5))
    return None


def _clusters(t: Floats, value: Floats, place: Ints, threshold: float) -> Clusters | None:
    above = value > threshold
    if not above.any():
        return None
    places = place[above]
    gaps = np.diff(places)
    index = extremal_index(gaps)
    separating = np.sort(gaps)[::-1][min(int(index * len(places)), len(gaps)) :]
    longest_within = int(separating[0]) if index < 1 and len(separating) else 0
    starts = np.flatnonzero(np.append(True, gaps > longest_within))
    return Clusters(threshold, value[above], places, index, starts, t[above][starts])


def extremal_index(gaps: Ints) -> float:
    """The intervals estimator, from the distances between successive large observations (Ferro and Segers 2003, section 3)."""
    if not len(gaps):
        return 1.0
    gap = gaps.astype(np.float64)
    if gap.max() <= 2:
        return min(1.0, 2 * float(gap.sum()) ** 2 / (len(gap) * float((gap**2).sum())))
    squares = float(((gap - 1) * (gap - 2)).sum())
    return min(1.0, 2 * float((gap - 1).sum()) ** 2 / (len(gap) * squares))
