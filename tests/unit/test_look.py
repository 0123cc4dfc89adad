"""The look of pages: colours that can be read, round ticks, tables and charts that hold what they are given."""

import base64
import json
import re
import shutil

import numpy as np
import pytest
from msgspec.structs import replace
from pages import charts as read_charts
from pages import tables as read_tables

from soak.reports.look.charts import Band, Chart, Form, Kind, Lane, Limit, Line
from soak.reports.look.contents import with_contents
from soak.reports.look.encoded import encode, numbers
from soak.reports.look.page import Head, document, quoted
from soak.reports.look.palette import SERIES, SHADES, TEXT, Role, contrast, variables
from soak.reports.look.svg import draw, only_value, shaded, thinned
from soak.reports.look.table import Cell, Column, Table, Tone
from soak.reports.look.thin import ends_of, folded
from soak.reports.look.ticks import clock, extent, labels, linear, logarithmic, scale_of
from soak.reports.run_page.once import once
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


def test_the_picture_has_the_lowest_and_the_highest_value_of_every_line() -> None:
    values = np.full(5000, 10.0)
    values[1234], values[4321] = 190.0, 0.0
    other = np.linspace(20.0, 30.0, 5000)
    given = Chart("peaks", "Peaks", np.arange(1.0, 5001.0), [Line("a", Role.BLUE, values), Line("b", Role.BAD, other)])
    low, high = scale_of(given)
    assert (low, high) == pytest.approx((0.0 - 0.06 * 190, 190.0 + 0.06 * 190))
    paths = re.findall(r'<path d="([^"]*)"', draw(given))
    for path, line in zip(paths, given.lines, strict=True):
        heights = [float(each) for each in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
        expected = [1000 * (high - each) / (high - low) for each in (line.values.max(), line.values.min())]
        assert [min(heights), max(heights)] == pytest.approx(expected, abs=0.06)
    assert thinned(given) == "lowest and highest value of each 22s"
    assert thinned(chart()) == ""


def test_script_and_picture_have_one_scale_and_every_extreme_in_fewer_points() -> None:
    values = np.full(5000, 1.0)
    values[1234], values[4321] = 190.0, 0.0
    given = Chart("peaks", "Peaks", np.arange(1.0, 5001.0), [Line("a", Role.BLUE, values)], low=0.0)
    [found] = json.loads(str(encode([given], most=1000).json))
    assert tuple(found["scale"]) == scale_of(given)
    assert found["scale"] == pytest.approx([0.0, 201.4])
    text = page(Table([Column("a")], []), given)
    assert read_charts(text)["Peaks"]["lines"][0]["values"].max() == 190.0
    kept = np.frombuffer(base64.b64decode(found["lines"][0]["values"]["b"]), dtype="u1")
    assert (kept.min(), kept.max()) == (0, 190) and len(kept) <= 1000


def test_many_bursts_are_a_strip_and_a_key_names_what_is_shaded() -> None:
    bursts = [Band(10.0 * n, 10.0 * n + 3, "burst", Kind.BURST) for n in range(13)]
    few, many = (
        Chart("b", "B", np.array([1.0, 150.0]), [Line("a", Role.BLUE, np.array([1.0, 2.0]))], bands=bands)
        for bands in (bursts[:12], [*bursts, Band(5, 6, "fault x", Kind.FAULT)])
    )
    assert draw(few).count('class="band burst"') == 12 and "strip" not in draw(few)
    assert draw(many).count('class="band burst"') == 1 and 'class="strip"' in draw(many)
    assert re.findall(r"</svg> ([^<]*)<", shaded(few)) == ["burst"]
    assert re.findall(r"</svg> ([^<]*)<", shaded(many)) == ["burst, along the top", "fault"]
    assert shaded(chart()) and not shaded(Chart("c", "C", np.empty(0), ()))


def test_a_small_chart_names_the_value_of_its_limit() -> None:
    assert only_value('latency_p95{tenant="a"} <= 650ms') == "<= 650ms"
    assert only_value("something else") == "something else"


def test_contents_name_every_section_and_each_has_an_id_of_its_own() -> None:
    nav = '<nav class="contents" aria-label="Contents"></nav>'
    made = with_contents(f'{nav}<h2 id="why">Why</h2><h2>A &amp; b</h2><h2>A b</h2><p>&lt;h2&gt;</p>')
    assert re.findall(r'<a href="#([^"]*)">([^<]*)</a>', made) == [
        ("why", "Why"),
        ("a-b", "A &amp; b"),
        ("a-b-2", "A b"),
    ]
    assert re.findall(r'<h2 id="([^"]*)">', made) == ["why", "a-b", "a-b-2"]


def test_what_stands_at_the_foot_of_a_printed_page_cannot_leave_its_string() -> None:
    assert quoted('a"} </style>') == r"a\22 \7d  \3c \2f style\3e "


def test_charts_of_one_column_become_one() -> None:
    t_s, depth = np.array([60.0, 120.0]), np.array([1.0, 5.0])
    limited = Chart("o", "O", t_s, [Line("depth", Role.BLUE, depth)], limits=[Limit("x", 3.0)], of="queue_depth_max")
    panel = Chart("p", "P", t_s, [Line("peak", Role.ORANGE, depth)], of="queue_depth_max")
    growth = Chart("g", "G", t_s, [Line("mean", Role.BLUE, depth / 2), Line("fitted", Role.BAD, t_s)], of="queue_depth")
    other = Chart("x", "X", t_s, [Line("a", Role.BLUE, depth)])
    objectives, panels, growths = once([limited], [panel, other], [growth])
    assert panels == [other] and growths == []
    assert [line.name for line in objectives[0].lines] == ["depth", "mean", "fitted"]
    assert objectives[0].limits == limited.limits


def test_the_script_writes_ticks_as_the_pictures_do_and_cursors_go_together() -> None:
    """The script of pages, in a browser: the ticks and words of ticks.py; a cursor in one chart is one in all."""
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here")
    ranges = [(0.0, high, form.value) for form in Form for high in (0.65, 1.6, 100.0, 650.0, 9000.0, 3e5, 9e5)]
    logs = [
        (low, high, form.value) for form in (Form.SECONDS, Form.NUMBER) for low, high in ((0.8, 12.0), (7.0, 1500.0))
    ]
    moments = [0.0, 0.25, 119.0, 480.0, 483.0, 7199.9, 9000.0, 259_200.0, 349_200.0]
    asked = """([ranges, logs, moments]) => [
        ranges.map(([low, high, form]) => soakCharts.labels(soakCharts.linear(low, high, form), form)),
        logs.map(([low, high, form]) => soakCharts.labels(soakCharts.logarithmic(low, high, form), form, true)),
        moments.map(soakCharts.clock)]"""
    heights = "[...document.querySelectorAll('figure.chart')].map(each => each.offsetHeight)"
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        shown = browser.new_page()
        shown.set_content(page(Table([Column("a")], []), chart(), replace(chart(), name="two", title="Two")))
        found = shown.evaluate(asked, [ranges, logs, moments])
        shown.wait_for_selector("#chart-two.drawn")
        before = shown.evaluate(heights)
        shown.locator("#chart-one .u-over").hover(position={"x": 400, "y": 50})
        followed = shown.locator(".drawn .readout").all_inner_texts(), shown.locator(".moment").all_inner_texts()
        after = shown.evaluate(heights)
        line = shown.locator("#chart-two button.line").first
        line.focus()
        shown.keyboard.press("Enter")
        pressed = line.get_attribute("aria-pressed")
        browser.close()
    [[one, two], [at, also_at]] = followed
    assert one == two and re.search(r"line 0\s*-?0\.\d+", one) and at == also_at and at.startswith("at ")
    assert pressed == "false"
    assert before == after
    assert found[0] == [labels(linear(low, high, Form(form)), Form(form)) for low, high, form in ranges]
    assert found[1] == [labels(logarithmic(low, high, Form(form)), Form(form), log=True) for low, high, form in logs]
    assert found[2] == [clock(each) for each in moments]
