"""The pages of analyses: the answer comes first, figures are in their cells, names are text, and a phone can show them."""

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import analyses
from analyses import EVIL, LONG
from browser import PHONE, WIDE, launched, needs_browser
from pages import Page, charts, tables

from soak.reports.look.figures import Span, intervals
from soak.reports.look.palette import Role
from soak.reports.look.plot import Axis, Bar, Cell, Curve, Dot, Plot, Rule
from soak.reports.look.scale import Scale
from soak.reports.pages.changed import percent
from soak.reports.pages.gate import gate_page
from soak.reports.pages.limits import limits_page
from soak.reports.pages.parity import parity_page
from soak.reports.pages.power import power_page
from soak.reports.pages.prediction import prediction_page
from soak.reports.pages.selftest import selftest_page
from soak.reports.pages.target_check import target_page
from soak.reports.pages.whatif import what_if_page
from soak.schemas.evidence.calibration import Answer
from soak.schemas.evidence.decision import Decision as GateDecision
from soak.schemas.evidence.decision import RuleCheck, RuleResult
from soak.schemas.evidence.parity import Agreement
from soak.schemas.evidence.prediction import Decision

NAMES = sorted(
    ["power", "what_if", "changes", "parity", "calibration", "limits", "prediction", "gate", "selftest", "target"]
)
BAD = {
    "power": "TOO SHORT",
    "what_if": "REGRESSED",
    "changes": "REGRESSED",
    "parity": "DIFFERS",
    "calibration": "DOES NOT PREDICT",
    "limits": "LIMIT FOUND",
    "prediction": "MISSED: 75% PASS",
    "gate": "REFUSED",
    "selftest": "NOT AS MEANT",
    "target": "BROKEN",
}


@cache
def page(name: str) -> str:
    return analyses.pages()[name]


def badge(text: str) -> tuple[str, str]:
    """The tone and the words of the first badge."""
    found = re.search(r'<span class="badge (\w*)">(?:<span aria-hidden="true">.</span> )?([^<]*)</span>', text)
    assert found
    return found[1], found[2]


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_comes_first_then_what_to_do(name: str) -> None:
    text = page(name)
    assert badge(text) == ("bad", BAD[name])
    body = text[text.index("<body>") :]
    places = [body.index(part) for part in ('class="badge', 'class="lead"', 'id="next"', 'class="command"', "</h2>\n")]
    assert places[0] < places[1] < places[2] < places[3]
    assert body.index("<table") > places[2]
    assert f"<title>{BAD[name]}: " in text


@pytest.mark.parametrize("name", NAMES)
def test_names_are_text(name: str) -> None:
    text = page(name)
    assert "<script>alert" not in text and "<img" not in text
    assert text.count("<script>") == ("const CHARTS" in text)
    assert "&lt;img src=//evil.example/x&gt;" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_nobody_for_anything(name: str) -> None:
    text = re.sub(r"<!--.*?-->", "", page(name), flags=re.DOTALL)
    assert "default-src 'none'" in text
    assert not re.findall(r'\s(?:href|src|action|srcset|data)="[^"]*"', text)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(Page(text).tags)


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_named_and_colours_are_of_the_palette(name: str) -> None:
    text = page(name)
    assert "<th>" not in text
    drawn = text[text.index("<body>") :].partition("<script>")[0]
    assert not re.findall(r'(?:fill|stroke|color)[=:]"?#', drawn)
    assert "nan" not in re.sub(r"[A-Za-z]nan|nan[A-Za-z]", "", drawn)


def test_a_megabyte_of_words_is_shortened() -> None:
    check = RuleCheck("runs/a", False, "x" * 10**6)
    rule = RuleResult("soak", False, "y" * 10**6, [check, RuleCheck("\u202egpj.exe", False, "")])
    text = gate_page(GateDecision(1, "rc", "", False, "2026-01-01T00:00:00Z", None, [rule], [])).decode()
    assert len(text) < 60_000
    assert "(997,900 more characters)" in text
    assert "\\u202egpj.exe" in text and "\u202e" not in text


def test_good_news_is_green() -> None:
    good = [
        (power_page(analyses.power(seen=True)), "ENOUGH"),
        (what_if_page(analyses.what_if(regressed=False)), "NOT REGRESSED"),
        (parity_page(*analyses.parity(status=Agreement.AGREES)), "AGREES"),
        (limits_page(analyses.limits(own=8.0)), "LIMIT FOUND"),
        (prediction_page(*analyses.prediction(decision=Decision.MET)), "MET: 75% PASS"),
        (gate_page(analyses.decision(passed=True)), "PASSED"),
        (selftest_page(analyses.tried(as_meant=True), "orchestrator", "soak selftest"), "AS MEANT"),
        (target_page(analyses.target_check(kept=True)), "KEPT"),
    ]
    for made, word in good:
        assert badge(made.decode()) == ("ok", word)
    assert badge(prediction_page(*analyses.prediction(decision=None)).decode()) == ("now", "75% PASS")


def test_what_is_undecided_is_neither() -> None:
    from soak.reports.pages.calibration import calibration_page
    from soak.schemas.language.distributions import Exponential

    little = calibration_page(
        analyses.calibration(answer=Answer.TOO_LITTLE), np.array([1.0, 2.0, 9.0]), Exponential(4.0)
    )
    assert badge(little.decode()) == ("doubt", "TOO LITTLE")
    explained = parity_page(*analyses.parity(status=Agreement.EXPLAINED)).decode()
    assert badge(explained) == ("doubt", "EXPLAINED")
    undecided = prediction_page(*analyses.prediction(decision=Decision.UNDECIDED)).decode()
    assert badge(undecided)[0] == "doubt" and "soak predict scenario.yaml -n 160 --require 99%" in undecided


def test_power() -> None:
    found = tables(page("power"))
    assert found["What is detected"][1:] == [
        [
            "✗ too short",
            "success_rate >= 97%",
            "1,234",
            "91%",
            "95%",
            "41.2%",
            "1h is too short: needs 1h57m, 1.94 times as long",
        ],
        ["no statement", LONG, "0", "", "", "", EVIL],
    ]
    assert found["How each was computed"][1][3] == "1.25"
    assert found["False alarms"][1][0] == f"{EVIL}\npage"
    assert "soak run scenario.yaml --duration 2h<" in page("power")
    assert "1h does not detect the violation named with a probability of 95%." in page("power")


def test_what_if() -> None:
    found = tables(page("what_if"))
    assert found["Verdicts of the replications"][1:3] == [["PASS", "6", "2"], ["FAIL", "0", "4"]]
    differs, same = found["Indicators"][1], found["Indicators"][-1]
    assert differs == ["✗ WORSE", LONG, "10s", "15s", "+5s\n+50.00 %", "+4.5s", "+3s to +6s", "0.03", "x2.5"]
    assert same[:2] == ["UNCHANGED", "success_rate"]
    assert found["Relative objectives"][1] == ["✗ FAIL", "success_rate >= 1x baseline", "98%", "99%"]
    assert "soak compare SCENARIO --with &#39;name=" in page("what_if")


def test_changes() -> None:
    found = tables(page("changes"))
    assert found["Indicators"][1] == ["✗ WORSE", LONG, "10s", "12s", "+20.0 %", "0.001", "12"]
    assert found["Times of the same tasks"][1] == [
        "latency", "100", "10s", "12s", "+2s\n+1.5s to +2.5s (95%)", "60", "10", "30", "x3",
    ]  # fmt: skip
    assert found["Quantiles of both runs"][1] == ["p50", "8s", "9s", "+1s", "8s", "9s", "+1s"]
    [drawn] = charts(page("changes")).values()
    np.testing.assert_allclose(drawn["lines"][0]["values"], [1.0, 2.0, 1.0, 3.0])
    assert drawn["limits"][0]["value"] == 2.0
    for words in ("unchanged: 30", "faster: 10", "slower: 60"):
        assert f"</svg> {words}<" in page("changes")


def test_parity() -> None:
    found = tables(page("parity"))
    differing, agreeing, rest = found["Figures"][1], found["Figures"][3], found["Figures"][5]
    assert differing[2:] == ["–", "–", "+700ms", "500ms", "500ms"]
    assert agreeing == ["✓ AGREES", "success_rate", "99%", "98%", "-1%", "2%", "2 points"]
    assert rest[0] == "? NOT COMPARED"
    assert found["Tasks that differ"][1] == [EVIL, f"DONE, attempts: 1\n{LONG}", f"FAILED, attempts: 3\n{EVIL}"]
    [drawn] = charts(page("parity")).values()
    np.testing.assert_allclose(drawn["lines"][0]["values"], [0.7, 0.7], rtol=1e-6)
    assert [each["value"] for each in drawn["limits"]] == [0.5, -0.5]


def test_calibration() -> None:
    found = tables(page("calibration"))
    assert found["Held-back part"][1] == ["✗ outside", "latency_p95", "9s", "5s", "4s to 6s", "0.01"]
    assert found["Parameters"][1] == [
        "workload.task.duration.mean", "8s", "5s\n4.5s to 5.5s", "200", "5s", f"the run\n{EVIL}",
    ]  # fmt: skip
    assert found["Overhead"][1] == ["dispatch", "600ms", "10ms", "100"]
    assert "9s outside 4s to 6s" in page("calibration")


def test_limits() -> None:
    found = tables(page("limits"))
    assert found["Values of queue.workers"][1:] == [
        ["✗ not good enough", "3", "0.0 %", "0.0 … 20.0 %", "0 of 20", "screening", f"{EVIL} (20)"],
        ["✓ good enough", "4", "100.0 %", "80.0 … 100.0 %", "20 of 20", "sequential test", ""],
    ]
    assert len(found["Both parameters"]) == 4
    assert "soak run scenario.yaml --set queue.workers=3<" in page("limits")
    assert "beyond it: the limit is 2 times your value" in page("limits")


def test_prediction() -> None:
    found = tables(page("prediction"))
    assert found["Verdicts"][1] == ["✓ PASS", "30", "75%", "65.0 … 85.0 %"]
    assert found["Objectives"][1][:4] == ["latency_p95 <= 120s", "75%\n65.0 … 85.0 %", "10", "0"]
    assert found["Abort conditions"][1][2:] == ["1", "2.5%\n0.0 … 12.5 %", "10m\n10m … 10m"]
    assert found["Other reasons against PASS"][1] == [EVIL, "2"]
    assert 'class="ok" title="PASS" style="width:75.0%"' in page("prediction")


def test_gate() -> None:
    found = tables(page("gate"))
    assert [row[:3] for row in found["Rules"][1:]] == [
        ["✗ broken", "three days", "1 of 2"],
        ["✓ holds", "unit tests", "0 of 0"],
    ]
    assert found["three days"][1:] == [["✗ no", EVIL, LONG], ["✓ ok", "runs/a", "72h: PASS"]]


def test_selftest() -> None:
    found = tables(page("selftest"))
    assert found["Which check found what"][0] == ["run", "as meant", "law ledger", EVIL, "other checks"]
    assert found["Which check found what"][1] == ["lost_ack", "✗ NO", "•\nFAIL", "•\nFAIL", ""]
    assert found["Every run"][1][-1] == f"law ledger: FAIL\n{EVIL}: FAIL (since 61s)"
    good = tables(selftest_page(analyses.tried(as_meant=True), "orchestrator", "soak selftest").decode())
    assert good["Which check found what"][1][1:3] == ["✓ yes", "✓\nFAIL"]


def test_target_check() -> None:
    found = tables(page("target"))
    assert found["Broken"][1:] == [["✗ broken", "at_least_once", EVIL]]
    assert found["What is missing"][1:] == [["? not tested", LONG, "no attempt met the fault"]]
    assert len(found["Every promise"]) == 3


# Pictures.


def test_places_are_per_cent_of_the_scale() -> None:
    assert [Scale(0.0, 10.0)(value) for value in (-5.0, 0.0, 2.5, 99.0)] == [0.0, 0.0, 25.0, 100.0]
    assert Scale(1.0, 100.0, log=True)(10.0) == pytest.approx(50.0)


def test_rows_share_a_scale_and_what_is_beyond_is_an_arrow() -> None:
    text = intervals([Span("a", "+1", 0.0, 1.0, dot=1.0), Span("b", "+9", dot=9.0)], "Changes", within=(0.0, 2.0))
    # From 0 to 2, with 4 % of that on both sides.
    assert f'x1="{100 * 0.08 / 2.16:.2f}%" x2="{100 * 1.08 / 2.16:.2f}%"' in text
    assert text.count("<circle") == 1 and "▶" in text
    assert 'aria-label="Changes: a +1; b +9"' in text


def test_a_plot_puts_things_where_they_are() -> None:
    axis = Axis("x", 0.0, 10.0)
    plot = Plot(
        "A plot", axis, Axis(EVIL, 0.0, 4.0), [Curve("c", Role.BLUE, [(0.0, 0.0), (10.0, 4.0)])],
        [Dot(5.0, 1.0, Role.BAD, "d", (0.0, 2.0))], [Rule("r", 2.5, Role.BAD)],
        [Bar(0.0, 1.0, [(Role.OK, 1.0), (Role.BAD, 3.0)])],
    )  # fmt: skip
    text = plot.picture
    assert 'd="M0.0 1000.0L1000.0 0.0"' in text
    assert '<circle cx="50.00%" cy="75.00%"' in text and 'y1="100.00%" y2="50.00%"' in text
    assert '<line x1="25.00%" x2="25.00%" y1="0" y2="100%"' in text
    assert (
        'y="75.00%" height="25.00%" fill="var(--ok)"' in text and 'y="0.00%" height="75.00%" fill="var(--bad)"' in text
    )
    assert "<img" not in text


def test_cells_of_a_plane_say_their_share() -> None:
    axis = Axis("x", -0.5, 1.5, ticks=[(0.0, "3"), (1.0, "4")])
    text = Plot("A plane", axis, axis, cells=[Cell(0, 0, 0.0, "0%", False), Cell(1, 1, 1.0, "100%", True)]).picture
    assert 'x="50.00%" width="50.00%" y="0.00%" height="50.00%" fill="var(--ok)"' in text
    assert text.count('class="strong"') == 1 and ">100%</text>" in text


def test_large_changes_are_factors() -> None:
    assert [percent(each) for each in (0.123, -0.5, 1.5, 43.0)] == ["+12 %", "-50 %", "+150 %", "x44"]


# In a browser.


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[object, Path]]:
    folder = tmp_path_factory.mktemp("pages")
    for name, text in analyses.pages().items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    with launched() as browser:
        yield browser, folder


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 800, WIDE])
def test_nothing_is_wider_than_the_screen(opened: tuple[object, Path], width: int, scheme: str) -> None:
    browser, folder = opened
    view = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[attr-defined]
    asked, said = [], []
    view.on("request", lambda request: asked.append(request.url))
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    for name in NAMES:
        view.goto((folder / f"{name}.html").as_uri())
        view.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert (name, view.evaluate("document.documentElement.scrollWidth")) == (name, width)
        assert view.locator("h1 .badge").inner_text().endswith(BAD[name])
    view.close()
    assert [url for url in asked if not url.startswith("file:")] == [] and said == []
