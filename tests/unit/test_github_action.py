"""The action: its steps are run as GitHub runs them, in bash, with the variables and files that GitHub gives."""

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
INSTALL, RUN, GATE = STEPS
SCENARIO = """\
version: 1
name: short
system: queue
duration: 5m
workload:
  arrivals: {rate: 12/min}
  task: {duration: {distribution: constant, value: 1s}}
slos: [latency_p95 <= 10s]
tiers: {strict: {slos: [latency_p95 <= 100ms]}}
"""
GATE_FILE = "version: 1\nname: g\nrules: [{name: soak, runs: {in: 'runs/*', scenarios: [short]}}]\n"


@dataclass
class Job:
    """A job on a runner: its folder, and what its steps wrote for later ones."""

    folder: Path

    def step(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """One step of the action, its inputs filled in."""
        given = {key: each.get("default", "") for key, each in ACTION["inputs"].items()} | {
            key.replace("_", "-"): value for key, value in inputs.items()
        }
        own = {
            key: given[value.removeprefix("${{ inputs.").removesuffix(" }}")]
            for key, value in STEPS[name]["env"].items()
        }
        path = os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]])
        files = {f"GITHUB_{each.upper()}": str(self.folder / each) for each in ("output", "path", "step_summary")}
        env = {
            "PATH": path,
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT / "src"),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_WORKSPACE": str(self.folder),
            "GITHUB_RUN_ID": "17",
            "GITHUB_RUN_ATTEMPT": "2",
            "GITHUB_ACTIONS": "true",
            **files,
            **own,
        }
        script = self.folder / "step.sh"
        script.write_text(STEPS[name]["run"])
        # https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax (shell: bash)
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        return subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=False)

    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.folder / "output").read_text().splitlines())


def program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    program(tmp_path / "bin" / "soak", f'#!/bin/sh\nexec "{sys.executable}" -m soak "$@"\n')
    (tmp_path / "soak.yaml").write_text(SCENARIO)
    return Job(tmp_path)


def test_the_action_is_one() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert all(step["shell"] == "bash" for step in STEPS.values())
    assert [key for key, each in ACTION["inputs"].items() if each.get("required")] == ["scenario"]
    # An expression inside a script would be carried out by the shell: what users write comes by the environment.
    assert [name for name, step in STEPS.items() if "${{" in step["run"]] == []


@pytest.mark.skipif(not find_spec("check_jsonschema"), reason="among the locked versions only")
def test_the_schema_of_actions_accepts_it() -> None:
    """SchemaStore's, which check-jsonschema brings along."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    for schema, file in (
        ("vendor.github-actions", "action.yml"),
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
    ):
        done = subprocess.run([*command, schema, ROOT / file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_run_passes_and_says_where_its_evidence_is(job: Job) -> None:
    """Options are words as a shell would quote them, of which nothing is carried out."""
    title = "title=$(touch broken) `touch broken`; touch broken"
    done = job.step(RUN, scenario="soak.yaml", options=f"--seed 7 --set '{title}'")
    assert done.returncode == 0, done.stderr
    assert job.outputs() == {"evidence": "runs/soak-17-2", "exit-code": "0", "verdict": "PASS"}
    manifest = yaml.safe_load((job.folder / "runs" / "soak-17-2" / "run_manifest.json").read_text())
    assert manifest["settings"] == [title, "seed=7"]
    assert "PASS" in (job.folder / "step_summary").read_text()
    assert not (job.folder / "broken").exists()


def test_a_verdict_that_is_not_pass_fails_the_step_unless_a_gate_decides(job: Job) -> None:
    (job.folder / "gate.yaml").write_text(GATE_FILE)
    alone = job.step(RUN, scenario="soak.yaml", tier="strict", out="runs/one")
    assert (alone.returncode, job.outputs()["verdict"], job.outputs()["evidence"]) == (3, "FAIL", "runs/one")
    with_gate = job.step(RUN, scenario="soak.yaml", tier="strict", out="runs/two", gate="gate.yaml")
    assert with_gate.returncode == 0
    decided = job.step(GATE, gate="gate.yaml")
    assert decided.returncode == 3, decided.stdout + decided.stderr


def test_what_is_wrong_with_a_scenario_fails_the_step_with_a_gate_too(job: Job) -> None:
    (job.folder / "soak.yaml").write_text(SCENARIO.replace("rate", "rat"))
    done = job.step(RUN, scenario="soak.yaml", gate="gate.yaml")
    assert (done.returncode, job.outputs()["verdict"], job.outputs()["exit-code"]) == (2, "", "2")
    assert "soak.yaml:6:14: workload.arrivals.rat: unknown key" in done.stderr


def test_a_quote_that_does_not_end_is_refused(job: Job) -> None:
    assert job.step(RUN, scenario="soak.yaml", options="--set 'a=1").returncode != 0
    assert not (job.folder / "runs").exists()


def test_it_installs_itself_with_the_lock_and_the_extras(job: Job) -> None:
    """The commands, not the download: a `python3` stands in that notes what it is told."""
    noted = job.folder / "noted"
    note = f'#!/bin/sh\nprintf "%s|" "$@" >> "{noted}"; echo >> "{noted}"\n'
    program(
        job.folder / "bin" / "python3",
        note + '[ "$2" = venv ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; exit 0\n',
    )
    assert job.step(INSTALL, scenario="soak.yaml", extras="http,notify").returncode == 0
    bin_ = job.folder / "temp" / "soak-venv" / "bin"
    *_, venv, pip = noted.read_text().splitlines()
    assert venv == f"-m|venv|{bin_.parent}|"
    assert pip.endswith(f"|-c|{ROOT}/constraints.txt|{ROOT}[http,notify]|")
    assert (job.folder / "path").read_text() == f"{bin_}\n"


def test_an_old_python_is_named_before_anything_is_installed(job: Job) -> None:
    program(job.folder / "bin" / "python3", "#!/bin/sh\nexit 1\n")
    done = job.step(INSTALL, scenario="soak.yaml")
    assert done.returncode == 2
    assert done.stdout.startswith("::error title=soak::Python 3.11 or newer is needed")


def test_the_page_has_every_input_and_output() -> None:
    assert [name for name in (*ACTION["inputs"], *ACTION["outputs"]) if f"`{name}`" not in PAGE] == []


def test_bash_is_there() -> None:
    assert shutil.which("bash")
