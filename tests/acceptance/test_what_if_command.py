"""What if, on a shipped scenario: from the command to a report."""

import json
import subprocess
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

from soak.schemas.language.schema import read_schema

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "scenarios" / "72h.yaml"


def soak(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "soak", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_fewer_workers_than_planned(tmp_path: Path) -> None:
    done = soak("compare", SCENARIO, "--tier", "pr", "--with", "queue.workers=6", "-n", "10", "--out", tmp_path / "six")
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("REGRESSED  72h with queue.workers=6\n")
    result = json.loads((tmp_path / "six" / "what_if.json").read_text())
    Draft202012Validator(read_schema("what_if")).validate(result)
    effects = {each["sli"]: each for each in result["effects"]}
    # Less than what seeds differ by, and found by pairs.
    assert effects["latency_mean"]["direction"] == "WORSE"
    assert effects["latency_mean"]["relative"] < 0.05
    assert effects["latency_mean"]["gain"] > 20
    assert effects["success_rate"]["difference"] == 0
    assert effects["success_rate"]["note"].startswith("the same in all 10 pairs")
    names = sorted(path.name for path in (tmp_path / "six").iterdir())
    assert names == ["what_if.html", "what_if.json", "what_if.md", "what_if.svg"]
