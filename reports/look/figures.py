"""Pictures that are not over time: intervals row by row, and what `plot` draws between two axes.

Each is HTML with SVG in it whose places are per cent of the width: it fits any screen without a script, its letters keep their
size, and its colours are variables of the style sheet, so that it follows dark paper and print.
"""

from collections.abc import Callable, Sequence

from markupsafe import Markup, escape
from msgspec import Struct

from soak.reports.look.charts import Form
from soak.reports.look.palette import Role
from soak.reports.look.scale import Scale, alternate
from soak.reports.look.table import Tone
from soak.reports.look.ticks import linear

_ROLES = {Tone.OK: Role.OK, Tone.BAD: Role.BAD, Tone.DOUBT: Role.DOUBT, Tone.NOW: Role.NOW, Tone.NONE: Role.SOFT}
_MOST_DESCRIBED = 30


class Drawing(Struct, frozen=True):
    """A picture under its title. note: below it."""

    title: str
    picture: Markup
    note: str = ""


class Span(Struct, frozen=True):
    """A row: an interval from `low` to `high` (None: without), a tick at `middle`, a dot at `dot`, and what is written beside."""

    label: str
    words: str
    low: float | None = None
    high: float | None = None
    middle: float | None = None
    dot: float | None = None
    tone: Tone = Tone.NONE

    @property
    def values(self) -> list[float]:
        """Where anything of it is drawn."""
        return [each for each in (self.low, self.high, self.middle, self.dot) if each is not None]


def intervals(
    rows: Sequence[Span],
    word: str,
    *,
    zero: float | None = 0.0,
    tick: Callable[[float], str] | None = None,
    within: tuple[float, float] | None = None,
) -> Markup:
    """Rows on one scale, with a line at `zero`. tick: writes values under them. within: values beyond are drawn at its edges."""
    found = [value for row in rows for value in row.values] + ([] if zero is None else [zero])
    low, high = min(found, default=0.0), max(found, default=1.0)
    if within:
        low, high = max(low, within[0]), min(high, within[1])
    air = 0.04 * (high - low) or 0.5
    axis = Scale(low - air, high + air)
    marks = linear(low, high, Form.NUMBER, 5) if tick else []
    lines = "".join(_upright(axis(each), "grid") for each in marks)
    lines += _upright(axis(zero), "zero") if zero is not None else ""
    drawn = "".join(_row(row, axis, lines) for row in rows)
    if tick:
        texts = "".join(
            f'<text x="{axis(each):.2f}%" y="13" text-anchor="middle"{alternate(number, len(marks))}>{escape(tick(each))}</text>'
            for number, each in enumerate(marks)
        )
        drawn += f'<div class="row scale"><span></span><svg>{texts}</svg><span></span></div>'
    said = "; ".join(f"{row.label} {row.words}" for row in rows[:_MOST_DESCRIBED])
    return Markup(f'<div class="rows" role="img" aria-label="{escape(f"{word}: {said}")}">{drawn}</div>')


def _row(row: Span, axis: Scale, lines: str) -> str:
    color = f"var(--{_ROLES[row.tone].value})"
    parts = [lines]
    if row.low is not None and row.high is not None:
        parts.append(
            f'<line x1="{axis(row.low):.2f}%" x2="{axis(row.high):.2f}%" y1="50%" y2="50%" stroke="{color}" class="span"/>'
        )
    if row.middle is not None:
        at = axis(row.middle)
        parts.append(f'<line x1="{at:.2f}%" x2="{at:.2f}%" y1="15%" y2="85%" stroke="{color}" stroke-width="2"/>')
    if row.dot is not None:
        parts.append(_end(row.dot, axis, color))
    return (
        f'<div class="row"><span class="name">{escape(row.label)}</span><svg>{"".join(parts)}</svg>'
        f'<span class="words {row.tone.value}">{escape(row.words)}</span></div>'
    )


def _end(value: float, axis: Scale, color: str) -> str:
    """A dot, or an arrow at the edge beyond which it lies."""
    if axis.low <= value <= axis.high:
        return f'<circle cx="{axis(value):.2f}%" cy="50%" r="5" fill="{color}"/>'
    sign, anchor = ("▶", "end") if value > axis.high else ("◀", "start")
    style = f'style="fill:{color}" class="beyond"'
    return f'<text x="{axis(value):.2f}%" y="50%" dy=".35em" text-anchor="{anchor}" {style}>{sign}</text>'


def _upright(at: float, name: str) -> str:
    return f'<line x1="{at:.2f}%" x2="{at:.2f}%" y1="0" y2="100%" class="{name}"/>'
