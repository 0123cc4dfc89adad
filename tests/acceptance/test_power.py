"""`soak power` from end to end: what it writes, says and refuses, and that it leaves nothing behind."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from jsonschema import Draft202012Validator

from soak.runner.cli import run_command
from soak.schemas.evidence.power import PowerReport
from soak.schemas.language.load import load
from soak.schemas.language.schema import read_schema

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "scenarios" / "72h.yaml"
FILES = {"power.html", "power.json", "power.md", "power.svg", "scenario.yaml", "SHA256SUMS"}
QUICK = ("--tier", "pr", "-n", "6", "--jobs", "2")


@pytest.fixture(scope="module")
def assessed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("power") / "72h"
    assert run_command(["power", str(SCENARIO), *QUICK, "--out", str(out)]) == 0
    return out


def report(directory: Path) -> PowerReport:
    """What power.json holds, valid by its schema."""
    data = json.loads((directory / "power.json").read_text())
    Draft202012Validator(read_schema("power")).validate(data)
    return msgspec.convert(data, PowerReport)


def test_the_files_are_whole(assessed: Path) -> None:
    assert {path.name for path in assessed.iterdir()} == FILES
    sums = dict(reversed(line.split("  ")) for line in (assessed / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == FILES - {"SHA256SUMS"}
    assert all(hashlib.sha256((assessed / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())
    assert load(assessed / "scenario.yaml").scenario.duration_s == 7200
    assert str(assessed.parent) not in (assessed / "power.json").read_text() + (assessed / "power.md").read_text()


def test_what_two_hours_see(assessed: Path) -> None:
    found = report(assessed)
    success, latency, blocks, duplicates = found.objectives
    assert (found.duration_s, found.replications, found.aborted, found.power) == (7200.0, 6, 0, 0.95)
    assert success.smallest and 0.938 < success.smallest < 0.95
    assert latency.smallest and 120 < latency.smallest < 135
    assert latency.smallest_share and 0.07 < latency.smallest_share < 0.1
    assert duplicates.smallest == pytest.approx(1 - 0.05 ** (1 / int(duplicates.observations)), rel=0.01)
    assert blocks.smallest and blocks.smallest < 0.9
    assert [each.enough for each in duplicates.violations] == [False]
    needed_s = duplicates.violations[0].duration_s
    assert needed_s and 65 < needed_s / 3600 < 80
    words = (assessed / "power.md").read_text()
    assert "2h is too short" in words and "| `duplicate_executions == 0` |" in words


def test_how_often_a_condition_would_end_a_sound_run(assessed: Path) -> None:
    (alarm,) = report(assessed).false_alarms
    assert alarm.chance and 0.65 < alarm.chance < 0.8
    words = (assessed / "power.md").read_text()
    assert "| success-collapse | `success_rate < 95%, window: 30m, min_samples: 20` | `success_rate >= 97%` |" in words


def test_it_is_the_same_every_time(assessed: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    assert run_command(["power", str(SCENARIO), "--tier", "pr", "-n", "6", "--jobs", "1", "--out", str(out)]) == 0
    assert (out / "SHA256SUMS").read_bytes() == (assessed / "SHA256SUMS").read_bytes()


def test_exit_codes_say_whether_what_is_asked_for_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["power", str(SCENARIO), *QUICK, "--violation", "success_rate=92%"]
    assert run_command([*asked, "--json", "--out", str(tmp_path / "seen")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seen"] and found["objectives"][0]["violations"][0]["asked"]
    too_small = [*asked, "--violation", "duplicate_executions=0.01%", "--out", str(tmp_path / "not")]
    assert run_command(too_small) == 3
    said = capsys.readouterr()
    assert "2h is too short: needs" in said.out
    assert "6 of 6 replications" in said.err
    assert "Not every violation named is detected" in (tmp_path / "not" / "power.md").read_text()


def test_the_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["power", str(SCENARIO), "--duration", "20m", "-n", "5"]) == 0
    (place,) = (tmp_path / "power").iterdir()
    assert place.name.startswith("72h-") and {path.name for path in place.iterdir()} == FILES


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([SCENARIO, "--violation", "sucess_rate=96%"], "did you mean 'success_rate'?"),
        ([SCENARIO, "--violation", "success_rate=99%"], "it is not a violation (name one below the target)"),
        ([SCENARIO, "--power", "40%"], "40% is not between 50% and 100% (write 95%)"),
        ([SCENARIO, "--power", "much"], "'much' is not a percentage (write 95%)"),
        ([SCENARIO, "-n", "2"], "-n 2 is too few to know how runs vary (write 5 or more)"),
        ([SCENARIO, "--set", "slos=[]"], "has no objectives: there is nothing to detect (write some under slos:)"),
        ([SCENARIO, "--out", ROOT / "docs"], "exists already and is not an empty directory"),
        ([ROOT / "scenarios/aborts/stalled.yaml", "-n", "5"], "5 of 5 replications were ended by an abort condition"),
        ([ROOT / "scenarios" / "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_input(words: list[str | Path], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = [] if "--out" in words else ["--out", str(tmp_path / "out")]
    assert run_command(["power", *map(str, words), *place]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_interrupted_pilot_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "soak", "power", SCENARIO, "-n", "5000", "--duration", "2h", "--out", out]
    process = subprocess.Popen(
        [*map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children: list[psutil.Process] = []
    while not children and process.poll() is None:
        time.sleep(0.05)
        children = psutil.Process(process.pid).children()
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "interrupted"
    assert not out.exists()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert gone and not alive
