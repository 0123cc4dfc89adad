"""An objective over runs as a picture: values with their intervals, the limit, results, and where the values changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from markupsafe import Markup, escape
from msgspec import Struct

from soak.reports.look.charts import Form
from soak.reports.look.ticks import extent, linear, show
from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.evidence.runs import RunChange, RunRow, Trend
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.expression import Unit

WIDTH, LEFT, RIGHT, TOP, HEIGHT, FOOT = 560, 74, 10, 24, 130, 24
_DATES = 4
_MANY = 120
"""More runs have smaller marks."""

_FORMS = {
    Unit.DURATION: Form.SECONDS,
    Unit.DURATION_PER_HOUR: Form.SECONDS,
    Unit.RATIO: Form.RATIO,
    Unit.SIZE: Form.BYTES,
}
_FAR = 4.0
"""Limits and intervals that are this many times as far away as the values reach are not drawn into the scale."""

_MARKS = {Status.PASS: "dot", Status.FAIL: "broken", Status.INCONCLUSIVE: "open", Status.NOT_APPLICABLE: "open"}


class _Scale(Struct, frozen=True):
    x: Callable[[float], float]
    y: Callable[[float], float]
    low: float
    high: float


def draw_trend(trend: Trend, runs: Mapping[str, RunRow]) -> Markup:
    """The picture as `<svg>`. runs: by their paths. Colours are variables of the style sheet; its width is `WIDTH` units."""
    scale = _scale(trend)
    bottom = TOP + HEIGHT
    parts = [
        *_grid(trend, scale),
        *(part for change in trend.changes for part in _change(change, trend, scale, runs)),
        _intervals(trend, scale),
        f'<path class="line" d="{_joined(scale, trend.values)}"/>',
        *_marks(trend, scale),
        *_limit(trend, scale),
        *_dates(trend, scale, runs, bottom),
    ]
    label = escape(f"{trend.objective} over {len(trend.values)} runs")
    return Markup(f'<svg viewBox="0 0 {WIDTH} {bottom + FOOT}" role="img" aria-label="{label}">{"".join(parts)}</svg>')


def places(count: int) -> list[float]:
    """Where runs are, from 0 to 1 of the width: at even distances, a single one in the middle."""
    return [0.5] if count == 1 else [place / (count - 1) for place in range(count)]


def _scale(trend: Trend) -> _Scale:
    seen = list(_seen(trend))
    low, high = extent(0.0 if min(seen) == 0 else None, None, seen, log=False)
    across = WIDTH - LEFT - RIGHT
    last = max(1, len(trend.values) - 1)

    def x(place: float) -> float:
        return LEFT + across * (place / last if len(trend.values) > 1 else 0.5)

    def y(value: float) -> float:
        return TOP + HEIGHT * (1 - min(max((value - low) / (high - low), 0.0), 1.0))

    return _Scale(x, y, low, high)


def _seen(trend: Trend) -> Iterator[float]:
    """What the scale has room for: all values, and of limits and intervals what is not far from them."""
    values = trend.values
    yield from values
    reach = max(max(values) - min(values), 0.02 * max(map(abs, values)))
    ends = [end for each in trend.intervals if each for end in each]
    for other in {*trend.targets, *ends} - {None}:
        if other is not None and min(values) - _FAR * reach <= other <= max(values) + _FAR * reach:
            yield other


def _grid(trend: Trend, scale: _Scale) -> Iterator[str]:
    form = _FORMS.get(Unit(trend.unit), Form.NUMBER)
    for value in linear(scale.low, scale.high, form, 4):
        at = scale.y(value)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>'
        text = Unit(trend.unit).show(value) if form is Form.NUMBER else show(value, form)
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" class="tick" text-anchor="end">{escape(text)}</text>'


def _intervals(trend: Trend, scale: _Scale) -> str:
    words = []
    for place, each in enumerate(trend.intervals):
        if each:
            low, high = (
                end if end is not None else other for end, other in zip(each, (scale.low, scale.high), strict=True)
            )
            words.append(f"M{scale.x(place):.1f} {scale.y(low):.1f}V{scale.y(high):.1f}")
    return f'<path class="interval{_many(trend)}" d="{"".join(words)}"/>' if words else ""


def _limit(trend: Trend, scale: _Scale) -> Iterator[str]:
    """The target of each run, as steps; what is written on it is the newest, or that it is out of sight."""
    newest = next((each for each in reversed(trend.targets) if each is not None), None)
    if newest is None:
        return
    inside, y = scale.low <= newest <= scale.high, scale.y(newest)
    if inside:
        yield f'<path class="limit" d="{"".join(_steps(trend.targets, scale))}"/>'
    hint = "" if inside else f" (outside the picture, {'above' if newest > scale.high else 'below'})"
    at = y - 4 if y > TOP + 12 else y + 13
    text = escape(f"limit {trend.op} {Unit(trend.unit).show(newest)}{hint}")
    yield f'<text x="{LEFT + 4}" y="{at:.1f}" class="tick limit">{text}</text>'


def _steps(targets: Sequence[float | None], scale: _Scale) -> Iterator[str]:
    last = len(targets) - 1
    for place, target in enumerate(targets):
        if target is not None and (place in {0, last} or target != targets[place - 1] or target != targets[place + 1]):
            left, right = scale.x(max(place - 0.5, 0.0)), scale.x(min(place + 0.5, last))
            began = place > 0 and target == targets[place - 1]
            yield f"H{right:.1f}" if began else f"M{left:.1f} {scale.y(target):.1f}H{right:.1f}"


def _joined(scale: _Scale, values: Sequence[float]) -> str:
    return "M" + "L".join(f"{scale.x(place):.1f} {scale.y(value):.1f}" for place, value in enumerate(values))


def _marks(trend: Trend, scale: _Scale) -> Iterator[str]:
    """A path of all values with one result: a dot, a cross or a ring, so that colour alone tells nothing."""
    shapes = {"dot": "h.01", "broken": "m-4 -4l8 8m0 -8l-8 8", "open": "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0"}
    many = _many(trend)
    for name, shape in shapes.items():
        at = [place for place, status in enumerate(trend.statuses) if _MARKS[status] == name]
        words = (f"M{scale.x(place):.1f} {scale.y(trend.values[place]):.1f}{shape}" for place in at)
        if at:
            yield f'<path class="{name}{many}" d="{"".join(words)}"/>'


def _many(trend: Trend) -> str:
    return " many" if len(trend.values) > _MANY else ""


def _change(change: RunChange, trend: Trend, scale: _Scale, runs: Mapping[str, RunRow]) -> Iterator[str]:
    """Where it may lie, where it is, and the commit with which the new level begins."""
    low, high = (trend.runs.index(each) for each in change.interval)
    drift = change.kind is ChangeKind.DRIFT
    left, right = scale.x(low - (0 if drift else 0.5)), scale.x(high - (0 if drift else 0.5))
    yield f'<rect class="where" x="{left:.1f}" y="{TOP}" width="{max(right - left, 2):.1f}" height="{HEIGHT}"/>'
    if drift:
        at, words = left, "drift"
    else:
        at, words = scale.x(trend.runs.index(change.after) - 0.5), runs[change.after].commit[:8] or "change"
        yield f'<line class="change" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" y2="{TOP + HEIGHT}"/>'
    late = at > WIDTH * 0.8
    yield (
        f'<text x="{at + (-4 if late else 4):.1f}" y="{TOP - 10}" class="tick mark" text-anchor="{"end" if late else "start"}">'
        f"{escape(words)}</text>"
    )


def _dates(trend: Trend, scale: _Scale, runs: Mapping[str, RunRow], bottom: int) -> Iterator[str]:
    last = len(trend.runs) - 1
    steps = min(_DATES - 1, last)
    for place in sorted({round(last * step / steps) for step in range(steps + 1)} if steps else {0}):
        at = scale.x(place)
        anchor = "start" if place == 0 and last else "end" if place == last and last else "middle"
        yield f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 4}" class="axis"/>'
        name = "tick between" if anchor == "middle" else "tick"
        date = escape(runs[trend.runs[place]].started_at[:10])
        yield f'<text x="{at:.1f}" y="{bottom + 17}" class="{name}" text-anchor="{anchor}">{date}</text>'
