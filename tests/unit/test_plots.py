"""What plots are made of."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from soak.reports.data import read_run
from soak.reports.look.charts import Form
from soak.reports.plots import render_plots, success
from soak.reports.plots.canvas import RED, figure, mean_per_bucket, per_bucket, to_svg
from soak.reports.plots.frame import fitted, width_of
from soak.reports.plots.scale import Decades, Shown, span_axis
from soak.runner.cli import run_command

UNKNOWN = np.nan


def test_what_is_not_known_is_neither_nothing_nor_part_of_a_mean() -> None:
    values = np.array([2.0, 4.0, 6.0, UNKNOWN, UNKNOWN, UNKNOWN, 1.0])
    np.testing.assert_array_equal(mean_per_bucket(values, 2), [3.0, 6.0, UNKNOWN])
    np.testing.assert_array_equal(per_bucket(values, 2, largest=True), [4.0, 6.0, UNKNOWN])
    np.testing.assert_array_equal(mean_per_bucket(np.full(4, UNKNOWN), 2), [UNKNOWN, UNKNOWN])


SCENARIO = """
version: 1
name: two-rates
system: queue
duration: 10m
workload:
  arrivals: {rate: 2/min}
  task: {duration: {distribution: constant, value: 5s}}
slis:
  success_rate_of_first_tries: {ratio: {good: task.done, total: [task.retry, task.done]}}
slos: [success_rate >= 90%]
abort:
  - {name: own, when: success_rate_of_first_tries < 11%, window: 5m}
  - {name: all, when: success_rate < 22%, window: 5m}
"""


def test_the_limits_of_a_plot_are_those_of_its_sli(tmp_path: Path) -> None:
    scenario = tmp_path / "two-rates.yaml"
    scenario.write_text(SCENARIO)
    assert run_command(["run", str(scenario), "--out", str(tmp_path / "run")]) == 0
    run = read_run(tmp_path / "run")
    assert [each.name for each in run.aborts_of("success_rate")] == ["all"]
    assert [each.name for each in run.aborts_of("success_rate_of_first_tries")] == ["own"]
    drawn = success.plot(run)
    assert b"abort below 22%" in drawn
    assert b"abort below 11%" not in drawn


ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def outside(svg: bytes) -> list[str]:
    """The texts of a plot that go beyond its sides or its top and bottom."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    found = []
    for text in root.iter(f"{SVG}text"):
        style, words = text.attrib["style"], text.text or ""
        size = float(re.findall(r"([\d.]+)px", style)[0])
        weight = "bold" if re.search(r"\b(bold|[6-9]00)\b", style) else "normal"
        long = TextPath((0, 0), words, size, prop=FontProperties(family="DejaVu Sans", weight=weight)).get_extents().x1
        at = float(text.attrib["x"]), float(text.attrib["y"])
        before = {"start": 0.0, "middle": long / 2, "end": long}[re.findall(r"text-anchor: (\w+)", style)[0]]
        upright = "rotate(-90" in text.attrib["transform"]
        low, high = (at[1] - long + before, at[1] + before) if upright else (at[0] - before, at[0] - before + long)
        inside = 0 <= low <= high <= (height if upright else width)
        if not inside or not size * 0.7 <= at[1] <= height - 1:
            found.append(words)
    return found


@pytest.mark.parametrize("name", ["two-rates", "failures/db-lock", "aborts/stalled"])
def test_no_text_of_a_plot_is_cut_off(name: str, tmp_path: Path) -> None:
    scenario = ROOT / "scenarios" / f"{name}.yaml"
    if name == "two-rates":
        scenario = tmp_path / "two-rates.yaml"
        scenario.write_text(SCENARIO)
    run_command(["run", str(scenario), "--out", str(tmp_path / "run")])
    plots = render_plots(read_run(tmp_path / "run"))
    assert len(plots) > 5
    assert {name: outside(svg) for name, svg in plots.items() if outside(svg)} == {}


def test_long_names_are_cut_and_their_legend_wraps() -> None:
    fig, (axes,) = figure(1, 2.0)
    for number in range(6):
        axes.plot([0, 3600], [number, number], label=f"a name of some length, number {number}")
    axes.plot([0, 1], [0, 0], label="w" * 200)
    axes.set_title("t" * 300)
    axes.set_ylabel("y" * 300)
    span_axis(axes, 3600.0)
    svg = to_svg(fig)
    assert outside(svg) == []
    assert b"www\xe2\x80\xa6" in svg
    assert width_of(fitted("w" * 200, 100.0)) <= 100.0


def test_a_legend_shows_the_marker_of_points() -> None:
    fig, (axes,) = figure(1, 2.0)
    axes.scatter([1.0], [1.0], marker="*", color=RED)
    alone = to_svg(fig)
    fig, (axes,) = figure(1, 2.0)
    axes.scatter([1.0], [1.0], marker="*", color=RED, label="here")
    named = to_svg(fig)
    star = re.compile(rb"<path[^>]* d=\"M[^L\"]*(?:L[^L\"]*){9}z")
    assert [len(star.findall(each)) for each in (alone, named)] == [1, 2]


def test_ticks_are_round_clocks_days_and_decades() -> None:
    show = Shown(Form.SECONDS)
    assert show.format_ticks([0.0, 90.0, 3600.0]) == ["0", "1m30s", "1h"]
    assert show.format_ticks([21_600.0, 86_400.0, 604_800.0]) == ["6h", "1d", "7d"]
    assert Decades(Form.NUMBER, 6).tick_values(0.8, 60.0) == [1, 2, 5, 10, 20, 50]
    assert Decades(Form.SECONDS, 7).tick_values(9.0, 700.0) == [10.0, 20.0, 60.0, 120.0, 300.0, 600.0]
