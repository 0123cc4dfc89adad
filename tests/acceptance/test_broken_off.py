"""Runs that did not come to a sealed end: what there is of them is judged, and nothing is lost."""

import json
import shutil
import time
from functools import partial
from pathlib import Path

import msgspec
import pytest

from soak.runner.cli import run_command
from soak.runner.evidence.directory import RunDirectory
from soak.runner.summary import summary_lines
from soak.runner.targets import context
from soak.runner.targets.clock import Clock
from soak.schemas.evidence.verdict import End, Verdict
from soak.schemas.language.load import load

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "docs" / "examples" / "attached.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ended") / "run"
    assert run_command(["run", str(SCENARIO), "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(
    "missing", [["SHA256SUMS"], ["SHA256SUMS", "verdict.json", "alerts.json", "checkpoints.json", "report.html"]]
)
def test_a_run_that_ended_unsealed_is_judged_and_sealed(run: Path, tmp_path: Path, missing: list[str]) -> None:
    shutil.copytree(run, tmp_path / "run")
    before = (tmp_path / "run" / "verdict.json").read_bytes()
    for name in missing:
        (tmp_path / "run" / name).unlink()
    assert run_command(["verify", str(tmp_path / "run")]) == 3
    assert run_command(["resume", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "verdict.json").read_bytes() == before
    assert (tmp_path / "run" / "report.html").exists()
    assert run_command(["verify", str(tmp_path / "run")]) == 0


def test_a_sealed_run_is_not_resumed(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["resume", str(run)]) == 2
    assert "this run has ended, PASS" in capfd.readouterr().err


def test_a_target_that_fails_in_the_middle_leaves_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gives_up.py").write_text(
        "from memory_queue import MemoryQueue\n"
        "class GivesUp(MemoryQueue):\n"
        "    calls = 0\n"
        "    def complete(self, claim):\n"
        "        self.calls += 1\n"
        "        if self.calls > 20:\n"
        "            raise KeyError('no such row')\n"
        "        return super().complete(claim)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "examples"))
    monkeypatch.syspath_prepend(str(tmp_path))
    out = tmp_path / "run"
    words = ["run", str(SCENARIO), "--target", "gives_up:GivesUp", "--speed", "300", "--out", str(out)]
    assert run_command(words) == 1
    told = capfd.readouterr().err
    assert "GivesUp.complete raised KeyError: 'no such row'" in told
    assert "the run failed midway, at" in told
    verdict = json.loads((out / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["end"]) == ("INCONCLUSIVE", "cut")
    assert verdict["tasks"]["DONE"] > 10
    assert (out / "report.html").exists()
    assert run_command(["verify", str(out)]) == 3
    wrong = [line for line in capfd.readouterr().out.splitlines() if line.startswith("differs")]
    assert wrong == ["differs  event stream: is incomplete: it ends before the end of the run"]


def test_a_clock_that_is_set_back_ends_a_run_and_gives_no_verdict_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sets_the_clock.py").write_text(
        "from memory_queue import MemoryQueue\n"
        "SET_BY_S = []\n"
        "class SetsTheClock(MemoryQueue):\n"
        "    def complete(self, claim):\n"
        "        SET_BY_S.append(0.0)\n"
        "        if len(SET_BY_S) == 20:\n"
        "            SET_BY_S[0] = -3600.0\n"
        "        return super().complete(claim)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "examples"))
    monkeypatch.syspath_prepend(str(tmp_path))
    import sets_the_clock  # type: ignore[import-not-found]

    monkeypatch.setattr(context, "Clock", partial(Clock, wall=lambda: time.time() + sum(sets_the_clock.SET_BY_S)))
    out = tmp_path / "run"
    words = ["run", str(SCENARIO), "--target", "sets_the_clock:SetsTheClock", "--speed", "300", "--out", str(out)]
    assert run_command(words) == 1
    told = capfd.readouterr().err
    assert "the clock of this machine was set back by 1h during the run" in told
    verdict = json.loads((out / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["end"]) == ("INCONCLUSIVE", "cut")
    assert verdict["tasks"]["DONE"] >= 19
    assert 0 < verdict["ended_s"] < 600


def test_a_run_puts_its_summary_where_a_ci_service_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("what was there\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert run_command(["run", str(SCENARIO), "--out", str(tmp_path / "run")]) == 0
    text = summary.read_text()
    assert text.startswith(
        "what was there\n## PASS on thin evidence (1 of 9 objectives): An attached queue meets failures"
    )
    assert "| PASS | `latency_p95 <= 90s` |" in text


def interrupted(run: Path, out: Path, *, sealed: bool) -> Path:
    """A copy of a run, as if it had been interrupted at its end."""
    shutil.copytree(run, out)
    [stream] = out.glob("soak_*.jsonl")
    lines = stream.read_text().splitlines()
    at = json.loads(lines[-1])["t"]
    stream.write_text("".join(f"{line}\n" for line in [*lines[:-1], f'{{"t":{at:.6f},"type":"run.interrupted"}}']))
    (out / "SHA256SUMS").unlink()
    if sealed:
        RunDirectory(out).write_checksums()
    return out


def test_an_interrupted_simulation_is_run_again(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = interrupted(run, tmp_path / "run", sealed=True)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert run_command(["resume", str(out)]) == 2
    assert "a simulation cannot be resumed (run it again: the manifest has the command)" in capfd.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_an_interrupted_run_that_cannot_go_on_is_judged_and_sealed(run: Path, tmp_path: Path) -> None:
    out = interrupted(run, tmp_path / "run", sealed=False)
    assert run_command(["resume", str(out)]) == 130
    assert json.loads((out / "verdict.json").read_text())["end"] == "interrupted"
    assert run_command(["verify", str(out)]) == 0


@pytest.mark.parametrize(
    ("end", "target", "said"),
    [("interrupted", "orchestrator", True), ("interrupted", "simulation", False), ("completed", "orchestrator", False)],
)
def test_it_is_said_how_an_interrupted_run_goes_on(run: Path, end: str, target: str, said: bool) -> None:
    verdict = msgspec.json.decode((run / "verdict.json").read_bytes(), type=Verdict)
    other = msgspec.structs.replace(verdict, end=End(end), target=target)
    assert (f"to continue: soak resume {run}" in summary_lines(load(SCENARIO), other, run)) is said
