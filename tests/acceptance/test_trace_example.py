"""The example of docs/load-trace.md: it passes, and what the page shows of it is what the command says."""

from pathlib import Path

from commands import soak

from soak.runner.api import simulate_scenario

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_it_passes() -> None:
    verdict, _ = simulate_scenario(DOCS / "examples" / "trace" / "trace.yaml")
    assert verdict.verdict.value == "PASS", verdict.reasons


def test_the_page_shows_what_the_command_says() -> None:
    orders = DOCS / "examples" / "trace" / "orders.csv"
    done = soak("calibrate", "--arrivals", orders, "--time", "created_at", "--timezone", "Asia/Seoul")
    assert done.returncode == 3
    assert f"```\n{done.stdout.rstrip()}\n```" in (DOCS / "load-trace.md").read_text(encoding="utf-8")
