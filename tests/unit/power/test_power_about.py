"""How small a violation an objective with `~` sees: by its own interval, worked out by counting."""

import math
from pathlib import Path

import numpy as np
import pytest

from runner.cli import run_command
from runner.judge.interval import wilson
from runner.power.detection import AboutRule, Share

RESILIENCE = Path(__file__).resolve().parents[3] / "scenarios" / "resilience"


@pytest.mark.parametrize(
    ("target", "good_counts", "confidence"), [(0.9148, True, 0.99), (0.3, False, 0.95), (0.56, True, 0.9)]
)
@pytest.mark.parametrize("n", [1, 10, 57, 400])
def test_the_fewest_bad_ones_that_contradict(target: float, good_counts: bool, confidence: float, n: int) -> None:
    def contradicted(bad: int) -> bool:
        low, high = wilson(n - bad if good_counts else bad, n, confidence)
        return high < target if good_counts else low > target

    least = AboutRule(target, good_counts, confidence).least_bad(n)
    assert least == next(
        (bad for bad in range(n + 1) if contradicted(bad) and bad > (1 - target if good_counts else target) * n), n + 1
    )


def test_what_ten_tasks_see() -> None:
    """Of ten tasks, a success of 91.5 % is contradicted by five failures; drawn by lot, that happens as often as is said."""
    rule = AboutRule(0.914816, True, 0.99)
    assert rule.least_bad(10) == 5
    detector = Share(rule, lambda size: 1 - size, 0.914816, 0.0, 10.0, 1.0)
    draws = np.random.default_rng(5).binomial(10, 1 - 0.34, 200_000)
    seen = float((draws >= 5).mean())
    assert detector.probability(0.34, 1.0) <= seen + 4 * math.sqrt(seen * (1 - seen) / len(draws))
    assert detector.probability(0.34, 1.0) == pytest.approx(seen, abs=0.02)
    assert detector.probability(0.6, 1.0) < 0.5, "sixty percent may well pass for ninety"


def test_the_command_says_what_so_few_tasks_can_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = str(RESILIENCE / "network-retry.yaml")
    assert run_command(["power", scenario, "-n", "10", "--out", str(tmp_path / "power")]) == 0
    told = next(line for line in capsys.readouterr().out.splitlines() if "success_rate ~ 91.4816%" in line)
    assert float(told.split()[4].rstrip("%")) < 50
    assert "too short" in told


def test_monitoring_knows_no_threshold_of_it(tmp_path: Path) -> None:
    assert run_command(["monitoring", str(RESILIENCE / "network-retry.yaml"), "--out", str(tmp_path / "m")]) == 0
