"""Reviews lie beside the sealed evidence, say which evidence they are of, and are in the report."""

import hashlib
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from soak.reports.reviews import read_reviews
from soak.runner.cli import run_command
from soak.runner.evidence.directory import CHECKSUMS, RunDirectory
from soak.runner.evidence.reviews import LONGEST_NOTE, Given, add_review
from soak.schemas.errors import EvidenceError, SoakError, UsageError
from soak.schemas.evidence.reviews import FILE, Opinion, Standing, evidence_hash, latest_decisions
from soak.schemas.language.schema import read_schema

pytestmark = pytest.mark.usefixtures("undrawn")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Capture = pytest.CaptureFixture[str]


def give(run: RunDirectory, by: str = "Ann Lee", decision: Opinion = Opinion.ACCEPTED, *notes: str) -> None:
    add_review(run, Given(by, "qa", decision, notes), NOON)


def standings(run: RunDirectory) -> list[Standing]:
    return [each.standing for each in read_reviews(run.path)]


def test_a_review_says_who_when_what_and_of_which_evidence(run: RunDirectory) -> None:
    sums = run.read(CHECKSUMS)
    add_review(
        run, Given(" Ann  Lee ", "qa", Opinion.ACCEPTED, ["fine", "slow here"], "latency_p95 <= 10m", 600.0), NOON
    )
    found = json.loads(run.read(FILE))
    notes = [{"text": text, "objective": "latency_p95 <= 10m", "at_s": 600.0} for text in ("fine", "slow here")]
    kept = [line for line in sums.decode().splitlines(keepends=True) if "report.html" not in line]
    kept = [line for line in kept if "soak_summary.md" not in line and "plots/" not in line]
    assert len(kept) < len(sums.splitlines())
    assert found == {
        "schema_version": 1,
        "reviews": [
            {
                "by": "Ann Lee",
                "role": "qa",
                "at": "2026-03-01T12:00:00Z",
                "decision": "accepted",
                "evidence_sha256": hashlib.sha256("".join(kept).encode()).hexdigest(),
                "checksums_sha256": hashlib.sha256(sums).hexdigest(),
                "notes": notes,
            }
        ],
    }
    assert not list(Draft202012Validator(read_schema("reviews")).iter_errors(found))


def test_the_hash_is_that_of_the_command_in_the_documentation(run: RunDirectory) -> None:
    command = r"grep -vE '  (plots/.*|.*\.(md|html))$' SHA256SUMS | sha256sum"
    assert command in (Path(__file__).parents[3] / "docs" / "evidence.md").read_text()
    done = subprocess.run(["sh", "-c", command], cwd=run.path, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == evidence_hash(run.read(CHECKSUMS))


def test_a_review_does_not_change_the_sealed_evidence(run: RunDirectory, capsys: Capture) -> None:
    sums = run.read(CHECKSUMS)
    give(run)
    give(run, "Bo", Opinion.NOTED, "seen")
    run.write(f"{FILE}.asc", "a signature")
    assert run.read(CHECKSUMS) == sums
    assert run_command(["verify", str(run.path)]) == 0
    assert "other evidence" not in capsys.readouterr().out
    assert [each.review.by for each in read_reviews(run.path)] == ["Ann Lee", "Bo"]


def test_rendering_the_report_again_keeps_reviews_of_this_evidence(run: RunDirectory) -> None:
    give(run, "Ann", Opinion.REJECTED, "see <b>this</b> | `that`")
    assert standings(run) == [Standing.EXACT]
    assert run_command(["report", str(run.path)]) == 0
    assert standings(run) == [Standing.RENDERED]
    assert run_command(["verify", str(run.path)]) == 0
    page, summary = run.read("report.html").decode(), run.read("soak_summary.md").decode()
    assert "see &lt;b&gt;this&lt;/b&gt; | `that`" in page
    assert "rejected" in page
    assert (
        r"| rejected | Ann (qa) | 2026-03-01T12:00:00Z, of this evidence | see &lt;b>this&lt;/b> \| `that` |" in summary
    )


def test_a_review_of_other_evidence_is_named_and_counts_for_nothing(run: RunDirectory, capsys: Capture) -> None:
    give(run)
    verdict = run.read("verdict.json").decode()
    run.write("verdict.json", verdict + "\n")
    run.write_checksums(only=["verdict.json"])
    assert standings(run) == [Standing.OTHER]
    assert run_command(["verify", str(run.path)]) == 0
    assert "review by Ann Lee (qa) of 2026-03-01T12:00:00Z is of other evidence" in capsys.readouterr().out
    run_command(["verify", str(run.path), "--json"])
    assert len(json.loads(capsys.readouterr().out)["reviews"]) == 1


def test_a_report_without_reviews_has_lines_to_sign(run: RunDirectory) -> None:
    page = run.read("report.html").decode().lower()
    assert all(word in page for word in ("reviewed by", "signature", "soak review . --accept"))
    assert "Reviews" not in run.read("soak_summary.md").decode()


@pytest.mark.parametrize("decision", list(Opinion))
def test_evidence_that_was_changed_is_not_accepted(run: RunDirectory, decision: Opinion) -> None:
    run.write("metrics.csv", run.read("metrics.csv") + b"\n")
    if decision is Opinion.ACCEPTED:
        with pytest.raises(EvidenceError, match=r"not as it was sealed: metrics\.csv was changed"):
            give(run, "Ann", decision, "seen")
    else:
        give(run, "Ann", decision, "seen")
    assert run.file(FILE).exists() == (decision is not Opinion.ACCEPTED)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (Given("", None, Opinion.ACCEPTED, []), "--by '' is not a line"),
        (Given("A\x1b[2J", None, Opinion.ACCEPTED, []), "is not a line of 1 to 200 characters"),
        (Given("A" * 201, None, Opinion.ACCEPTED, []), "is not a line of 1 to 200 characters"),
        (Given("Ann", "\u202e", Opinion.ACCEPTED, []), "--role"),
        (Given("Ann", None, Opinion.NOTED, [" "]), "a note is empty"),
        (Given("Ann", None, Opinion.NOTED, ["x" * (LONGEST_NOTE + 1)]), "a note of 100,001 characters is too long"),
        (Given("Ann", None, Opinion.NOTED, ["x"], "latency_p95 <= 10"), "did you mean 'latency_p95 <= 10m'"),
        (Given("Ann", None, Opinion.NOTED, ["x"], None, 1e9), "the run ended at"),
    ],
)
def test_what_cannot_be_a_review_is_refused(run: RunDirectory, given: Given, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        add_review(run, given, NOON)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not run.file(FILE).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 99_999,
        b"\xff",
        b"[]",
        b'{"schema_version": 2, "reviews": []}',
        b'{"schema_version": 1, "reviews": [{}]}',
        b'{"schema_version": 1, "reviews": null}',
        b'{"schema_version":1,"reviews":[{"by":"A","role":null,"at":"today","decision":"accepted","evidence_sha256":"",'
        b'"checksums_sha256":"","notes":[]}]}',
    ],
)
def test_reviews_that_cannot_be_read_are_kept_and_named(run: RunDirectory, content: bytes, capsys: Capture) -> None:
    run.write(FILE, content)
    with pytest.raises(SoakError, match=r"reviews\.json"):
        give(run)
    assert run.read(FILE) == content
    assert run_command(["review", str(run.path)]) == 5
    assert run_command(["report", str(run.path)]) == 0
    assert "The reviews cannot be read" in run.read("report.html").decode()
    assert run_command(["verify", str(run.path)]) == 0
    assert "internal error" not in capsys.readouterr().err


def test_a_run_that_has_not_ended_is_not_reviewed(run: RunDirectory) -> None:
    run.file(CHECKSUMS).unlink()
    with pytest.raises(EvidenceError, match="has no SHA256SUMS: the run has not ended"):
        give(run)


def test_the_last_decision_of_a_person_counts(run: RunDirectory) -> None:
    for by, decision in (
        ("Ann", Opinion.REJECTED), ("Bo", Opinion.ACCEPTED), ("ann ", Opinion.ACCEPTED), ("Bo", Opinion.NOTED),
    ):  # fmt: skip
        give(run, by, decision, "seen")
    decided = latest_decisions(each.review for each in read_reviews(run.path))
    assert [(each.by, each.decision) for each in decided] == [("Bo", Opinion.ACCEPTED), ("ann", Opinion.ACCEPTED)]


def test_the_command_adds_and_shows(run: RunDirectory, tmp_path: Path, capsys: Capture) -> None:
    place = str(run.path)
    assert run_command(["review", place]) == 0
    assert "no review" in capsys.readouterr().out
    (tmp_path / "note.txt").write_text("from a file\n::error ::of two lines\n")
    words = ["--by", "Ann", "--reject", "--note-file", str(tmp_path / "note.txt"), "--at", "12m", "--note", "first"]
    assert run_command(["review", place, *words]) == 0
    assert capsys.readouterr().out.startswith("rejected by Ann, of the evidence ")
    assert run_command(["review", place]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].endswith("rejected  by Ann, of this evidence")
    assert shown[1:] == ["    | at 12m: first", "    | at 12m: from a file", "    | ::error ::of two lines"]
    assert run_command(["review", place, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["reviews"]
    assert (row["by"], row["standing"], row["notes"][0]["at_s"]) == ("Ann", "of this evidence", 720.0)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--accept", "--reject"], "exclude each other"),
        (["--by", "Ann"], "a review needs a decision or a note"),
        (["--at", "1h", "--accept"], "say what a note is about"),
        (["--at", "soon", "--note", "x"], "is not a moment"),
        (["--note-file", "nowhere.txt"], "nowhere.txt: No such file"),
    ],
)
def test_wrong_usage_is_refused(run: RunDirectory, words: list[str], what: str, capsys: Capture) -> None:
    assert run_command(["review", str(run.path), *words]) == 2
    assert what in capsys.readouterr().err
    assert not run.file(FILE).exists()


def test_the_name_is_that_of_git(run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("git") is None:
        pytest.skip("no git here")
    (tmp_path / "config").write_text("[user]\n\tname = Cleo Dee\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    assert run_command(["review", str(run.path), "--accept"]) == 0
    assert read_reviews(run.path)[0].review.by == "Cleo Dee"
