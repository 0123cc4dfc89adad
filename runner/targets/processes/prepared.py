"""A target file made ready for a run: free ports, names in braces replaced, its files written, its commands there."""

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from soak.runner.targets.processes.launch import Launcher
from soak.runner.targets.processes.ports import free_ports
from soak.schemas.errors import Problem, Where, writing
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import Program, Spoken, Stop, TargetFile
from soak.schemas.target.templates import PORT, expand, names_in

_EXECUTABLE = 0o755


class Prepared(Struct, frozen=True):
    """A target file for one run: in `file` all names are replaced but those known later (`{pid}`, `{epoch}`, `{for}`, …).

    directory: `{dir}`, of the files of the system and its logs. ports: by name. launcher: starts what the file describes.
    """

    file: TargetFile
    directory: Path
    ports: Mapping[str, int]
    launcher: Launcher


def prepare(
    loaded: LoadedTarget, directory: Path, values: Mapping[str, str], ports: Mapping[str, int] | None = None
) -> Prepared:
    """Make a target file ready, and write its files into `directory`, which exists. Raises OutputError.

    values: of the names in braces that are of the run (`speed`, `seed`, `duration`, `timezone`, `config`, `replay`). ports: those
    of a run that goes on; None: free ones are looked for.
    """
    ports = free_ports(loaded.file.ports) if ports is None else ports
    whole = directory.resolve()
    known = {**own_names(loaded), "dir": str(whole), **values, **_texts(ports)}
    file = expand(loaded.file, known)
    if loaded.file.workers:
        # The name is that of each worker, put in when it is started.
        of_each = {name: value for name, value in known.items() if name != "name"}
        file = replace(file, workers=expand(loaded.file.workers, of_each))
    for each in file.files:
        path = Path(each.path)
        with writing(path.relative_to(whole)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(each.text, encoding="utf-8")
            if each.executable:
                path.chmod(_EXECUTABLE)
    return Prepared(file, whole, ports, Launcher(whole, loaded.folder.resolve(), file.environment))


def missing_commands(loaded: LoadedTarget, processes: Iterable[str] | None = None) -> Iterator[Problem]:
    """Commands and working directories that do not exist.

    processes: names of those that a scenario has; None: all. What lies below `{dir}` is not there yet, and not looked at.
    """
    file = expand(loaded.file, own_names(loaded))
    wanted = None if processes is None else {*processes}
    launcher = Launcher(Path(), loaded.folder.resolve(), file.environment)
    for where, program in places(loaded, file):
        unwanted = wanted is not None and where[0] == "processes" and program.name not in wanted
        if not unwanted and not is_below(program) and (found := launcher.missing(program)):
            key = "process" if (*where, "process") in loaded.document.keys else found.key
            yield loaded.document.problem((*where, key), found.what, found.remedy)


def places(loaded: LoadedTarget, file: TargetFile) -> Iterator[tuple[Where, Program]]:
    """All that soak starts, each with its place in the target file."""
    data: Any = loaded.document.data
    # Some services may have been left out, so that their places are found by their names.
    services = [each["name"] for each in data.get("services", ())]
    yield from ((("services", services.index(each.name)), each) for each in file.services)
    if file.source:
        yield ("source",), file.source.program
    if file.supervisor:
        yield ("supervisor",), file.supervisor.program
    yield from ((("processes", place), each.program) for place, each in enumerate(file.processes) if each.program)
    if file.workers:
        yield ("workers",), file.workers.program
    yield from _spoken("submit", file.submit)
    yield from _spoken("census", file.census)


def _spoken(key: str, said: Spoken | bool | None) -> Iterator[tuple[Where, Program]]:
    """What is run to be asked, as a program."""
    if isinstance(said, Spoken) and (command := said.command or said.process):
        yield (key,), Program(key, command, said.directory, {}, (), None, Stop())


def is_below(program: Program) -> bool:
    """Whether its command or its directory is below `{dir}`, or depends on the run otherwise."""
    command, *_ = shlex.split(program.command)
    return any(names_in(f"{command} {program.directory}"))


def own_names(loaded: LoadedTarget) -> dict[str, str]:
    """The names in braces that are known without a run."""
    here, cwd = str(loaded.folder.resolve()), str(Path.cwd())
    return {"here": here, "cwd": cwd, "python": sys.executable, "name": loaded.file.name}


def _texts(ports: Mapping[str, int]) -> dict[str, str]:
    return {f"{PORT}{name}": str(port) for name, port in ports.items()}
