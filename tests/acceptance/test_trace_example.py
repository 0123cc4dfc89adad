"""The example of docs/load-trace.md: it passes, and what the page shows of it is what the command says."""

import hashlib
import json
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


def test_the_plan_knows_of_it() -> None:
    path = DOCS / "examples" / "trace" / "trace.yaml"
    lines = soak("plan", path).stdout.splitlines()
    assert lines[2] == "  trace orders.csv: 1,855 rows over 23h52m, 1.5 times as many"
    planned = json.loads(soak("plan", path, "--json").stdout)["trace"]
    assert (planned["rows"], planned["scale"], planned["repeat"]) == (1855, 1.5, False)
    assert planned["sha256"] == hashlib.sha256(path.with_name("orders.csv").read_bytes()).hexdigest()
    assert 0 < planned["begins_s"] < planned["ends_s"] < 86_400
