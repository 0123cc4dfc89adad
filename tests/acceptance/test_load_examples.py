"""The examples of docs/load.md and the pages beside it run, and each is shown there with its picture."""

import re
from pathlib import Path

import pytest
from commands import soak

from soak.runner.api import simulate_scenario

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples" / "load").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_passes(path: Path) -> None:
    verdict, _ = simulate_scenario(path)
    assert verdict.verdict.value == "PASS", verdict.reasons
    assert all(law.status.value == "PASS" for law in verdict.laws)


def test_each_example_is_on_the_page_with_its_picture() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("load*.md"))
    assert set(re.findall(r"images/load/([a-z-]+)\.svg", pages)) == {path.stem for path in EXAMPLES}
    for path in EXAMPLES:
        picture = (DOCS / "images" / "load" / f"{path.stem}.svg").read_text(encoding="utf-8")
        assert f"Planned load of {path.stem}" in picture


@pytest.mark.parametrize("name", ["stages", "scheduled"])
def test_the_plan_draws_them(name: str, tmp_path: Path) -> None:
    path = DOCS / "examples" / "load" / f"{name}.yaml"
    assert soak("plan", path, "--plot", tmp_path / "load.svg").returncode == 0
    drawn = (tmp_path / "load.svg").read_text(encoding="utf-8")
    assert f"Planned load of {name}" in drawn
    assert ("200 nightly" in drawn) == (name == "scheduled")


def test_a_simulation_with_a_start_is_reported_by_its_clock(tmp_path: Path) -> None:
    path = DOCS / "examples" / "load" / "scheduled.yaml"
    assert soak("run", path, "--duration", "6h", "--out", tmp_path / "run").returncode == 0
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "2026-03-28 00:00:00 CET to 2026-03-28 06:" in report
