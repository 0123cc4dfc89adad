"""Virtual environments of the systems that adapters are for: where they are, apart from soak's own."""

import os
import sys
from pathlib import Path

VARIABLE = "SOAK_ENVS"
ENVIRONMENT = "env"
"""The name in braces that stands, in the default of an option, for the interpreter of the target's environment."""


def environments() -> Path:
    """The folder of all environments."""
    said = os.environ.get(VARIABLE)
    return Path(said).absolute() if said else Path.home() / ".cache" / "soak" / "envs"


def interpreter_in(folder: Path) -> Path:
    """The interpreter of an environment, whether or not it is there."""
    return folder / "bin" / "python"


def interpreter(name: str) -> str:
    """The interpreter of the environment of a name if it is there, and otherwise the one that runs soak."""
    own = interpreter_in(environments() / name)
    return str(own) if own.exists() else sys.executable
