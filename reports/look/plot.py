"""Curves, points, histograms and planes of cells between two axes, as HTML with SVG: see `figures`."""

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape
from msgspec import Struct

from soak.reports.look.charts import Form
from soak.reports.look.palette import DASHES, Role
from soak.reports.look.scale import Scale, alternate
from soak.reports.look.ticks import linear, logarithmic, show

Point = tuple[float, float]


class Axis(Struct, frozen=True):
    """A scale from `low` to `high`, with what it shows and how. ticks: their values and texts; None: round ones."""

    words: str
    low: float
    high: float
    form: Form = Form.NUMBER
    log: bool = False
    ticks: Sequence[tuple[float, str]] | None = None

    @property
    def shown(self) -> Sequence[tuple[float, str]]:
        """The ticks."""
        if self.ticks is not None:
            return self.ticks
        found = logarithmic(self.low, self.high, self.form) if self.log else linear(self.low, self.high, self.form, 6)
        return [(each, show(each, self.form)) for each in found]

    @property
    def scale(self) -> Scale:
        """From values to per cent."""
        return Scale(self.low, self.high, self.log)


class Curve(Struct, frozen=True):
    """Points joined by a line. around: (x, low, high) of a band behind it."""

    name: str
    role: Role
    points: Sequence[Point]
    dashed: int = 0
    around: Sequence[tuple[float, float, float]] = ()


class Dot(Struct, frozen=True):
    """A point, with an interval upwards if it has one. hollow: of lesser weight. square: another sign than a circle."""

    x: float
    y: float
    role: Role
    name: str = ""
    interval: Point | None = None
    hollow: bool = False
    square: bool = False


class Rule(Struct, frozen=True):
    """A straight line at a value: of x, or of y where `across`."""

    name: str
    value: float
    role: Role
    across: bool = False


class Bar(Struct, frozen=True):
    """A bar from `left` to `right` over x: amounts on top of each other, each in its colour."""

    left: float
    right: float
    amounts: Sequence[tuple[Role, float]]


class Cell(Struct, frozen=True):
    """A field of a plane, by its middle in whole numbers. share: how strong its colour is. framed: it counts as good."""

    x: int
    y: int
    share: float
    words: str
    framed: bool


class Plot(Struct, frozen=True):
    """What is drawn between two axes. keys: further names with their colours. tall: its height in pixels."""

    word: str
    x: Axis
    y: Axis
    curves: Sequence[Curve] = ()
    dots: Sequence[Dot] = ()
    rules: Sequence[Rule] = ()
    bars: Sequence[Bar] = ()
    cells: Sequence[Cell] = ()
    zone: tuple[float, float, str] | None = None
    keys: Sequence[tuple[str, Role]] = ()
    tall: int = 190

    @property
    def picture(self) -> Markup:
        """It, as HTML."""
        inside = "".join([*self._grid(), *self._zone(), *self._cells(), *self._bars(), *self._lines(), *self._dots()])
        keys = "".join(self._keys())
        return Markup(
            f'<div class="plot" role="img" aria-label="{escape(self.described)}">'
            f'<p class="keys"><span>{escape(self.y.words)}</span>{keys}</p>'
            f'<svg class="xy" style="height:{self.tall}px">{inside}</svg><p class="below">{escape(self.x.words)}</p></div>'
        )

    @property
    def described(self) -> str:
        """What it shows, in words."""
        rules = "; ".join(each.name for each in self.rules)
        dots = "; ".join(dict.fromkeys(each.name for each in self.dots if each.name))
        return "; ".join(filter(None, [f"{self.word}: {self.y.words} over {self.x.words}", rules, dots]))

    def _grid(self) -> Iterator[str]:
        for value, text in self.y.shown:
            at = 100 - self.y.scale(value)
            if not self.cells:
                yield f'<line x1="0" x2="100%" y1="{at:.2f}%" y2="{at:.2f}%" class="grid"/>'
            yield f'<text x="-8" y="{at:.2f}%" dy=".32em" text-anchor="end">{escape(text)}</text>'
        ticks = self.x.shown
        for number, (value, text) in enumerate(ticks):
            at, every = self.x.scale(value), alternate(number, len(ticks))
            yield f'<line x1="{at:.2f}%" x2="{at:.2f}%" y1="100%" y2="100%" transform="translate(0,4)" class="axis"/>'
            yield f'<text x="{at:.2f}%" y="100%" dy="1.5em" text-anchor="middle"{every}>{escape(text)}</text>'
        yield '<line x1="0" x2="100%" y1="100%" y2="100%" class="axis"/>'

    def _zone(self) -> Iterator[str]:
        if self.zone:
            low, high, _ = self.zone
            top, bottom = 100 - self.y.scale(high), 100 - self.y.scale(low)
            yield f'<rect x="0" width="100%" y="{top:.2f}%" height="{bottom - top:.2f}%" fill="var(--soft)" opacity=".14"/>'

    def _cells(self) -> Iterator[str]:
        for cell in self.cells:
            left, right = self.x.scale(cell.x - 0.5), self.x.scale(cell.x + 0.5)
            top, bottom = 100 - self.y.scale(cell.y + 0.5), 100 - self.y.scale(cell.y - 0.5)
            role, strength = (Role.OK, cell.share) if cell.framed else (Role.BAD, 1 - cell.share)
            frame = ' stroke="var(--ok)" stroke-width="2"' if cell.framed else ' stroke="var(--line)"'
            yield (
                f'<rect x="{left:.2f}%" width="{right - left:.2f}%" y="{top:.2f}%" height="{bottom - top:.2f}%" '
                f'fill="var(--{role.value})" fill-opacity="{0.08 + 0.3 * strength:.2f}"{frame}/>'
            )
            weight = ' class="strong"' if cell.framed else ' class="word"'
            middle = f'x="{(left + right) / 2:.2f}%" y="{(top + bottom) / 2:.2f}%"'
            yield f'<text {middle} dy=".32em" text-anchor="middle"{weight}>{escape(cell.words)}</text>'

    def _bars(self) -> Iterator[str]:
        for bar in self.bars:
            left, right, base = self.x.scale(bar.left), self.x.scale(bar.right), 0.0
            for role, amount in bar.amounts:
                top, bottom = 100 - self.y.scale(base + amount), 100 - self.y.scale(base)
                base += amount
                if amount:
                    yield (
                        f'<rect x="{left:.2f}%" width="{max(right - left, 0.3):.2f}%" y="{top:.2f}%" '
                        f'height="{max(bottom - top, 0.4):.2f}%" fill="var(--{role.value})" class="bin"/>'
                    )

    def _lines(self) -> Iterator[str]:
        for curve in self.curves:
            yield '<svg width="100%" height="100%" viewBox="0 0 1000 1000" preserveAspectRatio="none">'
            if curve.around:
                there = [(x, low) for x, low, _ in curve.around]
                back = [(x, high) for x, _, high in reversed(curve.around)]
                yield f'<path d="{self._path([*there, *back])}Z" fill="var(--{curve.role.value})" opacity=".16"/>'
            yield f'<path d="{self._path(curve.points)}" fill="none" {_stroke(curve)} class="curve"/></svg>'
        for rule in self.rules:
            color = f'stroke="var(--{rule.role.value})" class="rule"'
            if rule.across:
                at = 100 - self.y.scale(rule.value)
                yield f'<line x1="0" x2="100%" y1="{at:.2f}%" y2="{at:.2f}%" {color}/>'
            else:
                at = self.x.scale(rule.value)
                yield f'<line x1="{at:.2f}%" x2="{at:.2f}%" y1="0" y2="100%" {color}/>'

    def _path(self, points: Sequence[Point]) -> str:
        x, y = self.x.scale, self.y.scale
        known = [each for each in points if all(map(math.isfinite, each))]
        return "".join(
            f"{'L' if number else 'M'}{10 * x(a):.1f} {1000 - 10 * y(b):.1f}" for number, (a, b) in enumerate(known)
        )

    def _dots(self) -> Iterator[str]:
        for dot in self.dots:
            x, y, color = self.x.scale(dot.x), 100 - self.y.scale(dot.y), f"var(--{dot.role.value})"
            if dot.interval:
                low, high = (100 - self.y.scale(each) for each in dot.interval)
                yield f'<line x1="{x:.2f}%" x2="{x:.2f}%" y1="{low:.2f}%" y2="{high:.2f}%" stroke="{color}" stroke-width="1.4"/>'
            fill = "var(--paper)" if dot.hollow else color
            yield _sign(f"{x:.2f}%", f"{y:.2f}%", fill, color, square=dot.square)

    def _keys(self) -> Iterator[str]:
        for curve in self.curves:
            if curve.name:
                yield _key(curve.name, f'<line x1="0" x2="22" y1="5" y2="5" {_stroke(curve)} stroke-width="2"/>')
        for rule in self.rules:
            yield _key(
                rule.name, f'<line x1="0" x2="22" y1="5" y2="5" stroke="var(--{rule.role.value})" class="rule"/>'
            )
        for name, dot in {each.name: each for each in self.dots if each.name}.items():
            color = f"var(--{dot.role.value})"
            yield _key(name, _sign("11", "5", "var(--paper)" if dot.hollow else color, color, square=dot.square))
        for name, role in self.keys:
            yield _key(name, f'<rect x="4" y="0" width="14" height="10" fill="var(--{role.value})"/>')
        if self.zone:
            yield _key(self.zone[2], '<rect x="0" y="0" width="22" height="10" fill="var(--soft)" opacity=".25"/>')


def _sign(x: str, y: str, fill: str, stroke: str, *, square: bool) -> str:
    look = f'fill="{fill}" stroke="{stroke}" stroke-width="1.6"'
    if square:
        return f'<svg x="{x}" y="{y}" overflow="visible"><rect x="-4.5" y="-4.5" width="9" height="9" {look}/></svg>'
    return f'<circle cx="{x}" cy="{y}" r="4.2" {look}/>'


def _stroke(curve: Curve) -> str:
    dash = DASHES[curve.dashed % len(DASHES)]
    dashed = f' stroke-dasharray="{" ".join(map(str, dash))}"' if dash else ""
    return f'stroke="var(--{curve.role.value})"{dashed}'


def _key(name: str, drawn: str) -> str:
    return f'<span><svg width="22" height="10" aria-hidden="true">{drawn}</svg> {escape(name)}</span>'
