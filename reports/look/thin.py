"""Fewer points of a line, without losing what stands out: of each stretch, its lowest and its highest value."""

import numpy as np

from soak.schemas.stream.block import Floats


def folded(values: Floats, fold: int) -> Floats:
    """Two values of each 2 x `fold` neighbours: the lowest and the highest, in the order in which they came.

    NaN counts as unknown: both are NaN where all are. As many points as there are neighbours times 1 / fold, an even number.
    Source: min-max aggregation, as in U. Jugel et al., M4: a visualization-oriented time series data aggregation (VLDB 2014).
    """
    if fold == 1 or not len(values):
        return values
    count = -(-len(values) // (2 * fold))
    padded = np.full(count * 2 * fold, np.nan)
    padded[: len(values)] = values
    table = padded.reshape(count, 2 * fold)
    known = ~np.isnan(table)
    lowest, highest = np.where(known, table, np.inf), np.where(known, table, -np.inf)
    first_low = lowest.argmin(axis=1) <= highest.argmax(axis=1)
    pairs = np.stack([lowest.min(axis=1), highest.max(axis=1)], axis=1)
    pairs = np.where(first_low[:, None], pairs, pairs[:, ::-1])
    kept: Floats = np.where(known.any(axis=1)[:, None], pairs, np.nan).reshape(-1)
    return kept


def ends_of(t_s: Floats, fold: int) -> Floats:
    """The times of what `folded` keeps: the middle and the end of each stretch."""
    if fold == 1 or not len(t_s):
        return t_s
    ends = np.minimum(np.arange(1, 2 * -(-len(t_s) // (2 * fold)) + 1) * fold, len(t_s)) - 1
    times: Floats = t_s[ends]
    return times
