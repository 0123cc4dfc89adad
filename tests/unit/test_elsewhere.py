"""Simulations, reports and gates run wherever Python does; what needs Linux is refused in words elsewhere."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = str(ROOT / "scenarios" / "72h.yaml")
GATE = """
version: 1
name: here
evidence: {clean_tree: false}
rules:
  - {name: simulated, runs: {in: run, scenarios: [72h], target: simulation}}
  - {name: tests, tests: {files: run/junit.xml, skipped: true}}
"""
RUNS: list[tuple[list[str], int]] = [
    (["validate", SCENARIO], 0),
    (["plan", SCENARIO], 0),
    (["run", SCENARIO, "--tier", "pr", "--out", "run", "--job-summary", "summary.md"], 0),
    (["report", "run"], 0),
    (["verify", "run"], 0),
    (["compare", "run", "run"], 0),
    (["predict", SCENARIO, "--duration", "1h", "-n", "2", "--jobs", "1", "--out", "prediction"], 0),
    (["init", "mine.yaml"], 0),
    (["gate", "gate.yaml"], 0),
]
REFUSED = {
    "--target orchestrator": ["run", SCENARIO, "--target", "orchestrator"],
    "--target calls": ["run", str(ROOT / "scenarios" / "resilience" / "network-retry.yaml"), "--target", "calls"],
    "--target memory_queue:MemoryQueue": ["run", SCENARIO, "--target", "memory_queue:MemoryQueue"],
    "soak target check": ["target", "check", "memory_queue:MemoryQueue"],
    "soak selftest": ["selftest"],
}


@pytest.mark.parametrize("platform", ["darwin", "win32", "linux"])
def test_what_runs_elsewhere_and_what_is_refused(platform: str, tmp_path: Path) -> None:
    """`linux`: a Python that was built without the modules for the system."""
    (tmp_path / "gate.yaml").write_text(GATE)
    # Python itself looks at the platform when it starts a worker: a spawned one is tried as darwin.
    run = [each for each in RUNS if platform != "win32" or each[0][0] != "predict"]
    commands = [*(words for words, _ in run), *REFUSED.values()]
    script = [sys.executable, str(Path(__file__).with_name("elsewhere.py")), platform, "done.json"]
    subprocess.run(script, input=json.dumps(commands).encode(), cwd=tmp_path, check=True, timeout=120)
    done = json.loads((tmp_path / "done.json").read_text())
    for (words, expected), (code, out, err) in zip(run, done, strict=False):
        assert (code, "internal error" in err) == (expected, False), (words, out, err)
    where = "this Python lacks fcntl, resource" if platform == "linux" else f"this is {platform}"
    for what, (code, out, err) in zip(REFUSED, done[len(run) :], strict=True):
        assert (code, out) == (2, ""), (what, err)
        assert err.startswith(f"{what} needs Linux, for its processes and their faults; {where} (run it on Linux, or ")
    assert not (tmp_path / "runs").exists()


def test_the_contract_can_be_imported_everywhere() -> None:
    """Whoever tests a class on a machine that is not Linux is told so by the check, not by an ImportError."""
    code = (
        "import sys; sys.modules['fcntl'] = sys.modules['resource'] = None\n"
        "import soak, soak.contract, soak.body, soak.testing\n"
        "try:\n    next(soak.testing.check_class(object))\n"
        "except soak.UsageError as error:\n    sys.stdout.write(str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("checking a class needs Linux, for its processes and their faults; this Python lacks")


PARENT = """
import multiprocessing, sys, time

def child(parent):
    from soak.runner.lifeline import die_with_parent
    sys.platform = "darwin"
    assert die_with_parent(parent)
    print(multiprocessing.current_process().pid, flush=True)
    time.sleep(3600)

if __name__ == "__main__":
    import os
    multiprocessing.get_context("spawn").Process(target=child, args=(os.getpid(),)).start()
    time.sleep(3600)
"""


def test_a_worker_ends_with_its_parent_where_the_kernel_does_not_see_to_it(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    with subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        assert worker.wait(30) is None
