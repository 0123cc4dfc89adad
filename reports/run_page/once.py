"""Nothing is drawn twice: charts of one column become one, with the limits and the lines of all of them."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from soak.reports.look.charts import Chart, Line


def once(*parts: Sequence[Chart]) -> list[list[Chart]]:
    """The charts of each part of a page without those whose column an earlier chart shows, which takes what they add."""
    first: dict[str, Chart] = {}
    kept: list[list[str | Chart]] = []
    for part in parts:
        kept.append([])
        for chart in part:
            column = chart.of.removesuffix("_s").removesuffix("_max")
            if not column:
                kept[-1].append(chart)
            elif column not in first:
                first[column] = chart
                kept[-1].append(column)
            elif len(first[column].t_s) == len(chart.t_s) and first[column].log == chart.log:
                first[column] = _joined(first[column], chart)
            else:
                kept[-1].append(chart)
    return [[first[each] if isinstance(each, str) else each for each in part] for part in kept]


def _joined(one: Chart, other: Chart) -> Chart:
    lines = [*one.lines, *(line for line in other.lines if not any(_same(line, each) for each in one.lines))]
    limits = [*one.limits, *(limit for limit in other.limits if limit not in one.limits)]
    highs = [each for each in (one.high, other.high) if each is not None]
    return replace(one, lines=lines, limits=limits, high=max(highs) if len(highs) == 2 else None)


def _same(one: Line, other: Line) -> bool:
    return bool(np.array_equal(one.values, other.values, equal_nan=True)) or one.name == other.name == "fitted"
