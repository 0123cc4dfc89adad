"""What a page of an analysis is made of: the answer, what to do next, and sections of words, tables and pictures."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from markupsafe import Markup
from msgspec import Struct

from soak.reports.look.charts import Chart
from soak.reports.look.figures import Drawing
from soak.reports.look.page import Head
from soak.reports.look.table import Table, Tone


class Tile(Struct, frozen=True):
    """A figure under the verdict: what it is of, the figure, a line below it."""

    what: str
    figure: str
    small: str = ""
    tone: Tone = Tone.NONE


class Step(Struct, frozen=True):
    """Something to do next, with the command that does it (empty: none) or a file beside the report."""

    words: str
    command: str = ""
    href: str = ""


class Points(Struct, frozen=True):
    """A list of sentences."""

    lines: Sequence[str]


class Text(Struct, frozen=True):
    """A paragraph."""

    text: str
    soft: bool = True


class Code(Struct, frozen=True):
    """Lines as they are in a file or a terminal."""

    text: str


class Facts(Struct, frozen=True):
    """Names with what is known of each, and a line below it."""

    pairs: Sequence[tuple[str, str | Markup, str]]


Part: TypeAlias = Points | Text | Code | Facts | Table | Chart | Drawing


class Section(Struct, frozen=True):
    """A part of a page under its title. folded: opened by the reader."""

    title: str
    parts: Sequence[Part]
    folded: bool = False


class Sheet(Struct, frozen=True):
    """A whole page. reasons: of the answer, in sentences. shares: of the answer's kinds, drawn as one bar."""

    head: Head
    steps: Sequence[Step]
    sections: Sequence[Section]
    reasons: Sequence[str] = ()
    tiles: Sequence[Tile] = ()
    shares: Sequence[tuple[str, float]] = ()

    @property
    def charts(self) -> Iterator[Chart]:
        """Every chart over time, in the order of the page."""
        return (part for section in self.sections for part in section.parts if isinstance(part, Chart))


def code(text: str) -> Markup:
    """Text as code."""
    return Markup("<code>{}</code>").format(text)
