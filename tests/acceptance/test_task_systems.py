"""Task systems that misbehave, and target files that are wrong: what is said of them, with which exit code, and what is left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killing import count, end, wait_until

SPOOL = Path(__file__).resolve().parents[1] / "spool.py"
MARK = "SPOOL_TEST"
TARGET = """
name: spool
system: queue
workers: {command: "{python} %(spool)s {dir}/spool worker%(worker)s", ready: {log: ready}}
submit: {%(submit)s}
census: {command: "{python} %(spool)s {dir}/spool census %(census)s", timeout: 500s}
promises: [retries, at_least_once, {redelivery: 1s}]
"""
SCENARIO = """
version: 1
name: short
system: queue
duration: 2s
drain: 2s
workload:
  arrivals: {process: constant, rate: 4/s}
  task: {duration: {distribution: constant, value: 0.1s}}
queue: {workers: 2, lease: {duration: 3s, heartbeat: 1s}}
slos: [lost_tasks == 0]
telemetry: {sample_interval: 1s, max_gap: 1m, max_lag: 5m}
"""
BY_COMMAND = f'command: "{{python}} {SPOOL} {{dir}}/spool submit {{key}} {{payload}}"'


def by_process(how: str) -> str:
    return f'process: "{{python}} {SPOOL} {{dir}}/spool submitter {how}", timeout: 1s'


def words(folder: Path, submit: str = BY_COMMAND, census: str = "", out: str = "run", worker: str = "") -> list[str]:
    """A command line of soak."""
    folder.mkdir(exist_ok=True)
    (folder / "short.yaml").write_text(SCENARIO)
    (folder / "spool.yaml").write_text(TARGET % {"spool": SPOOL, "submit": submit, "census": census, "worker": worker})
    return ["run", str(folder / "short.yaml"), "--target", str(folder / "spool.yaml"), "--out", str(folder / out)]


def soak(*command: str | Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "soak", *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=cwd,
        env={**os.environ, MARK: str(os.getpid())},
    )
    assert "Traceback" not in done.stderr
    assert left() == []
    return done


def left() -> list[str]:
    """Processes with the mark of these tests that still run."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and f"{MARK}={os.getpid()}\0".encode() in (path / "environ").read_bytes():
                found.append((path / "cmdline").read_text())
        except OSError:
            continue
    # The guard ends by itself once it has nothing to guard.
    return [each for each in found if each and "guardian.py" not in each]


def verdict_of(run: Path) -> Any:
    return json.loads((run / "verdict.json").read_text())


def test_answers_to_other_questions_do_not_take_back_what_has_started(tmp_path: Path) -> None:
    done = soak(*words(tmp_path / "ä folder", by_process("other"), "leaves"))
    verdict = verdict_of(tmp_path / "ä folder" / "run")
    broken = [each["name"] for each in verdict["laws"] if each["status"] == "FAIL"]
    assert (done.returncode, broken, verdict["tasks"]["DONE"]) == (0, [], 8), done.stdout + done.stderr
    assert (
        "submit: an answer to submit 1000, which nobody waits for (answer each question once) (8 times" in done.stderr
    )
    assert "left 1 process behind, now ended (sleep" in done.stderr
    assert soak("verify", tmp_path / "ä folder" / "run").returncode == 0


def test_a_census_that_cannot_be_read_is_said_and_the_rest_is_judged(tmp_path: Path) -> None:
    done = soak(*words(tmp_path, census="nested"))
    assert "exited with 0 and said [[[" in done.stderr
    assert verdict_of(tmp_path / "run")["objectives"][0]["status"] == "PASS", done.stdout + done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_nothing_is_left_of_a_run_that_is_ended_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    monkeypatch.setenv(MARK, str(os.getpid()))
    command = [sys.executable, "-m", "soak", *words(tmp_path), "--set", "duration=10m"]
    runs = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: count(tmp_path / "run", "task.done") > 0, runs)
    monkeypatch.delenv(MARK)
    assert end(runs, number) == code
    nothing = subprocess.Popen(["sleep", "60"])
    try:
        wait_until(lambda: left() == [], nothing)
    finally:
        nothing.kill()
        nothing.wait()
    checked = soak("verify", tmp_path / "run")
    assert (checked.returncode == 0) == (number is not signal.SIGKILL), checked.stdout
    assert "recomputed verdict: INCONCLUSIVE" in checked.stdout


@pytest.mark.parametrize("how", ["workers", "submit"])
def test_a_run_that_waits_for_what_is_never_ready_can_be_interrupted(tmp_path: Path, how: str) -> None:
    command = words(tmp_path, by_process("").replace("submitter", "mute") if how == "submit" else BY_COMMAND)
    if how == "workers":
        file = tmp_path / "spool.yaml"
        file.write_text(file.read_text().replace("log: ready", "log: never"))
    log = tmp_path / "run" / "system" / ("w0.log" if how == "workers" else "submit.log")
    runs = subprocess.Popen(
        [sys.executable, "-m", "soak", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_until(log.exists, runs)
    assert end(runs, signal.SIGINT) == 130
    assert verdict_of(tmp_path / "run")["verdict"] == "INCONCLUSIVE"
    assert soak("verify", tmp_path / "run").returncode == 0


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda text: text.replace("{python}", "no-such-program", 1), ":4:20: "),
        (lambda text: text.replace(" {payload}", ""), ":5:"),
        (lambda text: text.replace("{dir}", "{nowhere}", 1), ":4:20: "),
        (lambda text: text.replace('worker"', "'worker\"", 1), ":4:20: "),
        (lambda text: text.replace("promises: [", "promises: [everything, "), ":7:12: "),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_place(
    tmp_path: Path, change: Callable[[str], str], place: str
) -> None:
    command = words(tmp_path)
    file = tmp_path / "spool.yaml"
    file.write_text(change(file.read_text()))
    done = soak(*command)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert all(line.startswith(f"{file}:") for line in done.stderr.splitlines()), done.stderr
    assert f"{file}{place}" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_copy_that_runs_after_everything_is_done_is_still_seen(tmp_path: Path) -> None:
    """All tasks are DONE when it starts: a run that ended with the last of them would find nothing."""
    command = words(tmp_path, worker=" again")
    target = (tmp_path / "spool.yaml").read_text()
    (tmp_path / "spool.yaml").write_text(target.replace("at_least_once", "exactly_once_effect"))
    done = soak(*command, "--set", "slos=[duplicate_executions == 0]", "--set", "queue.workers=1")
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert done.returncode == 3, done.stdout + done.stderr
    assert verdict["tasks"]["DONE"] == verdict["tasks"]["accepted"] == 8
    assert verdict["slis"]["duplicate_executions"] == 1
