"""A short run of a shipped scenario calibrates the model, and the model with the overlay runs the longer one."""

import json
from pathlib import Path

import pytest

from soak.runner.cli import run_command

SCENARIO = str(Path(__file__).resolve().parents[2] / "scenarios" / "72h.yaml")


def test_a_short_run_predicts_the_verdict_of_a_long_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The system is slower than its scenario says: the model does not know, until it is calibrated."""
    monkeypatch.chdir(tmp_path)
    slow = ["--set", "workload.task.duration.median=30s", "--set", "workload.task.duration.p95=70s"]
    workers = ["--set", "queue.workers=5"]
    assert run_command(["run", SCENARIO, *slow, *workers, "--duration", "1h", "--out", "short"]) in {0, 3, 5}
    assert run_command(["calibrate", "short", "-n", "40", "--out", "calibrated"]) == 0
    assert "PREDICTS  72h: the model predicts the held-back part" in capsys.readouterr().out
    overlay = ["--overlay", "calibrated/overlay.yaml"]
    verdicts = {}
    for name, more in {"believed": [], "calibrated": overlay, "true": slow}.items():
        run_command(["run", SCENARIO, *workers, *more, "--tier", "nightly", "--seed", "5", "--out", f"{name}-run"])
        verdicts[name] = json.loads((tmp_path / f"{name}-run" / "verdict.json").read_text())
    assert {name: each["verdict"] for name, each in verdicts.items()} == {
        "believed": "PASS",
        "calibrated": "FAIL",
        "true": "FAIL",
    }
    p95 = {name: each["slis"]["latency_p95"] for name, each in verdicts.items()}
    assert p95["calibrated"] == pytest.approx(p95["true"], rel=0.25)
    assert run_command(["verify", "calibrated-run"]) == 0
