"""The published hour of the signal pipeline, judged again from its own figures: what docs/published-run.md shows."""

import json
from pathlib import Path
from typing import Any

import pytest

from soak.runner.cli import run_command

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "examples" / "published-run"
PAGE = ROOT / "docs" / "published-run.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("published") / "run"
    events = str(FOLDER / "events.jsonl")
    assert run_command(["run", str(FOLDER / "scenario.yaml"), "--replay", events, "--out", str(out)]) == 3
    return out


def document(run: Path, name: str) -> Any:
    return json.loads((run / name).read_text(encoding="utf-8"))


def test_it_fails_by_its_own_figures_with_these_margins(run: Path) -> None:
    verdict = document(run, "verdict.json")
    found = {each["sli"]: (each["status"], each["value"], each["margin"]) for each in verdict["objectives"]}
    assert verdict["verdict"] == "FAIL"
    assert found == {
        "records": ("PASS", 557_986, 7_986),
        "strong_ratio": ("PASS", pytest.approx(0.11, abs=1e-6), pytest.approx(0.06, abs=1e-6)),
        "restart_time_max": ("FAIL", pytest.approx(12.06), pytest.approx(-0.06)),
        "export_count": ("FAIL", 1, -59),
        "alerts_fired": ("PASS", 3, 0),
        "alerts_resolved": ("FAIL", 0, -3),
    }
    # Nothing else is wrong, nothing is made up, and what the source sent was not published.
    reasons = {(each["kind"], each["status"]) for each in verdict["typed_reasons"]}
    assert reasons == {("objective", "FAIL"), ("law", "INCONCLUSIVE")}
    assert {
        name for name in ("health_green", "process_rss", "sink_difference") if verdict["slis"][name] is not None
    } == set()


def test_the_events_hold_the_published_figures(run: Path) -> None:
    lines = [json.loads(line) for line in (FOLDER / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    minutes = [line["value"] for line in lines if line["type"] == "minute.total"]
    strong = sum(line["value"] for line in lines if line["type"] == "minute.strong")
    assert (len(minutes), sum(minutes), {round(each, -2) for each in minutes}) == (60, 557_986, {9_300})
    assert strong / sum(minutes) == pytest.approx(0.110, abs=0.0005)
    by_type = {line["type"]: line["t"] for line in lines}
    assert by_type["process.healthy"] - by_type["process.exited"] == pytest.approx(12.06)
    assert sum(line["type"] == "export.made" for line in lines) == 1
    assert "reported.alert_resolved" not in by_type


def test_alerts_that_did_not_resolve_are_in_the_manifest(run: Path) -> None:
    alerts = document(run, "run_manifest.json")["alerts"]
    assert [each["rule"] for each in alerts] == ["no_records", "low_consistency", "strong_ratio"]
    assert {each["resolved"] for each in alerts} == {None}


def test_anyone_can_recompute_it(run: Path) -> None:
    assert run_command(["verify", str(run)]) == 0


def test_the_page_shows_what_the_command_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    command = next(line.split() for line in page.splitlines() if line.startswith("    soak run "))
    out = str(tmp_path / "again")
    words = [str(ROOT / word) if word.startswith("docs/") else word for word in command[1:-1]]
    assert run_command([*words, out]) == 3
    printed = capsys.readouterr().out
    shown = page.split("```")[1].strip()
    assert shown in printed


def test_what_was_not_published_is_inconclusive(tmp_path: Path) -> None:
    words = [
        "run",
        str(FOLDER / "scenario.yaml"),
        "--replay",
        str(FOLDER / "events.jsonl"),
        "--out",
        str(tmp_path / "run"),
    ]
    assert run_command([*words, "--set", "slos=[health_green >= 98%]"]) == 5
