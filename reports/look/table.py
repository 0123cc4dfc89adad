"""Tables of pages: one form for all, that a narrow screen shows as cards and a screen reader can follow."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace

from soak.reports.texts import LONGEST, brief


class Tone(StrEnum):
    """Whether something is good news: the value is a class of the style sheet."""

    OK = "ok"
    BAD = "bad"
    DOUBT = "doubt"
    NOW = "now"
    NONE = ""


_TONES = {
    "PASS": Tone.OK,
    "FAIL": Tone.BAD,
    "ABORTED": Tone.BAD,
    "INCONCLUSIVE": Tone.DOUBT,
    "held": Tone.BAD,
    "never": Tone.OK,
}
_LONG_WORD = 30
_SIGNS = {Tone.OK: "✓", Tone.BAD: "✗", Tone.DOUBT: "?", Tone.NOW: "●", Tone.NONE: "–"}


def tone_of(status: str) -> Tone:
    """The tone of a result by its word; none for any other word."""
    return _TONES.get(status, Tone.NONE)


def sign_of(tone: Tone) -> str:
    """A sign for those who do not see the colour."""
    return _SIGNS[tone]


def has_long_word(text: str) -> bool:
    """Whether a text has a word that may be broken, since a narrow column cannot hold it."""
    return any(len(word) > _LONG_WORD for word in text.split())


class Column(Struct, frozen=True):
    """A column. number: right-aligned figures. code: in a fixed width. status: words of results. wide: takes all space."""

    title: str
    number: bool = False
    code: bool = False
    status: bool = False
    wide: bool = False
    hint: str = ""


class Cell(Struct, frozen=True):
    """A cell with more than one text: `small` below it, line by line; `title` as a hint; `tone` of a status or a figure.

    bar: a share from 0 to 1, drawn as a bar behind the text. href: a link, to a place in the page or a file beside it.
    """

    text: str | Markup
    small: Sequence[str] = ()
    title: str = ""
    tone: Tone = Tone.NONE
    bar: float | None = None
    href: str = ""

    def names(self, column: Column) -> str:
        """Its classes in the style sheet."""
        empty = not self.text and not self.small and self.bar is None
        long = any(map(has_long_word, (self.text, *self.small)))
        words = {"n": column.number, "status": column.status, "wide": column.wide, "none": empty, "long": long}
        return " ".join([*(word for word, there in words.items() if there), *([self.tone.value] if self.tone else [])])


AnyCell: TypeAlias = str | Markup | Cell


class Table(Struct, frozen=True):
    """Rows under columns. caption: what it is of, for screen readers; `shown` above it too. empty: what is said without rows.

    Raises ValueError for a row of another length than the columns.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[AnyCell]]
    caption: str = ""
    empty: str = "None."
    shown: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells in a table of {len(self.columns)} columns")

    @property
    def cells(self) -> list[list[tuple[Column, Cell]]]:
        """Every row as cells with their columns."""
        return [
            [(column, _cell(column, each)) for column, each in zip(self.columns, row, strict=True)] for row in self.rows
        ]


def _shown(text: str | Markup) -> str | Markup:
    """Text of a bounded length, whatever the evidence holds; one that was bounded already stays."""
    return text if isinstance(text, Markup) else brief(text, LONGEST + 100)


def _cell(column: Column, given: AnyCell) -> Cell:
    cell = given if isinstance(given, Cell) else Cell(given)
    cell = replace(cell, text=_shown(cell.text), small=[_shown(each) for each in cell.small], title=_shown(cell.title))
    if column.status and cell.tone is Tone.NONE:
        return Cell(cell.text, cell.small, cell.title, tone_of(str(cell.text)), cell.bar, cell.href)
    return cell
