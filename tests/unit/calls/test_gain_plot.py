"""The plot of what policies gain says which confidence its intervals have, and cuts nothing off at 100 %."""

import re
from pathlib import Path

import pytest

from soak.runner.cli import run_command

SCENARIOS = Path(__file__).parents[3] / "scenarios" / "resilience"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("bulkhead", "share and its interval (95%)"),
        ("network-retry", "share and its interval (95% for the first two)"),
    ],
)
def test_the_axis_names_the_confidence(tmp_path: Path, name: str, label: str) -> None:
    run_command(["run", str(SCENARIOS / f"{name}.yaml"), "--out", str(tmp_path / "run")])
    svg = (tmp_path / "run" / "plots" / "gain.svg").read_text(encoding="utf-8")
    assert label in re.findall(r"<text[^>]*>(.*?)</text>", svg)
    width = float(re.findall(r'viewBox="0 0 ([0-9.]+)', svg)[0])
    hundred = re.search(r"<text[^>]* x=\"([0-9.]+)\"[^>]*>100%</text>", svg)
    assert hundred is not None
    assert float(hundred[1]) < width - 10
