"""The page of an analysis, from its parts to one HTML file."""

from soak.reports.look.blocks import Sheet
from soak.reports.look.page import document
from soak.reports.summary import make_environment

TEMPLATE = "analysis.html.j2"


def render_sheet(sheet: Sheet) -> bytes:
    """The page as a file."""
    environment = make_environment(escaped=True)
    environment.filters["kind"] = lambda part: type(part).__name__
    return document(environment, TEMPLATE, sheet.head, list(sheet.charts), sheet=sheet).encode(
        "utf-8", "backslashreplace"
    )
