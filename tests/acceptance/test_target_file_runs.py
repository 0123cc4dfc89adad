"""Runs of target files, as docs/target-files.md goes it: a user's own processes, under soak and under others' supervisors."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import until

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ROOT / "docs" / "examples" / "targets"
OWN = TARGETS / "own"
PAGE = (ROOT / "docs" / "target-files.md").read_text(encoding="utf-8")
SHORT = ("--set", "duration=5s", "--set", "drain=3s", "--set", "telemetry.max_lag=10m")
AT_ONCE = ("--set", "faults.kill-signal.at=1s", "--set", "faults.kill-harvest.at=3s")
STRUCK = (
    *("--set", "pipeline.supervisor.health.every=400ms"),
    *("--set", "faults.kill.at=1s"),
    *("--set", "faults.hang.at=3s"),
    *("--set", "faults.hang.for=1500ms"),
)


def soak(*words: str | Path, cwd: Path = OWN) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "soak", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=150)


def verdict_of(run: Path) -> Any:
    return json.loads((run / "verdict.json").read_text())


def objectives(run: Path) -> dict[str, str]:
    return {each["objective"]: each["status"] for each in verdict_of(run)["objectives"]}


def running(word: str) -> list[int]:
    """The processes with a word in their command line, other than this one."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and word.encode() in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def without(text: str, *keys: str) -> Any:
    return {key: value for key, value in yaml.safe_load(text).items() if key not in keys}


# The page.


def test_the_page_shows_the_files_of_the_example() -> None:
    shown = [yaml.safe_load(part.partition("```")[0]) for part in PAGE.split("```yaml\n")[1:]]
    target, scenario = (yaml.safe_load((OWN / f"{name}.yaml").read_text()) for name in ("target", "scenario"))
    first, records, judged = shown[0], shown[1], shown[2]
    assert first["name"] == target["name"]
    for process in first["processes"]:
        (own,) = [each for each in target["processes"] if each["name"] == process["name"]]
        assert process.items() <= own.items()
    assert records.items() <= target.items()
    for key in ("workload", "pipeline", "faults"):
        assert judged[key] == scenario[key]
    assert set(judged["slos"]) <= set(scenario["slos"])
    supervisord = yaml.safe_load((TARGETS / "supervisord.yaml").read_text())
    assert shown[3]["supervisor"]["gives_up"] == supervisord["supervisor"]["gives_up"]
    assert shown[4]["conventions"] == supervisord["conventions"]


# A user's own processes.


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the example, shared by the tests that only look at it."""
    out = tmp_path_factory.mktemp("own") / "run"
    none = ("lost_records", "duplicate_records", "gap_records", "left_in_queues", "orphans")
    lenient = ("--set", f"slos=[restart_time_max <= 20s, {', '.join(f'{each} == 0' for each in none)}]")
    done = soak("run", "scenario.yaml", "--target", "target.yaml", *SHORT, *STRUCK, *lenient, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_a_users_processes_are_soaked(own: Path) -> None:
    verdict = verdict_of(own)
    assert (verdict["verdict"], verdict["target"]) == ("PASS", "two-stages")
    assert verdict["slis"]["restarts"] == 1
    assert soak("verify", own).returncode == 0


def test_the_target_file_is_kept_as_used(own: Path) -> None:
    assert (own / "target.yaml").read_bytes() == (OWN / "target.yaml").read_bytes()
    manifest = json.loads((own / "run_manifest.json").read_text())
    assert manifest["reproduce"].endswith("--target target.yaml")
    header = json.loads((own / "soak_two-stages.jsonl").read_text().partition("\n")[0])
    assert len(header["target_sha256"]) == 64


def test_a_resume_needs_the_same_target_file(own: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text((OWN / "target.yaml").read_text() + "# changed\n")
    run = tmp_path / "run"
    shutil.copytree(own, run)
    # As if it had been interrupted: its end is not there.
    stream = run / "soak_two-stages.jsonl"
    stream.write_bytes(b"".join(stream.read_bytes().splitlines(keepends=True)[:-1]))
    for name in ("SHA256SUMS", "verdict.json"):
        (run / name).unlink()
    missing, wrong = soak("resume", run), soak("resume", run, "--target", other)
    assert (missing.returncode, wrong.returncode) == (2, 2)
    assert "this run was against a target file named two-stages (add --target FILE" in missing.stderr
    assert "is not the target file of this run" in wrong.stderr


def test_a_stage_that_forgets_is_found(tmp_path: Path) -> None:
    shutil.copytree(OWN, tmp_path / "own")
    stage = tmp_path / "own" / "stage.py"
    assert "after = last_written()" in stage.read_text()
    stage.write_text(stage.read_text().replace("    after = last_written()", "    after = -1"))
    run = tmp_path / "run"
    done = soak("run", "scenario.yaml", "--target", "target.yaml", *SHORT, *STRUCK, "--out", run, cwd=tmp_path / "own")
    assert done.returncode == 3, done.stdout + done.stderr
    assert objectives(run)["duplicate_records == 0"] == "FAIL"
    assert objectives(run)["lost_records == 0"] == "PASS"


# Others' supervisors.


@pytest.mark.parametrize("name", ["supervisord", "circus"])
def test_others_supervisors_are_judged_by_their_own_conventions(name: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = soak("run", "scenario.yaml", "--target", f"{name}.yaml", *SHORT, *AT_ONCE, "--out", run, cwd=TARGETS)
    assert done.returncode in {0, 3, 5}, done.stdout + done.stderr
    held = objectives(run)
    for indicator in ("backoff_violations", "abandoned", "duplicate_records", "lost_records", "orphans"):
        assert held[f"{indicator} == 0"] == "PASS", done.stdout
    assert verdict_of(run)["slis"]["restarts"] == 2
    as_run = yaml.safe_load((run / "scenario.yaml").read_text())
    assert as_run["pipeline"]["supervisor"]["restart"]["max_restarts"] == 1_000_000
    assert running(str(run)) == []


# What is wrong.


def test_what_the_file_lacks_is_named_before_anything_is_written(tmp_path: Path) -> None:
    target = without((OWN / "target.yaml").read_text(), "sinks")
    target["processes"][0]["name"] = "colect"
    target["processes"][1]["command"] = "no-such-command-here"
    target["sinks"] = {"fil": {"jsonl": "x"}}
    (tmp_path / "target.yaml").write_text(yaml.safe_dump(target, sort_keys=False))
    run = tmp_path / "run"
    done = soak("run", OWN / "scenario.yaml", "--target", "target.yaml", "--out", run, cwd=tmp_path)
    assert done.returncode == 2
    for wrong in (
        "has no process 'collect', which the scenario has (did you mean 'colect'?)",
        "has no sink 'file', which the scenario has (did you mean 'fil'?)",
        "processes[1].command: there is no command 'no-such-command-here'",
    ):
        assert wrong in done.stderr
    assert not run.exists()


def test_a_process_that_does_not_start_ends_the_run_in_words(tmp_path: Path) -> None:
    target = yaml.safe_load((OWN / "target.yaml").read_text())
    target["processes"][1]["command"] = "sh -c 'echo cannot find my configuration; exit 7'"
    target["source"]["command"] = f"{{python}} {OWN / 'feed.py'} {{dir}}/feed.jsonl"
    target["processes"][0]["command"] = target["processes"][0]["command"].replace("stage.py", str(OWN / "stage.py"))
    (tmp_path / "target.yaml").write_text(yaml.safe_dump(target, sort_keys=False))
    quick = (
        "--set",
        "pipeline.supervisor.restart.max_restarts=1",
        "--set",
        "pipeline.supervisor.restart.backoff.initial=0s",
    )
    run = tmp_path / "run"
    done = soak(
        "run", OWN / "scenario.yaml", "--target", "target.yaml", *SHORT, *STRUCK, *quick, "--out", run, cwd=tmp_path
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "transform" in done.stderr
    assert "cannot find my configuration" in done.stderr
    assert (run / "target.yaml").exists()
    assert "cannot find my configuration" in (run / "system" / "transform.log").read_text()
    assert running(str(run)) == []


def test_a_killed_runner_leaves_no_process_behind(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "soak", "run", "scenario.yaml", "--target", "soak.yaml", "--out", str(run)]
    with subprocess.Popen(command, cwd=TARGETS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as runner:
        until((run / "system" / "raw.jsonl").exists)
        assert len(running(str(run / "system"))) >= 5
        runner.send_signal(signal.SIGKILL)
    until(lambda: not running(str(run / "system")), 20.0)
