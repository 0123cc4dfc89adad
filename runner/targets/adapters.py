"""Adapters: target files that come with soak, for systems that do not; each system lives in an environment of its own."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from soak.schemas.errors import UsageError, quoted, reason
from soak.schemas.language.shape import did_you_mean
from soak.schemas.target.environments import environments, interpreter_in
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.templates import expand

FOLDER = Path(__file__).parents[2] / "systems" / "adapters"
TARGET, REQUIREMENTS = "target.yaml", "requirements"

_FIND = (
    "import sys, importlib.util as u\n"
    "for name in sys.argv[1:]:\n"
    "    try: found = u.find_spec(name)\n"
    "    except ImportError: found = None\n"
    "    if found is None: print(name)\n"
)
_LOOK_S = 60.0


def adapters() -> dict[str, Path]:
    """The target file of each adapter, by its name, which is that of its folder."""
    return {path.parent.name: path for path in sorted(FOLDER.glob(f"*/{TARGET}"))}


def requirements() -> dict[str, Path]:
    """What is installed into each environment, by its name: that of the adapter, or with a suffix, such as `celery-5.4`."""
    files = sorted(FOLDER.glob(f"*/{REQUIREMENTS}*.txt"))
    return {path.parent.name + path.stem.removeprefix(REQUIREMENTS): path for path in files}


class Environment(Struct, frozen=True):
    """A virtual environment to be made in `folder` from the file `requirements`."""

    name: str
    folder: Path
    requirements: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return interpreter_in(self.folder)


def environment_of(name: str, folder: Path | None = None) -> Environment:
    """The environment of an adapter; folder: where, if not at its usual place. Raises UsageError for an unknown name."""
    known = requirements()
    if name not in known:
        remedy = did_you_mean(name, list(known)) if known else "there is none"
        raise UsageError(f"no adapter {quoted(name)} needs an environment ({remedy})")
    return Environment(name, (folder or environments() / name).absolute(), known[name])


def refuse_without(loaded: LoadedTarget) -> None:
    """Raise UsageError when a Python module that a target file needs is not installed."""
    needs = loaded.file.needs
    if needs is None:
        return
    python = expand(needs.python, _names(loaded))
    missing = _missing(python, needs.modules, loaded)
    if missing:
        name = needs.env or loaded.file.name
        remedy = f"run: soak target env {name}" if name in requirements() else "install them there"
        what = f"target {loaded.file.name} needs the Python modules {', '.join(needs.modules)}"
        raise UsageError(f"{what}, and {python} lacks {', '.join(missing)} ({remedy})")


def _names(loaded: LoadedTarget) -> Mapping[str, str]:
    return {"here": str(loaded.folder.resolve()), "python": sys.executable, "name": loaded.file.name}


def _missing(python: str, modules: tuple[str, ...], loaded: LoadedTarget) -> list[str]:
    """Modules that an interpreter does not find, from the folder of the target file."""
    command = [python, "-c", _FIND, *modules]
    try:
        found = subprocess.run(
            command, cwd=loaded.folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LOOK_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"{python} took longer than {_LOOK_S:.0f} s to look for modules (try it by hand)") from None
    except OSError as error:
        raise UsageError(f"{python}: {reason(error)} (name an interpreter that is there)") from None
    if found.returncode:
        raise UsageError(f"{python} exited with {found.returncode} instead of looking for modules (is it a Python?)")
    return found.stdout.decode(errors="replace").split()
