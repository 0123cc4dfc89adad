"""The package as people install it: one wheel, in one environment, used from folders that are not the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "src",
    "schemas",
    "simulation",
    "runner",
    "reports",
    "systems",
)
DATA = ("scenarios", "gates")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
OFFLINE = ("--no-deps", "--no-index", "--no-build-isolation")
OURS = ("schemas", "reports", "runner", "simulation", "systems")
STANDARD = ("queue", "select")

Soak = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(place: Path) -> Path:
    """A new environment without pip, that sees the libraries of this one but not our own package; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(place)})
    # A path in a .pth file is searched after the environment's own, and .pth files in it are not read.
    Path(packages, "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin" / "python"


def install(python: Path, *what: str | Path) -> None:
    subprocess.run([*PIP, "--python", python, "install", *OFFLINE, *what], check=True)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packaged: building leaves files beside it."""
    place = tmp_path_factory.mktemp("sources")
    for name in PARTS + DATA:
        path = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so")
        if path.is_dir():
            shutil.copytree(path, place / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(path, place)
    return place


@pytest.fixture(scope="session")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run([*PIP, "wheel", *OFFLINE, "--wheel-dir", place, sources], check=True)
    return next(place.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel."""
    python = environment(tmp_path_factory.mktemp("environment"))
    install(python, wheel)
    return python


@pytest.fixture
def soak(installed: Path, tmp_path: Path) -> Soak:
    """The installed command, run in an empty folder."""
    kept = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONSAFEPATH"}}

    def call(*words: str | Path) -> "subprocess.CompletedProcess[str]":
        command = [installed.with_name("soak"), *words]
        return subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, check=False, timeout=120)

    return call


# What is in the wheel.


def dist_info(wheel: Path) -> str:
    """The folder of its metadata, which is called after name and version, as the wheel is."""
    return "-".join(wheel.name.split("-")[:2]) + ".dist-info"


def test_everything_is_below_one_name_and_what_is_shipped_is_there(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in names} == {"soak", dist_info(wheel)}
    for folder in (*OURS, *DATA):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.parent.name != "__pycache__" and path.suffix != ".so":
                assert f"soak/{path.relative_to(ROOT).as_posix()}" in names
    assert "soak/py.typed" in names


def test_it_says_where_it_runs_what_it_needs_and_where_it_is_at_home(wheel: Path) -> None:
    said = message_from_bytes(zipfile.ZipFile(wheel).read(f"{dist_info(wheel)}/METADATA"))
    urls = {entry.partition(", ")[0] for entry in said.get_all("Project-URL", [])}
    assert urls == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    assert {"Operating System :: POSIX :: Linux", "Typing :: Typed"} <= set(said.get_all("Classifier", []))
    assert {"all", "calls", "dask", "export", "notify"} <= set(said.get_all("Provides-Extra", []))
    needed = [entry for entry in said.get_all("Requires-Dist", []) if "extra ==" not in entry]
    assert [entry for entry in needed if entry.startswith(("apprise", "prometheus", "influxdb"))] == []


# With compiled parts.


def compiled(python: Path, folder: Path, **environment: str) -> dict[str, str]:
    """What `python -m soak.simulation.compiled` says of each source."""
    command = [python, "-m", "soak.simulation.compiled"]
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | environment
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def test_the_wheel_is_of_any_platform_and_works_without_a_compiler(
    wheel: Path, installed: Path, tmp_path: Path
) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    told = compiled(installed, tmp_path, PATH="/nowhere", SOAK_CACHE=str(tmp_path / "cache"))
    assert "simulation/queue/kernel.c" in told
    assert set(told.values()) == {"not built: there is no C compiler (install gcc or clang)"}


def test_a_wheel_of_one_platform_brings_the_libraries_for_any_python(sources: Path, tmp_path: Path) -> None:
    place = tmp_path / "sources"
    shutil.copytree(sources, place, symlinks=True, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    command = [sys.executable, "-m", "soak.simulation.compiled", "--into-package"]
    subprocess.run(command, cwd=place, env={**os.environ, "PYTHONPATH": str(place / "src")}, check=True)
    subprocess.run([*PIP, "wheel", *OFFLINE, "--wheel-dir", tmp_path, place], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert wheel.name.endswith(f"-py3-none-{platform}.whl")
    python = environment(tmp_path / "environment")
    install(python, wheel)
    told = compiled(python, tmp_path, PATH="/nowhere", SOAK_CACHE=str(tmp_path / "cache"))
    package = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "environment")})) / "soak"
    for source, library in told.items():
        assert Path(library).parent == (package / source).parent
        assert Path(library).is_file()
    assert "simulation/queue/kernel.c" in told
    assert not (tmp_path / "cache").exists()


# Used from a folder of someone's own.


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    """A folder full of packages named like our folders, or like standard modules: each says so when it is imported."""
    for name in (*OURS, *STANDARD):
        (tmp_path / name).mkdir()
        content = "" if name == "schemas" else f"raise RuntimeError('the user\\'s {name}')\n"
        (tmp_path / name / "__init__.py").write_text(content)
    shutil.copy(ROOT / "docs" / "examples" / "memory_queue.py", tmp_path)
    user = "from memory_queue import MemoryQueue\n\n\nclass MyQueue(MemoryQueue):\n    pass\n"
    (tmp_path / "schemas" / "user.py").write_text(user)
    return tmp_path


def test_a_shipped_scenario_is_copied_and_run(soak: Soak, taken: Path) -> None:
    assert soak("init", "--from", "72h").returncode == 0
    assert (taken / "scenario.schema.json").exists()
    done = soak("run", "72h.yaml", "--tier", "pr", "--out", "run")
    assert (done.returncode, done.stdout.split()[0]) == (0, "PASS"), done.stderr
    assert (taken / "run" / "report.html").exists()


def test_the_self_test_finds_a_defect(soak: Soak, taken: Path) -> None:
    """Workers and dispatchers are processes of their own, started from that folder."""
    done = soak("selftest", "--defect", "backoff_ignored", "--clean", "0", "--speed", "600")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "objective backoff_violations == 0" in done.stdout


def test_a_class_of_that_folder_is_attached(soak: Soak, taken: Path) -> None:
    words = ("--target", "schemas.user:MyQueue", "--duration", "5m", "--speed", "240", "--out", "run")
    done = soak("run", ROOT / "scenarios" / "72h.yaml", *words)
    assert " tasks: " in done.stdout, done.stderr
    assert "the user's" not in done.stderr


# Types.


PROGRAM = """
from collections.abc import Iterator

import soak
from soak.body import Body
from soak.contract import Queue
from soak.testing import Result, check_class


def outcome(path: str) -> soak.Outcome:
    run: soak.Run = soak.run(soak.load(path, settings={"queue.workers": 2}), on_remark=print)
    events: Iterator[soak.Event] = run.events()
    times: list[float] = [event.t_s for event in events]
    problems: list[str] = [finding.problem for finding in run.verify()]
    margins: list[float | None] = [each.margin for each in soak.simulate(path).objectives]
    print(times, problems, margins, float(run.metrics.t_s[0]), Body, run.manifest.started_at)
    return soak.open_run(run.path).verdict.verdict


def failed(kind: type[Queue]) -> list[Result]:
    return [each for each in check_class(kind) if each.status == "failed"]
"""
WRONG = "\nsoak.nothing\nsoak.run(1)\nnumber: int = soak.simulate('a')\n"


def test_a_program_is_checked_strictly(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM + WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--python-executable", installed]
    done = subprocess.run([*command, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    first = PROGRAM.count("\n") + 2
    found = [line.partition(": error: ") for line in done.stdout.splitlines()]
    assert [place for place, _, _ in found] == [f"program.py:{first + index}" for index in range(3)], done.stdout
    assert [text.rpartition("  ")[2] for _, _, text in found] == ["[attr-defined]", "[arg-type]", "[assignment]"]


# An editable checkout.


def test_a_new_file_is_seen_without_installing_again(sources: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "environment")
    install(python, "--editable", sources)
    (sources / "runner" / "brand_new.py").write_text("HERE = 1\n")
    code = "import soak.runner.brand_new as new; assert new.HERE; print(new.__file__)"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).resolve() == sources / "runner" / "brand_new.py"
