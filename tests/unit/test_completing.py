"""What the shell completes, asked as a shell asks: through click."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from soak.runner.cli import cli
from soak.runner.completing import NAMED
from soak.runner.targets.listing import listed
from soak.runner.targets.make import SIMULATION
from soak.runner.templates import templates

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numpy", "rich", "matplotlib", "jsonschema", "soak.runner.session", "soak.runner.judge")


def completed(*words: str) -> list[tuple[str, str]]:
    """Type and value of each completion of the last word."""
    found = ShellComplete(cli, {}, "soak", "_SOAK_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [(item.type, item.value) for item in found]


def values(*words: str) -> list[str]:
    return [value for kind, value in completed(*words) if kind == "plain"]


def test_all_targets_with_a_name_are_completed() -> None:
    assert set(values("run", "x.yaml", "--target", "")) >= {SIMULATION, *(each.name for each in listed())}
    assert set(NAMED.split()) == {SIMULATION, *(each.name for each in listed() if each.system)}
    assert values("run", "x.yaml", "--target", "orch") == ["orchestrator"]
    assert completed("run", "x.yaml", "--target", "mine/tar") == [("file", "mine/tar")]


def test_tiers_are_those_of_the_scenario_that_is_named(tmp_path: Path) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text("tiers:\n  pr: {duration: 1h}\n  nightly: {}\n")
    assert values("run", str(scenario), "--tier", "") == ["pr", "nightly"]
    assert values("validate", str(scenario), "--tier", "n") == ["nightly"]
    assert values("run", "--tier", "") == []


@pytest.mark.parametrize("content", ["tiers: [", "tiers: 3", "- a", "", "\x00"])
def test_a_scenario_that_cannot_be_read_has_no_tiers(content: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(content)
    assert values("run", str(tmp_path / "broken.yaml"), "--tier", "") == []
    assert values("run", str(tmp_path), "--tier", "") == []


@pytest.mark.parametrize("command", ["report", "verify", "watch", "compare"])
def test_run_directories_are_completed(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("runs/one", "runs/two", "elsewhere/three"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run_manifest.json").touch()
    (tmp_path / "runs" / "none").mkdir()
    monkeypatch.chdir(tmp_path)
    assert set(values(command, "")) == {"runs/one", "runs/two"}
    assert values(command, "runs/t") == ["runs/two"]
    assert values(command, "elsewhere/") == ["elsewhere/three"]
    assert completed(command, "no") == [("dir", "no")]


def test_shipped_scenarios_and_gates_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"72h", "failures/db-lock", "gates/pr"} <= set(values("init", "--from", ""))
    assert values("init", "--from", "72") == ["72h"]
    assert values("init", "--template", "") == list(templates()[0])
    assert values("init", "--template", "cal") == ["calls"]
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "rc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert values("gate", "gates/") == ["gates/rc.yaml"]
    assert completed("gate", "x") == [("file", "x")]


def test_completion_imports_nothing_that_takes_long() -> None:
    code = (
        "import json, sys\nfrom click.shell_completion import ShellComplete\nfrom soak.runner.cli import cli\n"
        "ShellComplete(cli, {}, 'soak', 'X').get_completions(['run', 'scenarios/72h.yaml', '--target'], '')\n"
        "ShellComplete(cli, {}, 'soak', 'X').get_completions(['run', 'scenarios/72h.yaml', '--tier'], '')\n"
        "ShellComplete(cli, {}, 'soak', 'X').get_completions(['report'], '')\n"
        f"sys.stdout.write(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(done.stdout) == []
