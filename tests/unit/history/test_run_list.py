"""`soak list`: what is read of a folder of runs, what is wrong with the others, and what is shown."""

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from run_folders import run_folder, seal, write

from soak.reports.run_history.listing import (
    BARS,
    counts_in_words,
    list_lines,
    margin_words,
    smallest_margin,
    sparklines,
)
from soak.runner.cli import run_command
from soak.runner.history.folder import Filter, read_runs
from soak.runner.margin_bar import used
from soak.schemas.evidence.runs import RunRow, RunState
from soak.schemas.evidence.verdict import Outcome, Verdict
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.margins import relative_margin

EVIDENCE = Path(__file__).resolve().parents[2] / "evidence"


def started(hour: int) -> str:
    return f"2026-03-01T{hour:02}:00:00Z"


def only(folder: Path) -> RunRow:
    (row,) = read_runs(folder)
    return row


# What is read.


def test_a_run_is_read_from_its_verdict_and_its_manifest(tmp_path: Path) -> None:
    git = {"sha": "1234567890abcdef", "dirty": True}
    run_folder(tmp_path / "one", values={"latency_p95": 450.0}, started_at=started(1), git=git, seed=9)
    row = only(tmp_path)
    assert (row.path, row.state, row.problem) == ("one", RunState.PASS, "")
    assert (row.scenario, row.target, row.seed, row.started_at) == ("brief", "simulation", 9, started(1))
    assert (row.commit, row.dirty, row.length_s) == ("1234567890abcdef", True, 1200.0)
    assert [each.objective for each in row.objectives] == [
        "success_rate >= 90%",
        "latency_p95 <= 10m",
        "duplicate_executions == 0",
    ]
    assert row.tightest is not None
    assert (row.tightest.sli, row.tightest.relative_margin) == ("latency_p95", 0.25)


def test_runs_are_the_newest_first_and_found_in_folders_below(tmp_path: Path) -> None:
    for hour, name in ((3, "a"), (5, "deep/er/b"), (1, "c")):
        run_folder(tmp_path / name, started_at=started(hour))
    assert [row.path for row in read_runs(tmp_path)] == ["deep/er/b", "a", "c"]
    assert only(tmp_path / "a").path == "."


def test_the_stream_is_never_opened(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "one")
    os.mkfifo(folder / "soak_brief.jsonl")
    assert only(tmp_path).state is RunState.PASS


def test_evidence_of_every_version_is_listed() -> None:
    rows = {row.path: row for row in read_runs(EVIDENCE)}
    assert {path for path, row in rows.items() if not row.state.judged} == {"v1-early/broken"}
    early = rows["v1-early/broken"]
    assert early.state is RunState.UNSUPPORTED
    assert "version 1" in early.problem
    assert early.scenario == "broken"
    assert rows["v1/brief"].objectives == rows["v4/brief"].objectives


def test_a_state_is_a_verdict_or_says_why_there_is_none() -> None:
    assert {each.value for each in RunState if each.judged} == {each.value for each in Outcome}


# What cannot be read.


def test_what_is_damaged_is_listed_with_the_reason_and_stops_nothing(tmp_path: Path) -> None:
    run_folder(tmp_path / "good")
    write(run_folder(tmp_path / "cut"), "verdict.json", '{"schema_version": 4, "verd')
    seal(tmp_path / "cut")
    write(run_folder(tmp_path / "edited"), "verdict.json", (tmp_path / "good/verdict.json").read_text() + " ")
    (run_folder(tmp_path / "gone") / "verdict.json").unlink()
    write(run_folder(tmp_path / "binary"), "run_manifest.json", "\0\1")
    write(run_folder(tmp_path / "deep"), "run_manifest.json", "[" * 100_000)
    (run_folder(tmp_path / "a folder") / "verdict.json").unlink()
    (tmp_path / "a folder" / "verdict.json").mkdir()
    run_folder(tmp_path / "undated", started_at="yesterday")
    found = {row.path: row for row in read_runs(tmp_path)}
    assert {path for path, row in found.items() if row.state is RunState.DAMAGED} == found.keys() - {"good"}
    assert "verdict.json was changed after the run" in found["edited"].problem
    assert found["gone"].problem == "verdict.json is missing"
    assert found["gone"].scenario == "brief"
    assert found["a folder"].problem == "verdict.json is not a regular file"
    assert "started_at" in found["undated"].problem


def test_files_that_contradict_each_other_are_damaged(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "one")
    other = json.loads((folder / "run_manifest.json").read_text()) | {"seed": 8}
    write(folder, "run_manifest.json", json.dumps(other))
    seal(folder)
    assert only(tmp_path).problem == "run_manifest.json and verdict.json contradict each other: seed"


def test_a_version_to_come_is_not_supported(tmp_path: Path) -> None:
    run_folder(tmp_path / "one", schema_version=99)
    assert only(tmp_path).state is RunState.UNSUPPORTED
    assert "newer release" in only(tmp_path).problem


def test_a_run_that_has_not_ended_is_running_or_incomplete(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "one", verdict=None)
    (folder / "verdict.json").unlink()
    assert only(tmp_path).state is RunState.INCOMPLETE
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert only(tmp_path).state is RunState.RUNNING
    finally:
        os.close(descriptor)
    assert only(tmp_path).state is RunState.INCOMPLETE


def test_evidence_that_was_never_sealed_is_incomplete(tmp_path: Path) -> None:
    (run_folder(tmp_path / "one") / "SHA256SUMS").unlink()
    assert only(tmp_path).state is RunState.INCOMPLETE


def test_other_folders_are_foreign_and_hidden_ones_left_out(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / ".cache").mkdir()
    (tmp_path / "note.txt").write_text("")
    assert only(tmp_path).state is RunState.FOREIGN
    assert only(tmp_path).path == "photos"


def test_an_analysis_is_foreign_and_a_run_without_its_manifest_damaged(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "one")
    (folder / "scenario.yaml").write_text("")
    (folder / "soak_72h.jsonl").write_text("")
    (folder / "run_manifest.json").unlink()
    assert only(tmp_path).state is RunState.DAMAGED
    (folder / "verdict.json").unlink()
    assert only(tmp_path).state is RunState.DAMAGED
    (folder / "soak_72h.jsonl").rename(folder / "replications.csv")
    assert only(tmp_path).state is RunState.FOREIGN


def test_links_in_circles_end(tmp_path: Path) -> None:
    run_folder(tmp_path / "a" / "one")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    assert [row.path for row in read_runs(tmp_path)] == ["a/one"]


def test_no_run_is_listed_again_under_the_name_of_a_link(tmp_path: Path) -> None:
    run_folder(tmp_path / "runs" / "one")
    (tmp_path / "runs" / "latest").symlink_to(tmp_path / "runs" / "one")
    (tmp_path / "runs" / "all").symlink_to(tmp_path / "runs")
    (tmp_path / "runs" / "up").symlink_to(tmp_path)
    assert [row.path for row in read_runs(tmp_path / "runs")] == ["one"]


# Margins.


@pytest.mark.parametrize(
    ("op", "unit", "target", "margin", "expected"),
    [
        (Op.LE, Unit.DURATION, 120.0, 30.0, 0.25),
        (Op.LT, Unit.DURATION, 120.0, -30.0, -0.25),
        (Op.GE, Unit.RATIO, 0.75, 0.125, 0.5),
        (Op.GT, Unit.RATIO, 1.0, 0.0, None),
        (Op.LE, Unit.RATIO, 0.5, 0.25, 0.5),
        (Op.GE, Unit.RATE, 2.0, 2.0, 0.5),
        (Op.GE, Unit.RATE, 2.0, -2.0, None),
        (Op.EQ, Unit.COUNT, 0.0, 0.0, None),
        (Op.LE, Unit.COUNT, 0.0, 0.0, None),
        (Op.EQ, Unit.ANSWER, 1.0, 0.0, None),
        (Op.ABOUT, Unit.DURATION, 10.0, 1.0, 0.1),
        (Op.LE, Unit.DURATION, None, None, None),
        (Op.LE, Unit.DURATION, 1e-308, -1e308, None),
    ],
)
def test_the_relative_margin_is_the_share_of_what_is_allowed_that_is_left(
    op: Op, unit: Unit, target: float | None, margin: float | None, expected: float | None
) -> None:
    assert relative_margin(op, unit, target, margin) == expected


def test_the_relative_margin_is_what_the_bars_of_a_run_leave_over(tmp_path: Path) -> None:
    verdict = msgspec.json.decode((run_folder(tmp_path / "one") / "verdict.json").read_bytes(), type=Verdict)
    for objective, row in zip(verdict.objectives[:2], only(tmp_path).objectives, strict=False):
        share = used(objective)
        assert share is not None
        assert row.relative_margin == pytest.approx(1 - share)


def test_a_broken_objective_without_a_margin_is_the_tightest(tmp_path: Path) -> None:
    run_folder(tmp_path / "one", failed="duplicate_executions")
    row = only(tmp_path)
    assert row.tightest is not None
    assert row.tightest.sli == "duplicate_executions"
    assert smallest_margin(row) is None


@pytest.mark.parametrize(
    ("margin", "words"), [(None, ""), (0.256, "26%"), (0.012, "1.2%"), (-0.5, "-50%"), (0.0, "0%"), (1.0, "100%")]
)
def test_margins_in_words(margin: float | None, words: str) -> None:
    assert margin_words(margin) == words


# Lines.


def test_a_sparkline_is_of_the_runs_like_it_up_to_it(tmp_path: Path) -> None:
    for hour, latency in enumerate((60.0, 300.0, 540.0)):
        run_folder(tmp_path / str(hour), values={"latency_p95": latency, "success_rate": 1.0}, started_at=started(hour))
    run_folder(tmp_path / "tiered", tier="pr", started_at=started(9))
    run_folder(tmp_path / "seeded", settings=["seed=9"], values={"latency_p95": 60.0}, started_at=started(10))
    lines = sparklines(read_runs(tmp_path))
    assert lines["0"] == BARS[7]
    assert lines["2"] == BARS[7] + BARS[4] + BARS[0]
    assert lines["seeded"] == lines["2"] + BARS[7]
    assert len(lines["tiered"]) == 1


def test_lines_fit_a_narrow_terminal_and_keep_the_path(tmp_path: Path) -> None:
    run_folder(tmp_path / "one", started_at=started(1))
    rows = read_runs(tmp_path)
    wide = [line for _, line, _ in list_lines(rows, sparklines(rows), "runs", None)]
    narrow = [line for _, line, _ in list_lines(rows, sparklines(rows), "runs", 90)]
    assert "SEED" in wide[0]
    assert "SEED" not in narrow[0]
    assert all(len(line) <= 90 for line in narrow)
    assert narrow[1].startswith("PASS")
    assert narrow[1].endswith("runs/one")


def test_hostile_names_cannot_control_the_terminal(tmp_path: Path) -> None:
    run_folder(tmp_path / "one\x1b[31m", target="\x1b]0;owned\x07", started_at=started(1))
    rows = read_runs(tmp_path)
    assert all(line.isprintable() for _, line, _ in list_lines(rows, sparklines(rows), "runs", None))


# The command.


def test_filters(tmp_path: Path) -> None:
    run_folder(tmp_path / "a", scenario="checkout", started_at=started(1))
    run_folder(tmp_path / "b", target="celery", verdict="FAIL", started_at=started(2))
    (tmp_path / "c").mkdir()
    rows = read_runs(tmp_path)

    def chosen(given: Filter) -> list[str]:
        return [row.path for row in rows if given.admits(row)]

    assert chosen(Filter()) == ["b", "a", "c"]
    assert chosen(Filter(scenarios=("check*",))) == ["a"]
    assert chosen(Filter(scenarios=("Check*",))) == []
    assert chosen(Filter(targets=("celery", "x"))) == ["b"]
    assert chosen(Filter(states=(RunState.FAIL, RunState.FOREIGN))) == ["b", "c"]
    assert chosen(Filter(since=datetime(2026, 3, 1, 2, tzinfo=UTC))) == ["b"]


def test_the_command_lists_filters_and_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for hour in range(3):
        run_folder(tmp_path / str(hour), started_at=started(hour))
    assert run_command(["list", str(tmp_path), "-n", "2", "--verdict", "pass", "--since", "2026-01-01"]) == 0
    heading, *lines, last = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["VERDICT", "SCENARIO", "TARGET"]
    assert [line.rsplit("/", 1)[1] for line in lines] == ["2", "1"]
    assert last == "3 runs: 3 PASS; 1 older ones are left out (-n 0 lists all)"
    assert run_command(["list", str(tmp_path), "--json", "--scenario", "other"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run_command(["list", str(tmp_path), "--json"]) == 0
    assert [row["path"] for row in json.loads(capsys.readouterr().out)] == ["2", "1", "0"]


def test_wrong_usage_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["list", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.endswith("none: is not a directory (give a folder of runs)\n")
    assert run_command(["list", str(tmp_path), "--since", "soon"]) == 2
    assert "neither a date nor a duration" in capsys.readouterr().err
    assert run_command(["list", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "no runs\n"


def test_counts_in_words() -> None:
    states = (RunState.PASS, RunState.PASS, RunState.DAMAGED, RunState.FOREIGN)
    rows = [RunRow(str(place), state) for place, state in enumerate(states)]
    assert counts_in_words(rows) == "3 runs: 2 PASS, 1 DAMAGED; 1 other folder"
    assert counts_in_words(rows[3:]) == "no runs; 1 other folder"
    assert counts_in_words(rows[:1]) == "1 run: 1 PASS"
