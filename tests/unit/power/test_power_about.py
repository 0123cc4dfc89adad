"""How small a violation an objective with `~` sees: by its own interval, worked out by counting."""

import math
from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.runner.judge.interval import wilson
from soak.runner.power.detection import AboutRule, ShareDetector

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


def at_least(least: int, n: int, p: float) -> float:
    return math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(least, n + 1))


@pytest.mark.parametrize("success", [0.2, 0.34, 0.6, 0.8])
def test_what_ten_tasks_see(success: float) -> None:
    """Of ten tasks, a success of 91.5 % is contradicted by four failures; with some more it takes one more."""
    rule = AboutRule(0.914816, True, 0.99)
    assert rule.least_bad(10) == 4
    detector = ShareDetector(rule, lambda size: 1 - size, 0.914816, 0.0, 10.0, 1.0)
    # A longer run never sees less: the least of all that are somewhat longer counts.
    least = min(at_least(rule.least_bad(n), n, 1 - success) for n in range(10, 30))
    assert detector.probability(success, 1.0) == pytest.approx(least, abs=1e-6)
    if success == 0.6:
        assert least < 0.65, "in more than a third of the runs sixty percent pass for ninety"


def test_the_command_says_what_so_few_tasks_can_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = str(RESILIENCE / "network-retry.yaml")
    assert run_command(["power", scenario, "-n", "10", "--out", str(tmp_path / "power")]) == 0
    told = next(line for line in capsys.readouterr().out.splitlines() if "success_rate ~ 91.4816%" in line)
    assert float(told.split()[4].rstrip("%")) < 50
    assert "too short" in told


def test_monitoring_knows_no_threshold_of_it(tmp_path: Path) -> None:
    assert run_command(["monitoring", str(RESILIENCE / "network-retry.yaml"), "--out", str(tmp_path / "m")]) == 0
