"""What the commands that people wait for load, and what they do not: no time is measured here, it depends on the machine."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SLOW = {
    "asyncio",
    "difflib",
    "hashlib",
    "multiprocessing",
    "random",
    "socket",
    "sqlite3",
    "statistics",
    "subprocess",
    "tempfile",
}
"""Of the standard library: each takes a millisecond or more."""

SCENARIOS = [ROOT / "scenarios" / name for name in ("72h.yaml", "resilience/network-retry.yaml", "pipeline/60m.yaml")]
LIST = """
import pathlib, sys
before = set(sys.modules)
from soak.runner.cli import run_command
code = run_command(sys.argv[2:])
pathlib.Path(sys.argv[1]).write_text(" ".join(set(sys.modules) - before))
sys.exit(code)
"""


def loaded(tmp_path: Path, *words: str | Path, code: int = 0) -> tuple[set[str], set[str], set[str]]:
    """The packages of others, the slow modules of the standard library, and our modules that a command has loaded."""
    done = subprocess.run([sys.executable, "-c", LIST, tmp_path / "modules", *words], capture_output=True, check=False)
    assert done.returncode == code, done.stderr
    names = (tmp_path / "modules").read_text().split()
    installed = {path.name.partition(".")[0] for path in Path(sysconfig.get_path("purelib")).iterdir()}
    tops = {name.partition(".")[0] for name in names}
    others = (tops & installed) - sys.stdlib_module_names - {"soak"}
    return others, tops & SLOW, {name for name in names if name.startswith("soak.")}


def test_help_loads_the_command_line_alone(tmp_path: Path) -> None:
    others, slow, ours = loaded(tmp_path, "--help")
    assert (others, slow) == ({"click"}, set())
    runner = {"soak.runner", "soak.runner.cli", "soak.runner.console", "soak.runner.output", "soak.runner.own_process"}
    assert ours <= {*runner, "soak.schemas", "soak.schemas.errors", "soak.schemas.versions_seen"}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: str(path.stem))
def test_validate_loads_neither_engine_nor_validator_for_a_scenario_that_is_right(path: Path, tmp_path: Path) -> None:
    others, slow, ours = loaded(tmp_path, "validate", path)
    assert (others - {"typing_extensions"}, slow) == ({"click", "msgspec", "yaml"}, set())
    rooms = {".".join(name.split(".")[:3]) for name in ours if name.count(".") >= 2}
    runner = {name for name in rooms if name.startswith("soak.runner.")}
    assert runner == {
        f"soak.runner.{name}" for name in ("cli", "console", "output", "own_process", "completing", "cautions")
    }
    assert not [name for name in rooms if name.startswith(("soak.schemas.evidence", "soak.reports", "soak.systems"))]
    assert ours.isdisjoint(f"soak.schemas.target.{name}" for name in ("model", "load", "build", "checks"))
    unused = "http http_checks http_names request_templates check check_build check_checks outlets outlets_build"
    assert ours.isdisjoint(f"soak.schemas.language.{name}" for name in unused.split())


def test_of_one_that_is_wrong_the_validator_says_in_what(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("version: 1\nname: 3\n")
    others, _, _ = loaded(tmp_path, "validate", tmp_path / "wrong.yaml", code=2)
    assert "jsonschema" in others
    assert others.isdisjoint({"numpy", "rich", "matplotlib", "simpy", "jinja2", "psutil"})


def test_a_simulation_loads_nothing_of_an_extra_nor_of_a_real_run(tmp_path: Path) -> None:
    words = ("run", ROOT / "scenarios" / "72h.yaml", "--tier", "pr", "--out", tmp_path / "run")
    others, _, ours = loaded(tmp_path, *words)
    assert {"numpy", "matplotlib"} <= others
    assert others.isdisjoint({"apprise", "distributed", "httpx", "influxdb_client", "junitparser", "prometheus_client"})
    assert others.isdisjoint({"psutil", "rich", "tenacity"})
    compiled = json.loads((tmp_path / "run" / "run_manifest.json").read_text())["engine"]["name"] == "compiled"
    assert ("simpy" in others) is not compiled
    unused = (
        "soak.systems soak.contract soak.runner.export soak.runner.notify soak.runner.http soak.runner.checks.checking"
    )
    assert not [name for name in ours if name.startswith(tuple(unused.split()))]


DRAWS = """
import atexit, pathlib, sys
from soak.runner.cli import main, run_command
def tell():
    import matplotlib.artist, matplotlib.axes
    words = matplotlib.axes.Axes.set.__doc__, matplotlib.artist.kwdoc(matplotlib.axes.Axes)
    pathlib.Path(told).write_text(" ".join(str(len(each) > 1500) for each in words))
atexit.register(tell)
told, whose = sys.argv.pop(1), sys.argv.pop(1)
main() if whose == "ours" else run_command(sys.argv[1:])
"""


@pytest.mark.parametrize(("whose", "found"), [("ours", "False True"), ("theirs", "True True")])
def test_only_a_process_of_our_own_does_without_the_tables_in_docstrings(
    whose: str, found: str, tmp_path: Path
) -> None:
    scenario = ["run", ROOT / "scenarios" / "72h.yaml", "--set", "duration=10m", "--out", tmp_path / "run"]
    subprocess.run(
        [sys.executable, "-c", DRAWS, tmp_path / "found", whose, *scenario], capture_output=True, check=False
    )
    assert (tmp_path / "found").read_text() == found


THREADS = """
import os, sys
from soak.runner import own_process
own_process.claim() if sys.argv[1] == "ours" else None
own_process.import_numpy()
print("numpy" in sys.modules, os.environ.get("OPENBLAS_NUM_THREADS"), len(os.listdir("/proc/self/task")))
"""


@pytest.mark.parametrize(
    ("whose", "set_to", "found"),
    [("ours", None, "True None 1"), ("ours", "1", "False 1 1"), ("theirs", None, "False None 1")],
)
def test_threads_that_nobody_needs_are_not_started_and_children_know_nothing_of_it(
    whose: str, set_to: str | None, found: str
) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_NUM_THREADS"}
    environment |= {"OPENBLAS_NUM_THREADS": set_to} if set_to else {}
    done = subprocess.run(
        [sys.executable, "-c", THREADS, whose], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == found
