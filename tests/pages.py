"""What a page of ours says: its tables as text, and its charts as numbers."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np


class Page(HTMLParser):
    """The tables of a page, by caption: a list of rows, each a list of the texts of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: list[str] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"}:
            self._rows[-1].append("")
        if tag in {"td", "th", "caption"}:
            self._open = tag
        elif tag in {"small", "br"} and self._open in {"td", "th"}:
            self._rows[-1][-1] += "\n"

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._rows[-1][-1] = "\n".join(line.strip() for line in self._rows[-1][-1].splitlines() if line.strip())
        if tag == self._open:
            self._open = ""
        if tag == "table":
            self.tables.setdefault(self._caption, []).extend(self._rows)

    def handle_data(self, data: str) -> None:
        if self._open == "caption":
            self._caption += data
        elif self._open:
            self._rows[-1][-1] += data.replace("\n", " ")


def tables(text: str) -> dict[str, list[list[str]]]:
    """The tables of a page by caption, the first row being the head."""
    return Page(text).tables


def charts(text: str) -> dict[str, dict]:
    """The charts of a page by title, with `t` and the values of lines as arrays."""
    found = re.search(r"^const CHARTS = (\[.*\]);$", text, re.MULTILINE)
    assert found, "the page has no charts"
    made = {}
    for chart in json.loads(found[1]):
        chart["t"] = _numbers(chart["t"])
        for line in chart["lines"]:
            line["values"] = _numbers(line["values"])
        made[chart["title"]] = chart
    return made


def _numbers(given: dict) -> np.ndarray:
    if "step" in given:
        t_s = given["start"] + given["step"] * np.arange(given["n"], dtype=np.float64)
        if "last" in given:
            t_s[-1] = given["last"]
        return t_s
    return np.frombuffer(base64.b64decode(given["b"]), dtype="<" + given["d"]).astype(np.float64)
