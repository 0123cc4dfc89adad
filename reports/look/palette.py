"""The colours of pages and plots, by what they mean, on light and on dark paper.

Text has a contrast of at least 4.5:1 against its paper (WCAG 2.2, success criterion 1.4.3); a test computes it. Lines differ by
their dashes too, and results are words: nothing is told by colour alone.
"""

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """A colour by its meaning; the value is its name in style sheets."""

    INK = "ink"
    SOFT = "soft"
    LINE = "line"
    PAPER = "paper"
    CARD = "card"
    OK = "ok"
    BAD = "bad"
    DOUBT = "doubt"
    NOW = "now"
    BLUE = "c1"
    ORANGE = "c2"
    GREEN = "c3"
    PURPLE = "c4"
    TEAL = "c5"
    BROWN = "c6"
    OLIVE = "c7"
    GREY = "c8"
    BURST = "burst"


class Shade(Struct, frozen=True):
    """A colour as #rrggbb on light and on dark paper."""

    light: str
    dark: str


SHADES: dict[Role, Shade] = {
    Role.INK: Shade("#1b2430", "#e4e9ef"),
    Role.SOFT: Shade("#5a6572", "#9eabb9"),
    Role.LINE: Shade("#dde2e8", "#303a46"),
    Role.PAPER: Shade("#ffffff", "#12171d"),
    Role.CARD: Shade("#f5f7f9", "#1a2129"),
    Role.OK: Shade("#1a7a48", "#5fce96"),
    Role.BAD: Shade("#b42525", "#ff8a80"),
    Role.DOUBT: Shade("#8a5a00", "#f0b455"),
    Role.NOW: Shade("#1f5fa8", "#6fb3f6"),
    Role.BLUE: Shade("#1f5fa8", "#6fb3f6"),
    Role.ORANGE: Shade("#b0560b", "#f0a04b"),
    Role.GREEN: Shade("#1a7a48", "#5fce96"),
    Role.PURPLE: Shade("#7348ab", "#c3a6f0"),
    Role.TEAL: Shade("#0f737d", "#5cc8d1"),
    Role.BROWN: Shade("#8a4f2a", "#d9a27c"),
    Role.OLIVE: Shade("#656500", "#c8c85a"),
    Role.GREY: Shade("#5a6572", "#9eabb9"),
    Role.BURST: Shade("#e9c46a", "#7a6326"),
}
TEXT = (Role.INK, Role.SOFT, Role.OK, Role.BAD, Role.DOUBT, Role.NOW)
"""What text is written in."""
SERIES = (
    Role.BLUE, Role.ORANGE, Role.GREEN, Role.PURPLE, Role.TEAL, Role.BROWN, Role.OLIVE, Role.GREY,
)  # fmt: skip
"""Lines in this order."""
DASHES: tuple[tuple[int, ...], ...] = ((), (7, 3), (2, 2), (9, 3, 2, 3))
"""Dashes of the lines of a chart in this order, in pixels; beyond them from the start."""


def light(role: Role) -> str:
    """The colour on white paper, for plots."""
    return SHADES[role].light


def variables() -> str:
    """A style sheet that makes each role a variable, by the reader's preference."""
    names = [(role.value, shade) for role, shade in SHADES.items()]
    bright = "".join(f"--{name}:{shade.light};" for name, shade in names)
    dark = "".join(f"--{name}:{shade.dark};" for name, shade in names)
    # Paper is white, whatever the screen is.
    return f":root{{color-scheme:light dark;{bright}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21. Source: WCAG 2.2, relative luminance and contrast ratio."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
