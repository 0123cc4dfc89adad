"""What we promise of our dependencies is what is tested."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from soak.runner.extras import EXTRAS as EXTRAS_OF_RUNS
from soak.runner.extras import distribution_of

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OPTIONAL = PROJECT["project"]["optional-dependencies"]
EXTRAS = [each for name in EXTRAS_OF_RUNS for each in OPTIONAL[name]]
LOCK = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]


def test_the_lowest_versions_are_the_lower_bounds() -> None:
    lines = (ROOT / ".ci" / "lowest.txt").read_text().splitlines()
    pinned = {line.replace("==", ">=", 1) for line in lines if line and not line.startswith("#")}
    assert pinned == {*PROJECT["project"]["dependencies"], *EXTRAS}


def test_every_dependency_has_a_reason() -> None:
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    tools = [each for each in OPTIONAL["test"] if not each.startswith("soak-runner")]
    for requirement in [*PROJECT["project"]["dependencies"], *EXTRAS, *tools]:
        name = re.split(r"[><=;]", requirement)[0]
        assert f"| {name} |" in reasons, name


def test_one_extra_has_all_of_them_and_the_tests_have_it() -> None:
    assert set(OPTIONAL) == {*EXTRAS_OF_RUNS, "all", "test"}
    assert OPTIONAL["all"] == [f"soak-runner[{','.join(sorted(EXTRAS_OF_RUNS))}]"]
    assert "soak-runner[all]" in OPTIONAL["test"]


def test_a_table_says_what_each_extra_is_for() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([\w-]+)` \| [\w`]", page, re.MULTILINE)) == sorted(OPTIONAL)


def test_what_is_asked_for_before_a_run_is_what_its_extra_installs() -> None:
    for extra, modules in EXTRAS_OF_RUNS.items():
        assert {canonicalize_name(Requirement(each).name) for each in OPTIONAL[extra]} == set(
            map(canonicalize_name, map(distribution_of, modules))
        )


def test_what_people_are_told_to_install_is_ours() -> None:
    """`soak` is somebody else's distribution, and ours is in no index."""
    texts = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]
    texts += [
        path for folder in ("runner", "schemas", "reports", "simulation") for path in (ROOT / folder).rglob("*.py")
    ]
    wrong = re.compile(r"\bsoak\[[a-z]+\]|pip(x)? install '?soak'?(?![\w-])|pip install '?soak-runner\[")
    assert [path.name for path in texts if wrong.search(path.read_text(encoding="utf-8"))] == []


def test_every_folder_of_modules_is_a_package() -> None:
    """What is found below src/soak is installed: without __init__.py it would be left out; templates and adapters are data."""
    for folder in ("schemas", "simulation", "runner", "reports", "systems"):
        assert (ROOT / "src" / "soak" / folder).resolve() == ROOT / folder
        for path in (ROOT / folder).rglob("*.py"):
            data = path.parents[1].name in {"templates", "adapters"}
            assert path.with_name("__init__.py").is_file() or data, path


def test_every_file_beside_the_modules_is_packaged() -> None:
    """A checkout finds its data files without that; an installed package only those that pyproject.toml names."""
    packaged: set[Path] = set()
    for package, patterns in PROJECT["tool"]["setuptools"]["package-data"].items():
        folder = ROOT / "src" / Path(*package.split("."))
        packaged |= {path.resolve() for pattern in patterns for path in folder.glob(pattern)}
    for folder in ("schemas", "simulation", "runner", "reports", "systems", "scenarios", "gates"):
        files = {path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".py"}
        assert sorted(path for path in files - packaged if path.parent.name != "__pycache__") == [], folder


# The lock.


_MARKER = r"\(?[a-z_]+ (<|!=|==) '[\w.]+'\)?"


def test_the_lock_holds_exact_versions_and_nothing_else() -> None:
    """No host, no hash, no path: it is the same wherever packages come from."""
    assert [
        line
        for line in LOCK
        if not re.fullmatch(rf"[a-z0-9-]+==[0-9][0-9a-z.]*( ; {_MARKER}( (and|or) {_MARKER})*)?", line)
    ] == []


def test_everything_we_ask_for_is_locked_as_we_ask_for_it() -> None:
    locked = {name: version for name, _, version in (line.partition(" ;")[0].partition("==") for line in LOCK)}
    for asked in map(
        Requirement, [*PROJECT["project"]["dependencies"], *(each for own in OPTIONAL.values() for each in own)]
    ):
        if asked.name == "soak-runner":
            continue
        version = locked[canonicalize_name(asked.name)]
        assert asked.specifier.contains(version), f"{asked}: the lock has {version}"


def test_the_build_backend_is_locked() -> None:
    """No constraint reaches an isolated build with every release of pip: its version is exact where it is asked for."""
    assert all(re.fullmatch(r"[a-z]+==[0-9.]+", each) for each in PROJECT["build-system"]["requires"])


PLACES = [".ci/run", "README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def test_whoever_installs_a_checkout_installs_the_lock() -> None:
    lines = [(place, line) for place in PLACES for line in (ROOT / place).read_text().splitlines()]
    installs = [
        (place, command)
        for place, line in lines
        for command in line.split("&&")
        if re.search(r"pip install .*(?<=[ '])\.(?=[\['\s]|$)", command)
    ]
    assert {place for place, _ in installs} >= {".ci/run", "README.md", "CONTRIBUTING.md", "docs/ci.md"}
    assert [each for each in installs if not re.search("-c (constraints|.ci/lowest).txt", each[1])] == []


INSTALLED = {canonicalize_name(each.metadata["Name"]): each.version for each in distributions()}


@pytest.mark.parametrize(
    ("locked", "said"),
    [
        ({}, []),
        ({"pluggy": "0.1"}, [f"pluggy 0.1 -> {INSTALLED['pluggy']}"]),
        ({"pluggy": None}, [f"pluggy not locked -> {INSTALLED['pluggy']}"]),
        ({"no-such-package": "1.0"}, ["no-such-package 1.0 -> not needed"]),
        ({"no-such-package": "1.0 ; sys_platform == 'other'"}, []),
    ],
)
def test_what_differs_from_the_lock_is_listed(locked: dict[str, str | None], said: list[str], tmp_path: Path) -> None:
    """What is of the locked version, and what the lock has for other machines only, is left out."""
    (tmp_path / ".ci").mkdir()
    script = shutil.copy(ROOT / ".ci" / "differs.py", tmp_path / ".ci")
    (tmp_path / "pyproject.toml").write_text("[build-system]\nrequires = []\n")
    lines = [f"{name}=={version}\n" for name, version in {**INSTALLED, **locked}.items() if version is not None]
    (tmp_path / "constraints.txt").write_text("# The lock.\n" + "".join(lines))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if not re.match("(soak-runner|pip) ", line)] == said
