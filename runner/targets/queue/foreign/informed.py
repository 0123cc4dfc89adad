"""What every program of a task system finds in its environment: where soak is, and the modules to speak with it."""

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import Program

_PATH = "PYTHONPATH"


def informed(loaded: LoadedTarget, variables: Mapping[str, str], kit: str) -> LoadedTarget:
    """The target file with these variables for all that it starts, and `kit` among what Python imports from.

    The kit comes after the file's own PYTHONPATH, and before that of soak itself, which may have a whole `soak` in it. The
    command `soak`, whose body a shell script may be, is found last of all, also where its environment is not activated.
    """
    file = loaded.file
    commands = os.pathsep.join(each for each in (os.environ.get("PATH", ""), str(Path(sys.executable).parent)) if each)
    environment = {**variables, "PATH": commands, _PATH: "", **file.environment}
    workers = file.workers and replace(file.workers, program=_of_program(file.workers.program, kit))
    changed = replace(
        file,
        environment=_with_kit(environment, kit),
        services=tuple(_of_program(each, kit) for each in file.services),
        workers=workers,
    )
    return dataclasses.replace(loaded, file=changed)


def _of_program(program: Program, kit: str) -> Program:
    return replace(program, environment=_with_kit(program.environment, kit))


def _with_kit(environment: Mapping[str, str], kit: str) -> dict[str, str]:
    if _PATH not in environment:
        return dict(environment)
    paths = (environment[_PATH], kit, os.environ.get(_PATH, ""))
    return {**environment, _PATH: os.pathsep.join(each for each in paths if each)}
