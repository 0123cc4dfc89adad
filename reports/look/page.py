"""The base of every page: one file with its styles, its charts and its scripts, that asks nothing of any network."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup
from msgspec import Struct

from soak.reports.look.charts import Chart
from soak.reports.look.encoded import Data, encode
from soak.reports.look.palette import variables
from soak.reports.look.svg import draw, legend, shaded, thinned
from soak.reports.look.table import Tone, sign_of, tone_of

ASSETS = Path(__file__).with_name("assets")
TEMPLATES = Path(__file__).with_name("templates")


class Head(Struct, frozen=True):
    """What a page begins with. kicker: what it is and of what. status: the answer in a word, in its `tone`. lead: in a sentence.

    made: by what and when, at the foot of the page.
    """

    title: str
    kicker: str = ""
    status: str = ""
    tone: Tone | None = None
    lead: str = ""
    made: str = ""

    @property
    def shown(self) -> Tone:
        """Its tone, that of its status unless it says otherwise."""
        return tone_of(self.status) if self.tone is None else self.tone


def prepare(environment: jinja2.Environment) -> None:
    """Give an environment what the base page and the macros need."""
    environment.filters.update(
        sign=sign_of, tone=tone_of, quoted=quoted, svg=draw, legend=legend, shaded=shaded, thinned=thinned
    )


def document(
    environment: jinja2.Environment,
    template: str | jinja2.Template,
    head: Head,
    charts: Sequence[Chart] = (),
    **context: object,
) -> str:
    """The page that a template makes of the base. It extends `base.html.j2`, and shows charts by `figure(chart)`.

    `environment` finds both, has autoescape, and was prepared.
    """
    found = environment.get_template(template) if isinstance(template, str) else template
    return found.render(**context, **base(head, charts))


def base(head: Head, charts: Sequence[Chart] = (), data: Data | None = None) -> dict[str, object]:
    """What `base.html.j2` needs. `data`: the charts, encoded already."""
    data = data or encode(charts)
    return {
        "head": head,
        "charts": charts,
        "chart_data": data.json,
        "style": style(),
        "script": script() if charts else Markup(),
        "notice": notice() if charts else Markup(),
    }


def quoted(text: str) -> Markup:
    """A text inside a quoted string of a style sheet: what could end it, or the element, is written as its code point."""
    return Markup("".join(each if each.isalnum() or each in " .,·-_" else f"\\{ord(each):x} " for each in text))


@cache
def style() -> Markup:
    """The style sheet, with the palette as variables."""
    sheets = [variables(), _asset("uplot.min.css"), _asset("style.css"), _asset("figures.css")]
    return Markup("\n".join(sheets))


@cache
def script() -> Markup:
    """uPlot, and what draws charts with it."""
    return Markup(f"{_asset('uplot.min.js')}\n{_asset('charts.js')}")


@cache
def notice() -> Markup:
    """The licence of uPlot, which goes with every copy of it."""
    return Markup(f"<!-- uPlot\n{_asset('uplot.LICENSE').strip().replace('--', '- -')}\n-->")


@cache
def _asset(name: str) -> str:
    text = (ASSETS / name).read_text(encoding="utf-8")
    if name.endswith(".css"):
        text = re.sub(r"/\*.*?\*/|\n\s*", "", text, flags=re.DOTALL)
    return text
