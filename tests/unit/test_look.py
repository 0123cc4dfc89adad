"""The look of pages: colours that can be read, round ticks, tables and charts that hold what they are given."""

import json
import re

import numpy as np
import pytest
from pages import charts as read_charts
from pages import tables as read_tables

from soak.reports.look.charts import Band, Chart, Form, Kind, Lane, Limit, Line
from soak.reports.look.encoded import encode, numbers
from soak.reports.look.page import Head, document
from soak.reports.look.palette import SERIES, SHADES, TEXT, Role, contrast, variables
from soak.reports.look.svg import draw
from soak.reports.look.table import Cell, Column, Table, Tone
from soak.reports.look.thin import ends_of, folded
from soak.reports.look.ticks import clock, extent, labels, linear, logarithmic
from soak.reports.summary import make_environment

EVIL = "</script><script>alert('x')</script>"
PAGE = """{% extends "base.html.j2" %}{% from "parts.html.j2" import table, figure %}
{% block main %}{{ table(t) }}{% for c in charts %}{{ figure(c) }}{% endfor %}{% endblock %}"""


def page(table: Table, *charts: Chart, head: Head | None = None) -> str:
    environment = make_environment(escaped=True)
    return document(environment, environment.from_string(PAGE), head or Head("A page", status="PASS"), charts, t=table)


def test_black_on_white_has_the_highest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the example that just fails


@pytest.mark.parametrize("role", [*TEXT, *SERIES])
def test_text_and_lines_can_be_read_on_their_paper(role: Role) -> None:
    for paper in (Role.PAPER, Role.CARD):
        assert contrast(SHADES[role].light, SHADES[paper].light) >= 4.5
        assert contrast(SHADES[role].dark, SHADES[paper].dark) >= 4.5


def test_a_screen_that_is_dark_has_dark_paper_and_print_has_white() -> None:
    light, dark = variables().split("@media screen and (prefers-color-scheme:dark)")
    assert f"--paper:{SHADES[Role.PAPER].light};" in light and f"--paper:{SHADES[Role.PAPER].dark};" in dark


@pytest.mark.parametrize(
    ("low", "high", "form", "expected"),
    [
        (0.0, 12.0, Form.NUMBER, ["0", "5", "10"]),
        (0.0, 1.0, Form.RATIO, ["0%", "20%", "40%", "60%", "80%", "100%"][::1]),
        (0.963, 1.0, Form.RATIO, ["97%", "98%", "99%", "100%"]),
        (0.0, 7000.0, Form.SECONDS, ["0", "30m", "60m", "90m"]),
        (0.0, 650.0, Form.SECONDS, ["0", "2m", "4m", "6m", "8m", "10m"]),
        (0.0, 9000.0, Form.SECONDS, ["0", "30m", "1h", "1h30m", "2h", "2h30m"]),
        (0.0, 300_000.0, Form.SECONDS, ["0", "24h", "48h", "72h"]),
        (0.0, 1.6, Form.SECONDS, ["0", "0.5s", "1s", "1.5s"]),
        (0.0, 0.65, Form.SECONDS, ["0", "200ms", "400ms", "600ms"]),
        (0.0, 420e6, Form.BYTES, ["0B", "100MB", "200MB", "300MB", "400MB"]),
    ],
)
def test_ticks_are_round(low: float, high: float, form: Form, expected: list[str]) -> None:
    found = linear(low, high, form, most=6 if form is Form.RATIO or high in {650.0, 9000.0} else 5)
    assert labels(found, form) == expected


def test_ticks_of_a_logarithmic_scale_are_labelled() -> None:
    assert logarithmic(0.8, 12.0) == pytest.approx([1, 2, 5, 10])
    found = labels(logarithmic(7.0, 1500.0, Form.SECONDS), Form.SECONDS, log=True)
    assert found == ["10s", "30s", "1m", "2m", "5m", "10m"]
    assert logarithmic(0.01, 1e5) == pytest.approx([10.0**power for power in range(-2, 6)][::2])


def test_a_scale_of_equal_values_has_a_height() -> None:
    assert extent(None, None, [5.0, 5.0], log=False) == (4.5, 5.5)
    assert extent(0.0, None, [0.0], log=False) == (0.0, 1.0)
    low, high = extent(None, None, [2.0], log=True)
    assert low < 2.0 < high


def test_numbers_are_kept_exactly() -> None:
    assert numbers(np.array([0.0, 255.0])).d == "u1"
    assert numbers(np.array([0.0, 256.0])).d == "u2"
    assert numbers(np.array([0.5, np.nan])).d == "f4"
    assert numbers(np.array([-1.0])).d == "f4"


def test_of_neighbours_the_lowest_and_the_highest_stay_in_their_order() -> None:
    values = np.array([3.0, 1.0, 2.0, 9.0, np.nan, np.nan, np.nan, np.nan, 5.0, 4.0])
    np.testing.assert_equal(folded(values, 2), [1.0, 9.0, np.nan, np.nan, 5.0, 4.0])
    np.testing.assert_equal(ends_of(np.arange(10.0), 2), [1.0, 3.0, 5.0, 7.0, 9.0, 9.0])
    np.testing.assert_equal(folded(values, 1), values)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, "0"), (0.25, "250ms"), (119.0, "119s"), (480.0, "8m"), (483.0, "8m3s"), (7199.9, "120m"), (7200.0, "2h"),
     (9000.0, "2h30m"), (259_200.0, "72h"), (349_200.0, "4d1h")],
)  # fmt: skip
def test_a_duration_is_in_the_unit_of_its_size(seconds: float, expected: str) -> None:
    assert clock(seconds) == expected


def chart(minutes: int = 100, lines: int = 2) -> Chart:
    t_s = np.arange(1, minutes + 1) * 60.0
    t_s[-1] -= 7.0
    drawn = [Line(f"line {n}", SERIES[n % 8], np.sin(t_s / 600) + n) for n in range(lines)]
    return Chart(
        "one", "One <b>", t_s, drawn, limits=[Limit("value <= 2", 2.0)], bands=[Band(60, 120, EVIL, Kind.FAULT)]
    )


def test_a_page_holds_the_numbers_of_its_charts() -> None:
    given = chart()
    found = read_charts(page(Table([Column("a")], []), given))["One <b>"]
    np.testing.assert_array_equal(found["t"], given.t_s)
    for line, read in zip(given.lines, found["lines"], strict=True):
        np.testing.assert_allclose(read["values"], line.values, rtol=1e-6, atol=1e-7)
    assert found["limits"] == [{"words": "value <= 2", "value": 2.0, "role": "bad"}]


def test_many_series_lose_resolution_and_not_the_page() -> None:
    many = [chart(4320, 20) for _ in range(10)]
    made = encode(many, most=200_000)
    assert set(made.fold.values()) == {8}
    assert len(made.json) < 1_300_000
    assert len(json.loads(str(made.json))) == 10


def test_what_is_given_is_text() -> None:
    table = Table([Column(EVIL), Column("n", number=True)], [[Cell(EVIL, [EVIL], EVIL), EVIL]], EVIL)
    text = page(table, chart(), head=Head(EVIL, EVIL, EVIL, Tone.BAD, EVIL, EVIL))
    assert "<script>alert" not in text
    assert text.count("<script>") == 1
    [rows] = read_tables(text).values()
    assert rows == [[EVIL, "n"], [f"{EVIL}\n{EVIL}", EVIL]]


def test_every_column_is_named_where_rows_are_cards() -> None:
    text = page(Table([Column("objective", code=True), Column("margin", number=True)], [["a", "1"]], "Objectives"))
    assert re.findall(r'data-label="([^"]*)"', text) == ["objective", "margin"]
    assert text.count('scope="col"') == 2 and "<caption" in text


def test_a_result_is_a_word_and_a_sign_beside_its_colour() -> None:
    text = page(Table([Column("", status=True)], [["PASS"], ["FAIL"], ["INCONCLUSIVE"], ["not applicable"]]))
    cells = re.findall(r'<td class="(status[^"]*)"[^>]*><span aria-hidden="true">(.)</span> ([A-Z]+)</td>', text)
    assert cells == [("status ok", "✓", "PASS"), ("status bad", "✗", "FAIL"), ("status doubt", "?", "INCONCLUSIVE")]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells in a table of 2 columns"):
        Table([Column("a"), Column("b")], [["1"]])


def test_without_scripts_a_chart_is_a_picture_with_words() -> None:
    text = draw(chart())
    assert 'aria-label="One &lt;b&gt;: line 0, line 1; limit value &lt;= 2"' in text
    assert text.count("<path") == 2 and "value &lt;= 2</text>" in text and ">1h40m" not in text
    assert "nan" not in text


def test_lanes_are_drawn_under_each_other() -> None:
    lanes = [Lane("one", Role.BAD, [Band(0, 50, "x", Kind.FAULT, 0.5)]), Lane(EVIL, Role.BLUE, [])]
    text = draw(Chart("lanes", "Lanes", np.empty(0), (), lanes=lanes, span_s=(0.0, 100.0)))
    assert text.count("<rect") == 1 and "<script>" not in text
