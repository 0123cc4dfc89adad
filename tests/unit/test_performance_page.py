"""docs/performance.md: its figures are those of the file they come from, its charts those that the script draws."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(path: str) -> ModuleType:
    place = ROOT / path
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[place.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    return script("docs/generate_performance.py")


def test_the_page_has_the_figures_of_its_file(pages: ModuleType) -> None:
    found = json.loads(pages.RESULTS.read_text(encoding="utf-8"))
    page = pages.PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- figures: (\w+) -->", page)) == set(pages.BLOCKS)
    assert pages.filled(page, found) == page
    drawn = pages.bars(found["peers"])
    assert (pages.IMAGES / "performance-peers.svg").read_text(encoding="utf-8") == drawn
    assert all(f">{each['label']}</text>" in drawn for each in found["peers"])


def test_other_tools_simulate_the_same_queue(pages: ModuleType) -> None:
    found = json.loads(pages.RESULTS.read_text(encoding="utf-8"))
    assert {each["label"] for each in found["peers"] if each["same"]} >= {
        "cimba",
        "SimPy",
        "Ciw",
        "happysim",
        "salabim",
    }
    assert all(each["same"] for each in found["peers"])


def test_a_tool_that_simulates_something_else_is_told_apart() -> None:
    compare = script("benchmarks/peers/compare.py")
    ours = [21.3, 21.5, 22.1, 21.7, 21.6]
    assert compare.is_same([21.9, 21.7, 21.5, 21.6, 21.8], ours) is True
    assert compare.is_same([20.9, 20.7, 20.5, 20.6, 20.8], ours) is False
    assert compare.is_same([21.9], ours) is None
    assert compare.is_same([1.0] * 3, [1.0] * 3) is True


def test_a_straight_line_has_slope_1() -> None:
    bench = script("benchmarks/bench_scale.py")
    assert bench.slope([(1e5, 2.0), (1e6, 20.0), (1e7, 200.0)]) == pytest.approx((1.0, 0.0), abs=1e-9)
    assert bench.slope([(10.0, 1.0), (100.0, 100.0), (1000.0, 1e4)])[0] == pytest.approx(2.0)
    assert bench.slope([(1e5, 2.0), (1e6, 20.0)]) is None


def test_what_would_take_too_long_is_extrapolated_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = script("benchmarks/bench_scale.py")
    figures = {"cpu_s": 1.0, "peak_mb": 100.0, "stream_mb": 10.0, "parts_s": {"judge": 1.0}}
    monkeypatch.setattr(bench, "measure", lambda *_: dict(figures))
    rows = [bench.Row("tasks", str(times), 375 * times, times, 1.0) for times in (1, 10_000)]
    first, second = bench.family(rows, "run", "simpy", 5.0)
    assert (first["extrapolated"], second["extrapolated"]) == (False, True)
    assert (second["cpu_s"], second["stream_mb"], second["peak_mb"]) == (10_000.0, 100_000.0, None)
