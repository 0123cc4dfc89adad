"""The command line as a user meets it: commands, exit codes, messages, evidence that survives."""

import functools
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import soak
from servers import until

from soak.runner.cli import run_command

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "scenarios" / "72h.yaml"
EVIDENCE = {
    "scenario.yaml", "run_manifest.json", "soak_72h.jsonl", "metrics.csv", "verdict.json", "alerts.json", "checkpoints.json",
    "soak_summary.md", "SHA256SUMS", "plots", "junit.xml", "report.html",
}  # fmt: skip
COMMANDS = [
    "run",
    "validate",
    "plan",
    "predict",
    "report",
    "verify",
    "compare",
    "power",
    "gate",
    "incident",
    "review",
    "schema",
    "init",
    "slis",
    "completion",
]


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "72h"
    done = soak("run", SCENARIO, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def test_run_leaves_the_evidence(run_directory: Path) -> None:
    assert {path.name for path in run_directory.iterdir()} == EVIDENCE
    assert len(list((run_directory / "plots").glob("*.svg"))) == 8
    assert (run_directory / "scenario.yaml").read_bytes() == SCENARIO.read_bytes()
    assert len(json.loads((run_directory / "checkpoints.json").read_text())["checkpoints"]) == 12


def test_the_report_says_the_verdict_first(run_directory: Path) -> None:
    report = (run_directory / "soak_summary.md").read_text()
    assert report.startswith("# 72h: PASS\n")
    order = ["Objectives", "Integrity laws", "Abort conditions", "Alerts", "Faults", "Checkpoints", "Reproduce"]
    places = [report.index(f"## {heading}") for heading in order]
    assert places == sorted(places)
    assert "`soak run scenario.yaml --seed 14 --out ../72h-again`" in report


def test_evidence_names_no_path_of_the_machine(run_directory: Path) -> None:
    for path in run_directory.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert str(ROOT).encode() not in content, path
            assert str(run_directory).encode() not in content, path


def test_verify_agrees(run_directory: Path) -> None:
    done = soak("verify", run_directory)
    assert done.returncode == 0
    assert "the evidence agrees" in done.stdout


def test_report_renders_the_same_again_and_leaves_the_evidence_intact(run_directory: Path) -> None:
    before = {path.name: path.read_bytes() for path in run_directory.rglob("*") if path.is_file()}
    assert soak("report", run_directory).returncode == 0
    assert {path.name: path.read_bytes() for path in run_directory.rglob("*") if path.is_file()} == before
    assert soak("verify", run_directory).returncode == 0


def test_the_reproduce_command_reproduces(run_directory: Path, tmp_path: Path) -> None:
    words = json.loads((run_directory / "run_manifest.json").read_text())["reproduce"].split()
    assert words[:2] == ["soak", "run"]
    command = [sys.executable, "-m", "soak", *words[1:], "--out", str(tmp_path / "again")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=run_directory, check=True, capture_output=True, env=environment)
    assert (tmp_path / "again" / "soak_72h.jsonl").read_bytes() == (run_directory / "soak_72h.jsonl").read_bytes()


def test_overrides_are_stored_with_the_evidence(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = soak(
        "run", SCENARIO, "--tier", "pr", "--set", "faults.transient.rate=20%", "--seed", "7", "--out", out, "--json"
    )
    verdict = json.loads(done.stdout)
    assert (verdict["seed"], verdict["duration_s"]) == (7, 7200)
    stored = (out / "scenario.yaml").read_text()
    assert "rate: 20%" in stored
    assert soak("verify", out).returncode == 0


def test_fail_exits_with_3(tmp_path: Path) -> None:
    done = soak("run", SCENARIO, "--set", "queue.workers=2", "--out", tmp_path / "run")
    assert done.returncode == 3
    assert "FAIL  latency_p95 <= 120s" in done.stdout
    assert "objective latency_p95 <= 120s is broken" in done.stdout


def test_abort_exits_with_4_and_opens_an_incident(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = soak("run", ROOT / "scenarios/aborts/stalled.yaml", "--out", out)
    assert done.returncode == 4
    incident = (out / "incident.md").read_text()
    assert "stalled" in incident
    assert "`stall_time >= 10m`" in incident
    assert "KST" in incident
    (out / "incident.md").write_text(incident + "written by a person\n")
    soak("report", out)
    assert "written by a person" in (out / "incident.md").read_text()


def test_no_abort_goes_on(tmp_path: Path) -> None:
    done = soak("run", ROOT / "scenarios/aborts/guardrail-leak.yaml", "--no-abort", "--out", tmp_path / "run")
    assert done.returncode == 3
    assert "(the run continued)" in done.stdout


def test_thin_evidence_exits_with_5(tmp_path: Path) -> None:
    done = soak("run", SCENARIO, "--duration", "2m", "--out", tmp_path / "run")
    assert done.returncode == 5
    assert "INCONCLUSIVE" in done.stdout


def test_a_broken_scenario_exits_with_2_and_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(SCENARIO.read_text().replace("workers: 10", "wokers: 10"))
    done = soak("run", path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert f"{path}:19:3: queue.wokers: unknown key 'wokers' (did you mean 'workers'?)" in done.stderr
    assert not (tmp_path / "run").exists()


WRONG_USAGE = [["run"], ["run", "a.yaml", "--sed", "1"], ["rnu"], ["run", "no.yaml"], ["verify", "/"], ["schema", "x"]]


@pytest.mark.parametrize("words", WRONG_USAGE, ids=" ".join)
def test_wrong_usage_exits_with_2_in_a_line_or_a_few(words: list[str]) -> None:
    done = soak(*words)
    assert done.returncode == 2
    assert done.stderr.strip()
    assert ".py" not in done.stderr


def test_an_output_directory_that_is_taken(run_directory: Path) -> None:
    done = soak("run", SCENARIO, "--out", run_directory)
    assert done.returncode == 2
    assert "is not an empty directory (choose another --out)" in done.stderr


def test_an_output_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = soak("run", SCENARIO, "--out", tmp_path / "file" / "run")
    assert done.returncode == 2
    assert "choose another --out" in done.stderr


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the system refuses to write on."""
    out = tmp_path / "run"
    limit = 1_000_000
    command = [sys.executable, "-m", "soak", "run", str(SCENARIO), "--out", str(out)]
    limited = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, preexec_fn=limited)
    assert done.returncode == 1
    assert "soak_72h.jsonl: File too large; what was written before is kept" in done.stderr
    assert ".py" not in done.stderr
    assert (out / "soak_72h.jsonl").stat().st_size == limit
    assert (out / "scenario.yaml").exists()
    recomputed = soak("verify", out, "--json")
    assert recomputed.returncode == 3
    assert json.loads(recomputed.stdout)["verdict"] == "INCONCLUSIVE"


def test_an_interrupted_run_is_inconclusive_and_keeps_its_evidence(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ["run", str(SCENARIO), "--set", "duration=720h", "--set", "queue.workers=40", "--out", str(out)]
    command = [sys.executable, "-m", "soak", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    stream = out / "soak_72h.jsonl"
    until(lambda: process.poll() is not None or (stream.exists() and stream.stat().st_size >= 1_000_000))
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "INCONCLUSIVE" in stdout
    assert json.loads((out / "verdict.json").read_text())["end"] == "interrupted"
    assert soak("verify", out).returncode == 0


def test_a_template_of_ones_own_and_its_errors(run_directory: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.j2"
    own.write_text("{{ verdict.verdict }} on {{ verdict.tasks.accepted }} tasks\n")
    assert soak("report", run_directory, "--template", own).returncode == 0
    assert (run_directory / "soak_summary.md").read_text().startswith("PASS on 27")
    for text, line in (("a\n{{ nothing }}\n", 2), ("{% if %}", 1), ("\n\n{{ ''.__class__.__mro__ }}", 3)):
        own.write_text(text)
        done = soak("report", run_directory, "--template", own)
        assert done.returncode == 2
        assert f"{own}:{line}:" in done.stderr
        assert ".py" not in done.stderr
    assert soak("report", run_directory).returncode == 0


def test_validate_lists_every_problem_of_every_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("version: 2\nname: x\nsystem: queue\nduration: 24\nworkload: {}\n")
    done = soak("validate", SCENARIO, path, "--json")
    assert done.returncode == 2
    wheres = [problem["where"] for problem in json.loads(done.stdout)["problems"]]
    assert {"version", "duration", "workload"} <= set(wheres)
    assert soak("validate", SCENARIO).stdout == f"{SCENARIO}: valid\n"


def test_plan_shows_the_load_and_warns(tmp_path: Path) -> None:
    calm = soak("plan", SCENARIO)
    assert calm.returncode == 0
    assert "27,085 (27,000 expected), 254 of them submitted twice" in calm.stdout
    assert "arrivals as drawn" in calm.stdout
    assert "planned rate" in calm.stdout
    assert "warning" not in calm.stdout
    condition = (
        "success-collapse (success_rate < 95%, window: 30m, min_samples: 20): > 99.9% of runs at success_rate >= 97%"
    )
    assert condition in calm.stdout
    assert "at most 1% with window: 4h and min_samples: " in calm.stdout
    assert calm.stderr.startswith(
        f"warning: {SCENARIO}:40:36: abort[0].when: success-collapse would end at least 99.9% of"
    )
    assert "warning: overloaded during bursts" in soak("plan", SCENARIO, "--set", "queue.workers=2").stdout
    swamped = soak("plan", SCENARIO, "--set", "workload.arrivals.rate=100/min", "--json")
    assert json.loads(swamped.stdout)["warnings"][0].startswith("overloaded by design")
    (alarm,) = json.loads(swamped.stdout)["false_alarms"]
    assert (alarm["name"], alarm["objective"], alarm["severity"]) == ("success-collapse", "success_rate >= 97%", "")
    assert 0.4 < alarm["chance"] < 0.5


def test_what_cannot_come_about_is_warned_of_and_changes_no_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "capped.yaml"
    path.write_text(
        "version: 1\nname: capped\nsystem: queue\nduration: 30m\ndrain: 10m\n"
        "workload: {tasks: 50, arrivals: {process: constant, rate: 50/h}, "
        "task: {duration: {distribution: constant, value: 1s}}}\nslos: [success_rate >= 90%]\n"
    )
    said = f"warning: {path}:6:19: workload.tasks: only 25 of 50 tasks arrive in 30m"
    checked, planned = soak("validate", path), soak("plan", path)
    assert (checked.returncode, checked.stdout) == (0, f"{path}: valid\n")
    assert checked.stderr.startswith(said)
    assert planned.stderr.startswith(said)
    assert "25 (25 expected)" in planned.stdout
    assert json.loads(soak("validate", path, "--json").stdout)["warnings"][0]["where"] == "workload.tasks"
    assert "only 25 of 50 tasks arrive" in json.loads(soak("plan", path, "--json").stdout)["warnings"][0]
    ran = soak("run", path, "--out", tmp_path / "run", "--json")
    assert ran.returncode == 5
    assert ran.stderr.startswith(said)
    enough = ("--duration", "2h", "--set", "workload.arrivals.process=poisson", "--set", "workload.arrivals.rate=60/h")
    planned = soak("plan", path, *enough)
    assert "50 (50 expected)" in planned.stdout
    assert planned.stderr == ""


def test_init_writes_a_scenario_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    assert soak("init", path).returncode == 0
    assert soak("init", path).returncode == 2
    assert path.with_name("scenario.schema.json").exists()
    done = soak("run", path, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stdout
    assert soak("validate", path).returncode == 0


def test_slis_lists_the_catalogue() -> None:
    assert "success_rate" in soak("slis").stdout
    assert {"name", "unit", "description"} <= set(json.loads(soak("slis", "--json").stdout)[0])


def test_schema_prints_the_schema() -> None:
    assert json.loads(soak("schema").stdout)["title"] == "Soak scenario"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    assert "_SOAK_COMPLETE" in soak("completion", shell).stdout


def test_completion_completes() -> None:
    environment = {**os.environ, "_SOAK_COMPLETE": "bash_complete", "COMP_WORDS": "soak ver", "COMP_CWORD": "1"}
    command = [sys.executable, "-m", "soak"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.split(",")[-1].strip() == "verify"


def test_the_help_lists_every_command_under_a_heading(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    headings, listed = [], {}
    for line in capsys.readouterr().out.partition("--help")[2].splitlines()[1:]:
        if line.endswith(":"):
            headings.append(line[:-1])
        elif headings and line:
            listed[line.split()[0]] = headings[-1]
    assert headings == ["Run", "Predict and explain", "Evidence", "Integrate", "Author"]
    modules = {path.stem.rstrip("_").replace("_", "-") for path in (ROOT / "runner" / "cli").glob("[a-z]*.py")}
    assert set(listed) == modules - {"options", "calibrate-arrivals", "export-receivers"}
    assert (listed["run"], listed["verify"], listed["init"]) == ("Run", "Evidence", "Author")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_text_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([command, "--help"]) == 0
    assert f"soak {command}" in capsys.readouterr().out.partition("Example")[2]


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("version: 2\n")
    assert "load.py" in soak("run", path, "--debug").stderr
    assert "load.py" not in soak("run", path).stderr


def test_a_progress_bar_on_a_terminal(tmp_path: Path) -> None:
    import pty

    leader, follower = pty.openpty()
    words = [sys.executable, "-m", "soak", "run", str(SCENARIO), "--duration", "12h", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=follower, cwd=ROOT)
    os.close(follower)
    seen = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    os.close(leader)
    assert process.wait() == 0
    assert b"of 12h" in seen
    assert b"success" in seen
