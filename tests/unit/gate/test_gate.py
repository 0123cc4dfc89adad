"""The gate: sound evidence passes, whatever was edited, is missing, too old or from elsewhere does not."""

import json
import os
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from soak.reports.data import read_run
from soak.runner.cli import run_command
from soak.runner.evidence.directory import RunDirectory
from soak.runner.gate.session import decide_gate
from soak.runner.incident import FIELDS
from soak.schemas.errors import EvidenceError, ScenarioError, UsageError
from soak.schemas.evidence.decision import Decision
from soak.schemas.evidence.verdict import SCHEMA_VERSION
from soak.schemas.language.gate import load_gate
from soak.schemas.stream.identity import FORMER_TARGETS

pytestmark = pytest.mark.usefixtures("undrawn")

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = """
    version: 1
    name: {name}
    system: queue
    duration: 30m
    drain: 30m
    workload:
      arrivals: {{process: constant, rate: 10/min}}
      task: {{duration: {{distribution: constant, value: 4s}}}}
    queue: {{workers: 4}}
    faults:
      - {{name: over, type: guardrail_exceed, rate: 10%}}
    slos: [success_rate >= 90%, latency_p95 <= {limit}]
    {more}
"""
ABORT = "abort: [{name: slow, when: latency_p95 > 1s, min_samples: 5}]"
GATE = """
    version: 1
    name: test
    evidence: {{max_age: 1d, clean_tree: false, one_commit: false}}
    rules:
      - name: soaks
        runs: {{in: runs/*, scenarios: [one, two]{more}}}
"""
JUNIT = '<testsuites><testsuite name="s">{}</testsuite></testsuites>'
PASSED = '<testcase classname="c" name="{}"/>'
FAILED = '<testcase classname="c" name="{}"><failure message="it &lt;broke&gt;"/></testcase>'
SKIPPED = '<testcase classname="c" name="{}"><skipped/></testcase>'

Decide = Callable[..., Decision]


def soak(out: Path, name: str, limit: str = "1h", more: str = "") -> Path:
    """A simulated run."""
    scenario = out.with_suffix(".yaml")
    scenario.parent.mkdir(parents=True, exist_ok=True)
    scenario.write_text(textwrap.dedent(SCENARIO).format(name=name, limit=limit, more=more))
    run_command(["run", str(scenario), "--out", str(out)])
    return out


@pytest.fixture
def decide(tmp_path: Path) -> Decide:
    """Decides over the evidence in the test's directory by a gate with some changes."""

    def decided(more: str = "", gate: str = GATE, **replaced: str) -> Decision:
        text = textwrap.dedent(gate).format(more=more)
        for old, new in replaced.items():
            text = text.replace(f"{old}: false", f"{old}: {new}")
        path = tmp_path / "gate.yaml"
        path.write_text(text)
        return decide_gate(load_gate(path), tmp_path)

    return decided


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("made")
    soak(runs / "a", "one")
    soak(runs / "b", "two")
    return runs


@pytest.fixture
def both(made: Path, tmp_path: Path) -> Path:
    """Two runs, to be damaged."""
    for name in ("a", "b"):
        shutil.copytree(made / name, tmp_path / "runs" / name)
    return tmp_path / "runs"


def wrong(decision: Decision) -> dict[str, str]:
    """What is not as asked: by rule, or by rule and file."""
    rules = [*decision.rules, *decision.evidence]
    found = {rule.rule: rule.detail for rule in rules if rule.detail}
    return found | {
        f"{rule.rule} {check.file}": check.detail for rule in rules for check in rule.checks if not check.ok
    }


def test_sound_evidence_passes(both: Path, decide: Decide) -> None:
    decision = decide()
    assert (decision.passed, wrong(decision)) == (True, {})
    assert [check.file for check in decision.rules[0].checks] == ["runs/a", "runs/b"]


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("verdict.json", '"PASS"', '"FAIL"', "verdict.json was changed: its hash differs"),
        (
            "verdict.json",
            '"success_rate": 1.0',
            '"success_rate": 0.9',
            "verdict.json recomputed: slis.success_rate is 0.9",
        ),
        ("soak_one.jsonl", '"type":"task.done"', '"type":"task.failed"', "soak_one.jsonl was changed"),
        ("soak_one.jsonl", "task.blocked", "task.done", "but the stream gives"),
        ("scenario.yaml", "1h", "2h", "scenario.yaml was changed"),
        ("run_manifest.json", '"seed": 0', '"seed": 1', "run_manifest.json was changed"),
        ("metrics.csv", "t_s", "t", "metrics.csv was changed"),
        ("soak_summary.md", "PASS", "PASSED", "soak_summary.md was changed"),
        ("junit.xml", "failures", "failure", "junit.xml was changed"),
    ],
)
def test_edited_evidence_is_refused(both: Path, decide: Decide, file: str, old: str, new: str, told: str) -> None:
    path = both / "a" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    decision = decide()
    assert not decision.passed
    assert told in wrong(decision)["evidence runs/a"]
    assert "evidence runs/b" not in wrong(decision)


def test_an_edit_that_was_sealed_again_is_found_by_recomputing(both: Path, decide: Decide) -> None:
    path = both / "a" / "verdict.json"
    path.write_text(path.read_text().replace('"guardrail_unblocked": 0.0', '"guardrail_unblocked": 3.0', 1))
    RunDirectory.open(both / "a").write_checksums()
    assert "slis.guardrail_unblocked is 3.0, but the stream gives 0.0" in wrong(decide())["evidence runs/a"]


@pytest.mark.parametrize(
    "file", ["verdict.json", "soak_one.jsonl", "run_manifest.json", "SHA256SUMS", "plots/latency.svg"]
)
def test_missing_evidence_is_refused(both: Path, decide: Decide, file: str) -> None:
    (both / "a" / file).unlink()
    decision = decide()
    assert not decision.passed
    assert file in wrong(decision)["evidence runs/a"]


def test_a_removed_line_of_the_stream_is_refused(both: Path, decide: Decide) -> None:
    path = both / "a" / "soak_one.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:100] + lines[101:]))
    assert not decide().passed


def test_a_half_written_run_is_refused(both: Path, decide: Decide) -> None:
    path = both / "a" / "verdict.json"
    path.write_bytes(path.read_bytes()[:500])
    assert "this evidence is damaged" in wrong(decide())["soaks runs/a"]


def test_no_run_at_all(decide: Decide) -> None:
    assert wrong(decide()) == {"soaks": "no run in runs/* of one, two"}


def test_a_scenario_without_a_run(tmp_path: Path, decide: Decide) -> None:
    soak(tmp_path / "runs" / "a", "one")
    soak(tmp_path / "runs" / "c", "three")
    assert wrong(decide()) == {"soaks": "1 of 2 scenarios: two missing"}
    assert decide(", at_least: 1").passed


def test_a_failed_run(both: Path, decide: Decide, tmp_path: Path) -> None:
    soak(both / "c", "one", limit="1s")
    told = wrong(decide())["soaks runs/c"]
    assert told.startswith("one is FAIL: objective latency_p95 <= 1s")
    assert decide(", verdicts: [PASS, FAIL]").passed
    os.utime(both / "c")
    assert not decide(", newest: true").passed


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (", target: orchestrator", "one ran against simulation, not orchestrator"),
        (", duration: 1h", "one lasted 30m (1h at least)"),
        (", slis: [guardrail_unblocked == 0, latency_p95 <= 1s]", "latency_p95 <= 1s: 4s observed"),
        (", slis: [rss <= 1GB]", "rss <= 1GB: nothing was observed"),
        (", documents: [verdict.json, parity_diff.json]", "parity_diff.json is missing (no such file in SHA256SUMS)"),
        (", alerts: [stuck]", "the alert stuck did not fire"),
    ],
)
def test_what_a_rule_asks_of_a_run(both: Path, decide: Decide, more: str, told: str) -> None:
    assert told in wrong(decide(more))["soaks runs/a"]


def test_documents_must_be_there_and_sealed(both: Path, decide: Decide) -> None:
    assert decide(', documents: [verdict.json, "soak_*.jsonl"]').passed
    (both / "a" / "notes.md").write_text("mine")
    found = wrong(decide(", documents: [notes.md]"))
    assert found["soaks runs/a"] == found["soaks runs/b"] == "notes.md is missing (no such file in SHA256SUMS)"
    (both / "a" / "notes.md").unlink()
    (both / "b" / "junit.xml").unlink()
    assert list(wrong(decide(", documents: [junit.xml]"))) == ["soaks", "soaks runs/b", "evidence runs/b"]


def test_alerts_must_have_fired_and_resolved(tmp_path: Path, decide: Decide) -> None:
    alert = "alerts: [{{name: busy, when: throughput < {}, window: 1m}}]"
    soak(tmp_path / "runs" / "a", "one", more=alert.format("8/min"))
    soak(tmp_path / "runs" / "b", "two", more="alerts: [{name: deep, when: queue_depth >= 0, min_samples: 2}]")
    assert decide(", alerts: [busy]", gate=GATE.replace("one, two", "one")).passed
    found = wrong(decide(", alerts: [deep]", gate=GATE.replace("one, two", "two")))["soaks runs/b"]
    assert found.startswith("the alert deep fired at ")
    assert found.endswith(" and did not resolve")


def test_a_run_on_thin_evidence_can_be_refused(both: Path, decide: Decide) -> None:
    """Of some 270 tasks all were DONE: 95 % confidence excludes what is below 98.6 %, and not 99 %."""
    assert decide(", thin: false").passed
    soak(both / "c", "one", more="tiers: {pr: {slos: [success_rate >= 99%, latency_p95 <= 1h, success_rate >= 99.9%]}}")
    text = (both / "c.yaml").read_text()
    run_command(["run", str(both / "c.yaml"), "--tier", "pr", "--out", str(both / "d")])
    assert "tiers" in text
    assert decide().passed
    found = wrong(decide(", thin: false"))
    assert list(found) == ["soaks runs/d"]
    assert found["soaks runs/d"].startswith(
        "one is on thin evidence: success_rate >= 99% holds by the observed value alone: its 95% interval is 98."
    )
    assert found["soaks runs/d"].endswith("(and 1 more)")


def rewrite_manifest(run: Path, **changes: object) -> None:
    """Another manifest, sealed."""
    path = run / "run_manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    RunDirectory.open(run).write_checksums()


def test_old_runs_and_other_commits(both: Path, decide: Decide) -> None:
    rewrite_manifest(both / "a", finished_at="2020-01-01T00:00:00Z", git={"sha": "a" * 40, "dirty": False})
    rewrite_manifest(both / "b", git={"sha": "b" * 40, "dirty": True})
    found = wrong(decide(one_commit="true", clean_tree="true"))
    assert "old (24h allowed)" in found["evidence runs/a"].replace("1d", "24h")
    assert found["evidence runs/b"] == "was made with uncommitted changes"
    assert found["one commit"] == "the runs were made from 2 commits"


def test_a_run_that_does_not_know_its_commit(both: Path, decide: Decide) -> None:
    rewrite_manifest(both / "a", git=None)
    found = wrong(decide(one_commit="true"))
    instead = "run it in a git work tree, or write evidence: {one_commit: false}"
    assert found["evidence runs/a"] == f"has no commit ({instead})"


@pytest.mark.parametrize(
    ("shas", "commit", "told"),
    [
        ((None, None), None, ["run it in one, or write evidence: {one_commit: false}"] * 2),
        ((None, "b" * 40), None, ["write evidence: {one_commit: false}", "b" * 12]),
        ((None, "b" * 40), "b" * 7, ["run it in one, or leave --commit out", "b" * 12]),
        (("a" * 40, "b" * 40), "b" * 40, ["was made from aaaaaaaaaaaa, not from bbbbbbbbbbbb", "b" * 12]),
    ],
)
def test_what_is_said_of_a_commit_is_a_whole_sentence(
    both: Path, shas: tuple[str | None, str | None], commit: str | None, told: list[str]
) -> None:
    for name, sha in zip("ab", shas, strict=True):
        rewrite_manifest(both / name, git=sha and {"sha": sha, "dirty": False})
    gate = both.parent / "commits.yaml"
    gate.write_text(textwrap.dedent(GATE).format(more="").replace(", one_commit: false", ""))
    [rule] = [each for each in decide_gate(load_gate(gate), both.parent, commit).evidence if each.rule == "one commit"]
    assert [each.detail.removesuffix(")").endswith(words) for each, words in zip(rule.checks, told, strict=True)] == [
        True,
        True,
    ]
    unknown = [each.detail for each, sha in zip(rule.checks, shas, strict=True) if sha is None]
    assert all(each.startswith("the commit is unknown: the run was made outside") for each in unknown)


def test_an_incident_has_to_be_filled_in(both: Path, decide: Decide) -> None:
    soak(both / "a2", "one", more=ABORT)
    more = ", verdicts: [PASS, ABORTED]"
    assert wrong(decide(more))["evidence runs/a2"] == f"incident.md is not filled in: {', '.join(FIELDS)}"
    incident = both / "a2" / "incident.md"
    assert run_command(["incident", str(both / "a2")]) == 3
    incident.write_text(incident.read_text().replace("*to be filled in*", "done"))
    assert run_command(["incident", str(both / "a2")]) == 0
    assert decide(more).passed
    incident.unlink()
    assert "incident.md is missing" in wrong(decide(more))["evidence runs/a2"]


TESTS = """
    version: 1
    name: test
    rules:
      - name: tests
        tests: {{files: results/*.xml{more}}}
"""


def results(tmp_path: Path, *cases: str) -> None:
    (tmp_path / "results").mkdir(exist_ok=True)
    text = "".join(case.format(place) for place, case in enumerate(cases))
    (tmp_path / "results" / "unit.xml").write_text(JUNIT.format(text))


@pytest.mark.parametrize(
    ("cases", "more", "told"),
    [
        ((PASSED, PASSED), "", None),
        ((PASSED, FAILED), "", "c::1 failed"),
        ((PASSED, SKIPPED), "", "c::1 skipped"),
        ((PASSED, SKIPPED), ", skipped: true", None),
        ((PASSED,), ", at_least: 2", "1 test cases passed, 2 are required"),
        ((PASSED, FAILED), ', cases: ["*::0"]', None),
        ((PASSED,), ', cases: ["*::0", "*operator*"]', "no passed test case *operator*"),
        ((), "", "0 test cases passed, 1 are required"),
    ],
)
def test_results_of_tests(tmp_path: Path, decide: Decide, cases: tuple[str, ...], more: str, told: str | None) -> None:
    results(tmp_path, *cases)
    decision = decide(more, TESTS)
    assert decision.passed == (told is None)
    assert list(wrong(decision).values()) == ([told] if told else [])


@pytest.mark.parametrize("content", ["", "no xml", "<html/>"])
def test_results_that_are_none(tmp_path: Path, decide: Decide, content: str) -> None:
    results(tmp_path)
    (tmp_path / "results" / "unit.xml").write_text(content)
    assert not decide("", TESTS).passed


def test_no_results(decide: Decide) -> None:
    assert wrong(decide("", TESTS)) == {"tests": "no file results/*.xml"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nname: x\nrules: []\n", "3:8: rules: is empty"),
        (
            "version: 1\nname: x\nrules: [{name: a}]\n",
            "rules[0]: has neither tests nor runs (write either tests: or runs: in each rule)",
        ),
        ("version: 1\nname: x\nrules: [{name: a, runz: {in: x}}]\n", "unknown key 'runz' (did you mean 'runs'?)"),
        ("version: 2\nname: x\nrules: [{name: a, runs: {in: x}}]\n", "unknown version 2"),
        (
            "version: 1\nname: x\nrules: [{name: a, runs: {in: x, slis: [guardrail_unblokked == 0]}}]\n",
            "unknown SLI 'guardrail_unblokked' (did you mean 'guardrail_unblocked'?)",
        ),
        ("version: 1\nname: x\nevidence: {max_age: 14}\nrules: [{name: a, runs: {in: x}}]\n", "14 has no unit"),
        (
            "version: 1\nname: x\nrules: [{name: a, runs: {in: x, verdicts: [PASSED]}}]\n",
            "unknown value 'PASSED' (did you mean 'PASS'?)",
        ),
    ],
)
def test_a_gate_that_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as raised:
        load_gate(path)
    assert message in str(raised.value)


@pytest.mark.parametrize("path", sorted((ROOT / "gates").glob("*.yaml")), ids=lambda path: path.stem)
def test_gates_that_are_shipped_are_sound(path: Path) -> None:
    assert load_gate(path).rules


def test_the_command_writes_its_decision(both: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    gate = tmp_path / "gate.yaml"
    gate.write_text(textwrap.dedent(GATE).format(more=""))
    out, summary = tmp_path / "decision", tmp_path / "summary.md"
    words = ["gate", str(gate), "--root", str(tmp_path), "--out", str(out), "--job-summary", str(summary)]
    assert run_command(words) == 0
    decision = msgspec.json.decode((out / "gate.json").read_bytes(), type=Decision)
    assert decision.passed
    assert (out / "gate.md").read_text() == summary.read_text().rstrip() + "\n"
    assert 'failures="0"' in (out / "junit.xml").read_text()
    capfd.readouterr()
    (both / "a" / "verdict.json").unlink()
    assert run_command(words) == 3
    assert "REFUSED" in capfd.readouterr().out
    assert 'failures="2"' in (out / "junit.xml").read_text()


@pytest.mark.parametrize(("version", "age"), [(0, "an older"), (9, "a newer")])
def test_evidence_of_another_release(both: Path, decide: Decide, version: int, age: str) -> None:
    path = both / "a" / "verdict.json"
    path.write_text(path.read_text().replace(f'"schema_version": {SCHEMA_VERSION}', f'"schema_version": {version}', 1))
    decision = decide()
    assert not decision.passed
    assert f"is of version {version}, made by {age} release" in wrong(decision)["soaks runs/a"]
    with pytest.raises(EvidenceError, match=f"made by {age} release"):
        read_run(both / "a")


# Ways round it.


@pytest.mark.parametrize("commit", ["", "HEAD", "abc", "DEADBEEF", "deadbee; rm"])
def test_a_commit_that_is_none_is_no_check(both: Path, commit: str) -> None:
    (both / "gate.yaml").write_text(textwrap.dedent(GATE).format(more=""))
    with pytest.raises(UsageError, match="is not a commit"):
        decide_gate(load_gate(both / "gate.yaml"), both.parent, commit)


def test_a_commit_that_is_asked_for_is_checked_whatever_the_gate_says(both: Path) -> None:
    (both / "gate.yaml").write_text(textwrap.dedent(GATE).format(more=""))
    decision = decide_gate(load_gate(both / "gate.yaml"), both.parent, "deadbeef")
    assert not decision.passed
    assert "one commit" in {rule.rule for rule in decision.evidence if not rule.ok}


@pytest.mark.parametrize("damage", ["renamed in the manifest", "without manifest and scenario"])
def test_a_bad_run_cannot_be_made_another_scenarios(both: Path, decide: Decide, damage: str) -> None:
    bad = soak(both / "bad", "one", limit="1ms")
    assert not decide().passed
    if damage == "renamed in the manifest":
        manifest = bad / "run_manifest.json"
        manifest.write_text(manifest.read_text().replace('"scenario": "one"', '"scenario": "other"'))
    else:
        (bad / "run_manifest.json").unlink()
        (bad / "scenario.yaml").unlink()
    assert not decide().passed


@pytest.mark.parametrize("finished", ["null", '"garbage"', '"2026-01-01T00:00:00"'])
def test_a_run_that_does_not_say_when_it_ended(both: Path, decide: Decide, finished: str) -> None:
    run = both / "a"
    text = (run / "run_manifest.json").read_text()
    told = next(line for line in text.splitlines() if "finished_at" in line)
    (run / "run_manifest.json").write_text(text.replace(told, f'  "finished_at": {finished},'))
    RunDirectory(run).write_checksums()
    assert not decide().passed


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b"{}", b"null"])
@pytest.mark.parametrize("name", ["verdict.json", "alerts.json", "run_manifest.json", "checkpoints.json"])
def test_no_file_however_odd_stops_the_decision(both: Path, decide: Decide, name: str, content: bytes) -> None:
    (both / "a" / name).write_bytes(content)
    RunDirectory(both / "a").write_checksums()
    assert not decide().passed


def test_special_files_and_foreign_names_are_refused(both: Path, decide: Decide) -> None:
    run = both / "a"
    sums = (run / "SHA256SUMS").read_text()
    for line in ("00  /dev/zero", "00  ../../../secret", "00  a\0b"):
        (run / "SHA256SUMS").write_text(f"{sums}{line}\n")
        assert not decide().passed
    (run / "SHA256SUMS").write_text(sums)
    (run / "verdict.json").unlink()
    os.mkfifo(run / "verdict.json")
    assert not decide().passed


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "name", ["scenario.yaml", "run_manifest.json", "soak_one.jsonl", "metrics.csv", "checkpoints.json", "alerts.json"]
)
def test_no_command_waits_for_a_pipe_among_the_evidence(
    both: Path, decide: Decide, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (both / "a" / name).unlink()
    os.mkfifo(both / "a" / name)
    assert not decide().passed
    for words in (["verify"], ["report"], ["export", "--openmetrics"], ["watch", "--json"], ["resume"], ["incident"]):
        run_command([words[0], str(both / "a"), *words[1:]])
    run_command(["compare", str(both / "a"), str(both / "b"), "--out", str(both / "compared")])
    assert "internal error" not in capfd.readouterr().err


def test_an_event_long_after_the_end_is_none(both: Path, decide: Decide) -> None:
    run = both / "a"
    [stream] = run.glob("soak_*.jsonl")
    lines = stream.read_text().splitlines()
    at = lines[-1].split(",")[0]
    lines[-1] = lines[-1].replace(at, '{"t":8000000000000.000000')
    stream.write_text("\n".join(lines) + "\n")
    RunDirectory(run).write_checksums()
    assert "is long after the end of the run" in str(decide())


def test_an_incident_may_be_changed_in_its_fields_only(tmp_path: Path) -> None:
    run = soak(tmp_path / "run", "aborted", more=ABORT)
    incident = run / "incident.md"
    incident.write_text(incident.read_text().replace("*to be filled in*", "The disk was full."))
    assert run_command(["verify", str(run)]) == 0
    incident.write_text(incident.read_text().replace("accepted tasks", "accepted and 7 more tasks"))
    assert run_command(["verify", str(run)]) == 3


def test_a_template_cannot_change_what_others_are_rendered_from(tmp_path: Path) -> None:
    run = soak(tmp_path / "run", "late", limit="1ms")
    (tmp_path / "evil.md").write_text("{% set _ = verdict.reasons.clear() %}{% set _ = verdict.objectives.clear() %}")
    before = (run / "report.html").read_bytes()
    assert run_command(["report", str(run), "--template", str(tmp_path / "evil.md")]) == 2
    assert (run / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ["baseline", "RUN", "RUN/verdict.json"],
        ["export", "RUN", "--openmetrics", "--out", "RUN/soak_one.jsonl"],
        ["monitoring", "RUN/scenario.yaml", "--out", "RUN"],
        ["monitoring", "RUN/scenario.yaml", "--out", "RUN/plots"],
    ],
)
def test_no_command_writes_into_evidence(both: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    run = both / "a"
    assert run_command([word.replace("RUN", str(run)) for word in words]) == 2
    assert "is inside the run directory" in capsys.readouterr().err
    assert run_command(["verify", str(run)]) == 0


def test_what_is_edited_is_compared_with_nothing(both: Path, tmp_path: Path) -> None:
    run = both / "a"
    (run / "verdict.json").write_text((run / "verdict.json").read_text().replace('"latency_p95": ', '"latency_p95": 1'))
    assert run_command(["compare", str(both / "b"), str(run), "--out", str(tmp_path / "out")]) == 5
    assert run_command(["baseline", str(run), str(tmp_path / "base.json")]) == 5
    assert not (tmp_path / "base.json").exists()


def test_a_former_name_of_a_target_is_the_target(both: Path, decide: Decide, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not decide(", target: model").passed
    monkeypatch.setitem(FORMER_TARGETS, "model", "simulation")
    assert decide(", target: model").passed


def test_a_percentile_is_compared_where_the_scenario_names_it(tmp_path: Path, decide: Decide) -> None:
    soak(tmp_path / "runs" / "a", "one", more="slis: {fast: {share: {of: latency, below: 1h}}}")
    named = textwrap.dedent(SCENARIO).replace("slos: [", "slos: [latency_p90 <= 1h, latency_share_below(1h) >= 50%, ")
    path = tmp_path / "two.yaml"
    path.write_text(named.format(name="two", limit="1h", more=""))
    run_command(["run", str(path), "--out", str(tmp_path / "runs" / "b")])
    asked = ", slis: [latency_p90 <= 1h, latency_share_below(1h) >= 50%]"
    assert list(wrong(decide(asked))) == ["soaks", "soaks runs/a"]
    found = wrong(decide(", slis: [latency_p90 <= 1ms]"))
    assert "names no latency_p90" in found["soaks runs/a"]
    assert found["soaks runs/b"].startswith("latency_p90 <= 1ms: ")


def test_a_run_with_warnings_can_be_refused(tmp_path: Path, decide: Decide) -> None:
    for folder, name in (("a", "one"), ("b", "two")):
        path = tmp_path / f"{name}.yaml"
        text = textwrap.dedent(SCENARIO).replace(
            "latency_p95 <= {limit}", '{{objective: latency_p95 <= 1h, warn: "<= {limit}"}}'
        )
        path.write_text(text.format(name=name, limit="1ms" if name == "one" else "59m", more=""))
        assert run_command(["run", str(path), "--out", str(tmp_path / "runs" / folder)]) == 0
    assert decide().passed
    decision = decide(", warnings: false")
    assert not decision.passed
    assert list(wrong(decision)) == ["soaks", "soaks runs/a"]
    assert "one has warnings: objective latency_p95 <= 1h holds, but not <= 1ms" in wrong(decision)["soaks runs/a"]
    assert "warning: objective latency_p95" in (tmp_path / "runs" / "a" / "soak_summary.md").read_text()
    assert "with 1 warning" in (tmp_path / "runs" / "a" / "junit.xml").read_text()
