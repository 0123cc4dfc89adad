"""What we promise of our dependencies is what is tested."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = [each for name in ("calls", "dask") for each in PROJECT["project"]["optional-dependencies"][name]]


def test_the_lowest_versions_are_the_lower_bounds() -> None:
    lines = (ROOT / ".ci" / "lowest.txt").read_text().splitlines()
    pinned = {line.replace("==", ">=") for line in lines if line and not line.startswith("#")}
    assert pinned == {*PROJECT["project"]["dependencies"], *EXTRAS}


def test_every_dependency_has_a_reason() -> None:
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    extras = PROJECT["project"]["optional-dependencies"]["test"]
    for requirement in [*PROJECT["project"]["dependencies"], *extras]:
        name = re.split(r"[><=]", requirement)[0]
        assert f"| {name} |" in reasons, name


def test_what_extras_need_is_there_for_the_tests() -> None:
    assert set(EXTRAS) <= set(PROJECT["project"]["optional-dependencies"]["test"])


def test_every_package_is_installed() -> None:
    packages = set(PROJECT["tool"]["setuptools"]["packages"])
    for root in ("schemas", "simulation", "runner", "reports"):
        for path in (ROOT / root).rglob("__init__.py"):
            assert ".".join(path.parent.relative_to(ROOT).parts) in packages
