"""A gate that asks for reviews: enough people, in the roles, of exactly this evidence, none rejecting, and recent."""

import shlex
import shutil
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from soak.reports.gate import render_gate
from soak.runner.cli import run_command
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.reviews import Given, add_review
from soak.runner.gate.session import decide_gate
from soak.schemas.errors import ScenarioError
from soak.schemas.evidence.decision import RuleCheck
from soak.schemas.evidence.reviews import Opinion
from soak.schemas.language.gate import load_gate

pytestmark = pytest.mark.usefixtures("undrawn")
SCENARIO = """
    version: 1
    name: brief
    system: queue
    duration: 10m
    workload: {arrivals: {rate: 10/min}, task: {duration: {distribution: constant, value: 1s}}}
    slos: [success_rate >= 50%]
"""
GATE = """
    version: 1
    name: test
    evidence: {{clean_tree: false, one_commit: false, recompute: false}}
    rules: [{{name: soaks, runs: {{in: runs/*, verdicts: [PASS, INCONCLUSIVE], reviewed: {reviewed}}}}}]
"""
NOW = datetime.now(UTC)
A, R, N = Opinion.ACCEPTED, Opinion.REJECTED, Opinion.NOTED
Reviewer = tuple[str, str | None, Opinion, float]
"""Name, role, decision, and for how many days it has been there."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("reviewed")
    (place / "brief.yaml").write_text(textwrap.dedent(SCENARIO))
    assert run_command(["run", str(place / "brief.yaml"), "--out", str(place / "run")]) in {0, 5}
    return place / "run"


def decided(made: Path, place: Path, reviewed: str, *reviews: Reviewer) -> tuple[RuleCheck, str]:
    """What the rule says of the run, and gate.md."""
    run = RunDirectory(shutil.copytree(made, place / "runs" / "a run"))
    for by, role, decision, days in reviews:
        add_review(run, Given(by, role, decision, ["a | note"]), NOW - timedelta(days=days))
    return again(place, reviewed)


def again(place: Path, reviewed: str) -> tuple[RuleCheck, str]:
    (place / "gate.yaml").write_text(textwrap.dedent(GATE).format(reviewed=reviewed))
    decision = decide_gate(load_gate(place / "gate.yaml"), place)
    [check] = decision.rules[0].checks
    assert decision.passed == check.ok
    return check, render_gate(decision)


@pytest.mark.parametrize(
    ("reviewed", "reviews", "told"),
    [
        ("{}", [("Ann", None, A, 0)], "accepted by Ann"),
        ("{by_at_least: 2}", [("Ann", "qa", A, 0), ("Bo", None, A, 0)], "accepted by Ann (qa), Bo"),
        ("{roles: [qa]}", [("Ann", "qa", A, 0)], "accepted by Ann (qa)"),
        ("{within: 7d}", [("Ann", None, A, 6.9)], "accepted by Ann"),
        ("{}", [("Ann", None, R, 1), ("Ann", None, A, 0)], "accepted by Ann"),
        ("{}", [("Ann", None, A, 1), ("Ann", None, N, 0)], "accepted by Ann"),
    ],
)
def test_a_run_that_is_reviewed_as_asked_passes(
    made: Path, tmp_path: Path, reviewed: str, reviews: list[Reviewer], told: str
) -> None:
    check, page = decided(made, tmp_path, reviewed, *reviews)
    assert check.ok, check.detail
    assert check.detail.endswith(told)
    assert told in page


@pytest.mark.parametrize(
    ("reviewed", "reviews", "told"),
    [
        ("{}", [], "0 of 1 acceptances ("),
        ("{}", [("Ann", None, N, 0)], "0 of 1 acceptances ("),
        ("{by_at_least: 2}", [("Ann", None, A, 1), ("ANN ", None, A, 0)], "1 of 2 acceptances ("),
        ("{roles: [qa]}", [("Ann", "dev", A, 0)], "no acceptance as qa ("),
        ("{roles: [qa, dev], by_at_least: 2}", [("Ann", "qa", A, 1), ("Ann", "dev", A, 0)],
         "1 of 2 acceptances, no acceptance as qa ("),
        ("{within: 7d}", [("Ann", None, A, 7.1)], "0 of 1 acceptances; the acceptance by Ann is 7d2h old (7d allowed) ("),
        ("{within: 7d}", [("Ann", None, A, -1)], "the acceptance by Ann is from the future"),
        ("{}", [("Ann", None, A, 1), ("Ann", None, R, 0)], "rejected by Ann at"),
        ("{}", [("Ann", None, R, 1), ("Bo", None, A, 0)], "rejected by Ann at"),
    ],
)  # fmt: skip
def test_a_run_that_is_not_reviewed_as_asked_is_refused(
    made: Path, tmp_path: Path, reviewed: str, reviews: list[Reviewer], told: str
) -> None:
    check, page = decided(made, tmp_path, reviewed, *reviews)
    assert not check.ok
    assert told in check.detail
    assert "refused" in page


def test_the_headline_says_that_reviews_are_missing_and_not_that_the_run_is(made: Path, tmp_path: Path) -> None:
    _, page = decided(made, tmp_path, "{}")
    assert "1 run of brief, none with the reviews asked for; " in page
    assert "brief missing" not in page
    shutil.copytree(made, tmp_path / "runs" / "b")
    gate = textwrap.dedent(GATE).format(reviewed="{}").replace("in: runs/*,", "in: runs/*, scenarios: [brief, other],")
    (tmp_path / "gate.yaml").write_text(gate)
    [rule] = decide_gate(load_gate(tmp_path / "gate.yaml"), tmp_path).rules
    assert rule.detail == "0 of 2 scenarios: other missing; 2 runs of brief, none with the reviews asked for"


def test_the_command_in_the_decision_makes_it_pass(made: Path, tmp_path: Path) -> None:
    check, _ = decided(made, tmp_path, "{roles: [release manager]}")
    command = check.detail[check.detail.index("(soak ") + 1 : -1]
    assert shlex.split(command)[3:] == ["--accept", "--role", "release manager"]
    assert run_command([*shlex.split(command)[1:], "--by", "Ann"]) == 0
    assert again(tmp_path, "{roles: [release manager]}")[0].ok


def test_reviews_of_other_evidence_count_for_nothing(made: Path, tmp_path: Path) -> None:
    run = RunDirectory(shutil.copytree(made, tmp_path / "runs" / "a"))
    for by, decision in (("Ann", A), ("Bo", R)):
        add_review(run, Given(by, None, decision, ["seen"]))
    run.write("verdict.json", run.read("verdict.json") + b"\n")
    run.write_checksums(only=["verdict.json"])
    detail = again(tmp_path, "{}")[0].detail
    assert detail.startswith("0 of 1 acceptances; review by Ann of ")
    assert "review by Bo" in detail
    assert "rejected" not in detail


def test_reviews_that_cannot_be_read_are_none(made: Path, tmp_path: Path) -> None:
    run = RunDirectory(shutil.copytree(made, tmp_path / "runs" / "a"))
    run.write("reviews.json", b"{")
    check, _ = again(tmp_path, "{}")
    assert not check.ok
    assert "reviews.json" in check.detail
    assert (
        run_command(["gate", str(tmp_path / "gate.yaml"), "--root", str(tmp_path), "--out", str(tmp_path / "g")]) == 3
    )


@pytest.mark.parametrize("reviewed", ["{by_at_least: 0}", "{within: soon}", "{role: qa}", "true", "{roles: qa}"])
def test_a_wrong_rule_is_refused(tmp_path: Path, reviewed: str) -> None:
    (tmp_path / "gate.yaml").write_text(textwrap.dedent(GATE).format(reviewed=reviewed))
    with pytest.raises(ScenarioError):
        load_gate(tmp_path / "gate.yaml")
