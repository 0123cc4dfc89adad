"""Runs that earlier releases made (tests/evidence): read, reported, compared and gated; what cannot be is refused in words."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from soak.reports.data import read_run
from soak.runner.cli import run_command
from soak.runner.evidence.directory import ALERTS, CHECKPOINTS, MANIFEST, VERDICT
from soak.runner.evidence.origin import KINDS
from soak.runner.evidence.stream import StreamReader
from soak.runner.gate.session import decide_gate
from soak.runner.incident import EMPTY
from soak.schemas.errors import EvidenceError, VersionError
from soak.schemas.evidence.changes import Baseline
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.upgrades import ADDED, FORMATS, STREAM
from soak.schemas.evidence.verdict import Alerts, Checkpoints, Outcome, Verdict
from soak.schemas.evidence.versions import brought_up, decode_evidence, version_of
from soak.schemas.language.gate import load_gate
from soak.schemas.language.schema import read_schema
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

EVIDENCE = Path(__file__).resolve().parents[2] / "evidence"
TOO_OLD = EVIDENCE / "v1-early" / "broken"
RUNS = sorted(path.parent for path in EVIDENCE.rglob(VERDICT) if path.parent != TOO_OLD)
EARLIER = [run for run in RUNS if run.parent.name != "v4"]
SCHEMAS = {VERDICT: "verdict", ALERTS: "alerts", CHECKPOINTS: "checkpoints", MANIFEST: "run_manifest"}
OUTCOMES = {"brief": "PASS", "client": "PASS", "real": "PASS", "broken": "FAIL", "collapse": "ABORTED"}
SEEDS = {"brief": "7", "client": "3"}
Capture = pytest.CaptureFixture[str]


def name_of(run: Path) -> str:
    return run.relative_to(EVIDENCE).as_posix()


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a run of before, to be worked on."""
    return Path(shutil.copytree(request.param, tmp_path / "runs" / request.param.name))


def every(runs: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("run", runs, ids=name_of, indirect=True)


def seal(run: Path) -> None:
    """Give every file that SHA256SUMS lists the hash that it has now."""
    names = [line.split("  ", 1)[1] for line in (run / "SHA256SUMS").read_text().splitlines()]
    lines = [f"{hashlib.sha256((run / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (run / "SHA256SUMS").write_text("".join(lines))


def edit(path: Path, **changed: Any) -> None:
    """Set keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}, indent=2))


def versions(name: str) -> set[int]:
    return {version_of((run / name).read_bytes()) for run in [*RUNS, TOO_OLD]}


# Which versions there are.


def test_there_is_evidence_of_every_version() -> None:
    for name, kind in KINDS.items():
        assert versions(name) == set(range(1, FORMATS[kind].version + 1)), name
    streams = {version_of(next(run.glob("soak_*.jsonl")).read_bytes().splitlines()[0]) for run in RUNS}
    assert streams == set(range(1, STREAM.version + 1))


def test_there_is_a_step_from_every_version() -> None:
    for kind, form in [*FORMATS.items(), (StreamReader, STREAM)]:
        assert set(form.steps) == set(range(1, form.version)), kind


def test_what_was_added_may_be_missing() -> None:
    for kind, added in ADDED.items():
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        assert {name for name in added if fields[name].required} == set(), kind


# Reading.


@pytest.mark.parametrize("run", RUNS, ids=name_of)
@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_before_is_brought_up_to_the_schema_of_today(run: Path, name: str) -> None:
    content, kind = (run / name).read_bytes(), KINDS[name]
    document = brought_up(msgspec.json.decode(content), FORMATS[kind], name)
    assert list(Draft202012Validator(read_schema(SCHEMAS[name])).iter_errors(document)) == []
    assert decode_evidence(content, kind, name) == msgspec.convert(document, kind)


@pytest.mark.parametrize("run", RUNS, ids=name_of)
def test_nothing_that_was_said_is_changed(run: Path) -> None:
    for name, kind in KINDS.items():
        before = json.loads((run / name).read_text())
        after = brought_up(json.loads((run / name).read_text()), FORMATS[kind], name)
        assert {key: after[key] for key in before if key not in {"schema_version", "objectives"}} == {
            key: before[key] for key in before if key not in {"schema_version", "objectives"}
        }
        for old, new in zip(before.get("objectives", []), after.get("objectives", []), strict=True):
            assert new == {"note": "", **old}


def test_a_run_without_a_speed_had_the_simulated_clock() -> None:
    content = (TOO_OLD / MANIFEST).read_bytes()
    assert "speed" not in msgspec.json.decode(content)
    assert decode_evidence(content, Manifest, MANIFEST).speed == 1.0
    with pytest.raises(VersionError, match="not recorded yet: speed"):
        decode_evidence(content.replace(b'"simulated"', b'"real"'), Manifest, MANIFEST)


def test_an_added_field_is_no_new_version() -> None:
    content = (EVIDENCE / "v4" / "broken" / VERDICT).read_bytes()
    later = content.replace(b"{", b'{"added_later": {"a": 1},', 1)
    assert decode_evidence(later, Verdict, VERDICT) == decode_evidence(content, Verdict, VERDICT)
    assert decode_evidence(content, Verdict, VERDICT).typed_reasons == []


@pytest.mark.parametrize("kind", [Verdict, Alerts, Checkpoints, Manifest, Baseline])
@pytest.mark.parametrize(("version", "age"), [(0, "an older"), (-3, "an older"), (99, "a newer")])
def test_other_versions_are_refused_in_words(kind: type, version: int, age: str) -> None:
    with pytest.raises(VersionError, match=f"is of version {version}, made by {age} release .*use that release"):
        decode_evidence(b'{"schema_version": %d}' % version, kind, "file.json")


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("rest", ["", ', "objectives": 3, "resumes": {}, "deferred": 1', ', "checkpoints": [3]'])
@pytest.mark.parametrize("kind", [Verdict, Alerts, Checkpoints, Manifest])
def test_damaged_evidence_of_before_is_an_evidence_error(kind: type, version: int, rest: str) -> None:
    with pytest.raises(EvidenceError, match=r"file\.json: "):
        decode_evidence(f'{{"schema_version": {version}{rest}}}'.encode(), kind, "file.json")


def test_a_resumed_run_of_version_3_is_refused() -> None:
    document = json.loads((EVIDENCE / "v3" / "brief" / VERDICT).read_text())
    document["resumes"] = [{"at_s": 60.0, "gap_s": 30.0}]
    with pytest.raises(VersionError, match=r"version 3, .*does not tell its pause from its gap \(use that release\)"):
        decode_evidence(json.dumps(document).encode(), Verdict, VERDICT)


# The stream.

HEADER = {
    "type": "stream.header", "schema_version": 1, "scenario": "s", "scenario_sha256": "0" * 64, "seed": 1,
    "target": "simulation", "clock": "simulated", "abort": True, "speed": 1.0,
}  # fmt: skip


def read_stream(path: Path, *events: dict[str, Any]) -> Iterator[str]:
    """The names in the events of a stream of version 1."""
    lines = [HEADER, *({"t": float(number), **event} for number, event in enumerate(events))]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    vocabulary = Vocabulary()
    for block in StreamReader(path, vocabulary).blocks():
        yield from (vocabulary.names[int(value)] for value in block.value)


def exited(**more: Any) -> dict[str, Any]:
    return {"type": "process.exited", **more}


def started(**more: Any) -> dict[str, Any]:
    return {"type": "process.started", **more}


def test_processes_of_version_1_get_a_name(tmp_path: Path) -> None:
    path = tmp_path / "soak_s.jsonl"
    worker = [exited(worker=3, fault="crash"), started(worker=3)]
    assert list(read_stream(path, *worker)) == ["w3", "w3"]
    # One that is gone without a number is called by its fault; what is back then is that one.
    apart = [exited(fault="a"), started(), exited(fault="b"), exited(worker=0), started(worker=0), started()]
    assert list(read_stream(path, *apart)) == ["a", "a", "b", "w0", "w0", "b"]
    assert list(read_stream(path, exited(), started(), started())) == ["process"] * 3


def test_a_real_run_of_before_names_the_process_by_its_fault() -> None:
    vocabulary = Vocabulary()
    reader = StreamReader(EVIDENCE / "v3" / "real" / "soak_real.jsonl", vocabulary)
    kinds = (Kind.PROCESS_EXITED, Kind.PROCESS_STARTED)
    moved = [(block.kind[at], block.value[at]) for block in reader.blocks() for at in range(len(block))]
    assert [vocabulary.names[int(value)] for kind, value in moved if kind in kinds] == ["dispatcher-dies"] * 2


def test_a_process_that_may_be_one_of_two_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "soak_s.jsonl"
    with pytest.raises(VersionError, match=rf"{path}:4: process\.started of a stream of version 1 .*use the release"):
        list(read_stream(path, exited(fault="a"), exited(fault="b"), started()))


def test_a_resumed_stream_of_version_1_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "soak_s.jsonl"
    with pytest.raises(VersionError, match=rf"{path}:2: run\.resumed of a stream of version 1"):
        list(read_stream(path, {"type": "run.resumed", "gap": 5.0}))
    list_of_both = [{"type": "run.paused", "pause": 9.0}, {"type": "run.resumed", "gap": 5.0}]
    path.write_text(
        "".join(json.dumps(line) + "\n" for line in [HEADER, *({"t": 1.0, **each} for each in list_of_both)])
    )
    [block] = StreamReader(path, Vocabulary()).blocks()
    assert block.value.tolist() == [9.0, 5.0]


# Verifying.


def verify(run: Path, capfd: Capture) -> tuple[int, dict[str, Any]]:
    """The exit code and what `soak verify --json` says."""
    capfd.readouterr()
    code = run_command(["verify", str(run), "--json"])
    return code, json.loads(capfd.readouterr().out)


def problems(said: dict[str, Any], *, other_rules: bool) -> dict[str, str]:
    found = [each for each in said["findings"] if each["problem"] and each["other_rules"] is other_rules]
    return {each["what"]: each["problem"] for each in found}


@every(RUNS)
def test_verify_recomputes_a_run_of_before(run: Path, capfd: Capture) -> None:
    code, said = verify(run, capfd)
    assert said["verdict"] == OUTCOMES[run.name]
    assert problems(said, other_rules=False) == {}
    assert code == (5 if problems(said, other_rules=True) else 0)
    assert said["other_release"].startswith("soak 0.1.0")
    # What the rules of the judge do not touch is the same to the last bit, whoever made it.
    assert {"event stream", "run_manifest.json recomputed", "alerts.json recomputed"}.isdisjoint(
        problems(said, other_rules=True)
    )


def test_verify_says_in_words_what_it_comes_to(capfd: Capture) -> None:
    assert run_command(["verify", str(EVIDENCE / "v2" / "collapse")]) == 5
    first, *_, last = capfd.readouterr().out.splitlines()
    assert first == (
        "made by soak 0.1.0 (version 2 of verdict.json, alerts.json, checkpoints.json, run_manifest.json; "
        "version 1 of the event stream); judged again by the rules of this release"
    )
    assert last.startswith("recomputed verdict: ABORTED; the hashes agree; ")
    assert last.endswith("(verify it with the one that made it)")


@every(EARLIER)
def test_a_changed_file_differs_whoever_made_the_run(run: Path, capfd: Capture) -> None:
    edit(run / VERDICT, reasons=["none"])
    code, said = verify(run, capfd)
    assert (code, problems(said, other_rules=False)) == (3, {VERDICT: "was changed: its hash differs"})


@every([run for run in EARLIER if run.name == "broken"])
def test_a_verdict_that_was_forged_and_sealed_is_no_silent_pass(run: Path, capfd: Capture) -> None:
    edit(run / VERDICT, verdict="PASS", reasons=[])
    seal(run)
    code, said = verify(run, capfd)
    assert code == 5
    told = problems(said, other_rules=True)["verdict.json recomputed"]
    assert told.startswith('verdict is "PASS", but the stream gives "FAIL" (made by soak 0.1.0, whose rules ')


@every(EARLIER)
def test_a_damaged_stream_differs_whoever_made_the_run(run: Path, capfd: Capture) -> None:
    stream = next(run.glob("soak_*.jsonl"))
    stream.write_bytes(stream.read_bytes().replace(b'"type":"task.done"', b'"type":"task.gone"', 1))
    seal(run)
    code, said = verify(run, capfd)
    assert code == 3
    assert "task.gone" in problems(said, other_rules=False)["event stream"]


def test_a_run_that_was_sealed_by_this_release_has_no_other_rules(tmp_path: Path, capfd: Capture) -> None:
    scenario = EVIDENCE / "v4" / "broken" / "scenario.yaml"
    out = tmp_path / "run"
    run_command(["run", str(scenario), "--out", str(out)])
    code, said = verify(out, capfd)
    assert (code, said["agrees"], said["other_release"]) == (0, True, None)
    # What this release writes may not be missing, also where earlier ones did not write it.
    document = json.loads((out / VERDICT).read_text())
    for field in ("typed_reasons", "laws"):
        (out / VERDICT).write_text(json.dumps({key: value for key, value in document.items() if key != field}))
        seal(out)
        assert verify(out, capfd)[0] == 3, field
    edit(out / VERDICT, verdict="PASS")
    seal(out)
    code, said = verify(out, capfd)
    assert (code, list(problems(said, other_rules=False))) == (3, ["verdict.json recomputed"])


# Reporting, comparing, exporting, resuming.


@every(EARLIER)
def test_a_run_of_before_is_reported(run: Path, capfd: Capture) -> None:
    assert run_command(["report", str(run)]) == 0
    summary = (run / "soak_summary.md").read_text()
    assert summary.startswith(f"# {run.name}: {OUTCOMES[run.name]}")
    assert "recorded by an earlier release: queue depth and busy workers are samples" in summary
    assert "Made by an earlier release" in (run / "report.html").read_text()
    # The hashes hold for what was written anew.
    assert problems(verify(run, capfd)[1], other_rules=False) == {}


def test_a_run_of_today_does_not_speak_of_earlier_releases(tmp_path: Path) -> None:
    run = Path(shutil.copytree(EVIDENCE / "v4" / "brief", tmp_path / "run"))
    assert run_command(["report", str(run)]) == 0
    assert "earlier release" not in (run / "soak_summary.md").read_text() + (run / "report.html").read_text()


@pytest.mark.parametrize("run", EARLIER, ids=name_of)
def test_an_sli_that_came_later_is_not_known(run: Path) -> None:
    data, said = read_run(run), json.loads((run / VERDICT).read_text())["slis"]
    assert data.verdict.slis == {name: said.get(name) for name in data.scenario.slis}
    assert (set(data.scenario.slis) > set(said)) is (run.name != "client")
    assert data.metrics.sampled
    assert np.isnan(data.metrics.get("queue_depth_max")).all()
    assert not data.metrics.get("skipped_by_none").any()


@pytest.mark.parametrize("run", [run for run in EARLIER if run.name in {"brief", "client"}], ids=name_of)
def test_a_run_of_before_is_compared_with_one_of_today(run: Path, tmp_path: Path, capfd: Capture) -> None:
    out, today = tmp_path / "out", tmp_path / "today"
    assert run_command(["run", str(run / "scenario.yaml"), "--seed", SEEDS[run.name], "--out", str(today)]) == 0
    capfd.readouterr()
    assert run_command(["compare", str(run), str(today), "--out", str(out)]) == 0
    told = capfd.readouterr()
    assert "NOT COMPARABLE" in told.out
    changes = json.loads((out / "changes.json").read_text())
    assert any(each.startswith("judged by soak 0.1.0") for each in changes["different"])
    assert changes["tasks"]["alike"] == 1.0
    assert run_command(["baseline", str(run), str(tmp_path / "base.json")]) == 0
    assert json.loads((tmp_path / "base.json").read_text())["verdict"] == "PASS"


@pytest.mark.parametrize("run", EARLIER, ids=name_of)
def test_a_run_of_before_is_exported(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "metrics.om"
    assert run_command(["export", str(run), "--openmetrics", "--out", str(out)]) == 0
    assert out.read_text().endswith("# EOF\n")


def test_a_run_that_an_earlier_release_began_is_not_resumed(tmp_path: Path, capfd: Capture) -> None:
    run = Path(shutil.copytree(EVIDENCE / "v3" / "brief", tmp_path / "run"))
    (run / "SHA256SUMS").unlink()
    assert run_command(["resume", str(run)]) == 2
    assert (
        "its stream is of version 1, made by an earlier release (resume it with that release)" in capfd.readouterr().err
    )


# Gates.

GATE = """
version: 1
name: test
evidence: {{clean_tree: false, one_commit: false, recompute: {recompute}}}
rules:
  - name: soaks
    runs: {{in: runs/*}}
"""


def gate(tmp_path: Path, *, recompute: bool, text: str = GATE) -> tuple[bool, str]:
    """Whether a gate lets the runs pass, and what it says against them."""
    path = tmp_path / "gate.yaml"
    path.write_text(text.format(recompute=str(recompute).lower()))
    decision = decide_gate(load_gate(path), tmp_path)
    checks = [check for rule in (*decision.rules, *decision.evidence) for check in rule.checks if not check.ok]
    return decision.passed, "; ".join(check.detail for check in checks)


@every(EARLIER)
def test_a_gate_goes_by_what_can_be_confirmed(run: Path, tmp_path: Path) -> None:
    passed, why = gate(tmp_path, recompute=True)
    assert not passed
    assert "whose rules may differ); evidence: {recompute: false} goes by the hashes" in why
    passed, why = gate(tmp_path, recompute=False)
    assert passed is (OUTCOMES[run.name] == Outcome.PASS), why


@every([run for run in EARLIER if run.name == "brief"])
def test_a_gate_refuses_a_run_of_before_that_was_changed(run: Path, tmp_path: Path) -> None:
    edit(run / VERDICT, ended_s=1.0)
    passed, why = gate(tmp_path, recompute=False)
    assert (passed, why) == (False, "verdict.json was changed: its hash differs")


def test_an_incident_of_before_may_be_filled_in(tmp_path: Path, capfd: Capture) -> None:
    run = Path(shutil.copytree(EVIDENCE / "v2" / "collapse", tmp_path / "runs" / "run"))
    incident, accepted = run / "incident.md", GATE.replace("runs/*", "runs/*, verdicts: [ABORTED]")
    empty = incident.read_text()
    assert "is not filled in: Mitigation, Root cause, Prevention" in gate(tmp_path, recompute=False, text=accepted)[1]
    incident.write_text(empty.replace(EMPTY, "The upstream was\nrolled back.\n"))
    assert problems(verify(run, capfd)[1], other_rules=False) == {}
    assert gate(tmp_path, recompute=False, text=accepted) == (True, "")
    incident.write_text(empty.replace(EMPTY, "Done.").replace("run.aborted", "run.ended"))
    assert problems(verify(run, capfd)[1], other_rules=False) == {"incident.md": "was changed outside its fields"}


# What cannot be read.


@pytest.mark.parametrize("command", ["report", "compare", "baseline"])
def test_what_was_not_recorded_is_refused_in_words(command: str, tmp_path: Path, capfd: Capture) -> None:
    run = Path(shutil.copytree(TOO_OLD, tmp_path / "runs" / "run"))
    more = {"report": [], "compare": [str(run), "--out", str(tmp_path / "o")], "baseline": [str(tmp_path / "b.json")]}
    assert run_command([command, str(run), *more[command]]) == 5
    said = capfd.readouterr().err
    assert "verdict.json: is of version 1, made by an older release, and cannot be brought up" in said
    assert "not recorded yet: deferred, load, resumes, slowest, growths (use that release)" in said
    passed, why = gate(tmp_path, recompute=False)
    assert (passed, "cannot be brought up" in why) == (False, True)
    # Its stream can be judged all the same.
    code, found = verify(run, capfd)
    assert (code, found["verdict"], problems(found, other_rules=False)) == (5, "FAIL", {})
