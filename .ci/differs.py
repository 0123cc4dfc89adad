"""Which packages of this environment are of another version than the lock has: a line each, none when all are the same."""

import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
OURS = {"soak-runner", "pip"}


def locked() -> dict[str, str]:
    """The version of every package that the lock has for this machine, the build backend of pyproject.toml among them."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    asked = [Requirement(line) for line in [*lines, *build] if line and not line.startswith("#")]
    return {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in asked
        if each.marker is None or each.marker.evaluate()
    }


def installed() -> dict[str, str]:
    """The version of every package that is installed here, but for our own and pip."""
    found = {canonicalize_name(each.metadata["Name"]): each.version for each in distributions()}
    return {name: version for name, version in found.items() if name not in OURS}


def main() -> None:
    """Write a line for each difference."""
    before, now = locked(), installed()
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name, "not locked"), now.get(name, "not needed")
        if old != new:
            sys.stdout.write(f"{name} {old} -> {new}\n")


main()
