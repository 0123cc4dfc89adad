"""Names in braces in the texts of a target file: `{dir}`, `{port.health}`. `{{name}}` stands for `{name}`; all else is itself."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.braces import fill, names_in
from soak.schemas.errors import Where

ALWAYS: Mapping[str, str] = {
    "dir": "the directory of the run for the files of the system",
    "here": "the folder of the target file",
    "cwd": "the directory that soak was started in",
    "python": "the Python interpreter that runs soak",
    "name": "the name of the target",
    "speed": "scenario seconds per real second",
    "seed": "the seed of the run",
    "duration": "the duration of the run, in real seconds",
    "timezone": "the time zone of the machine, such as Asia/Seoul",
    "config": "a JSON file with the settings of the scenario, in real seconds",
    "replay": "a file with the records to send",
}
"""What is known in every text, and what it stands for; beside these the ports, as `port.NAME`, and options, as `option.NAME`."""

OF_TASKS: Mapping[str, str] = {
    "kit": "a folder with the package `soak` as far as tasks and submitters need it, for another interpreter",
    "workers": "the number of workers",
}
"""The same, in the target file of a task system; beside these the ports of proxies, as `proxy.NAME`."""

WITHIN: Mapping[str, tuple[str, ...]] = {
    "pid": ("stop", "kill", "faults"),
    "epoch": ("go",),
    "for": ("disconnect", "faults"),
    "process": ("faults",),
    "sink": ("faults",),
    "after": ("query",),
    "port": ("services", "workers"),
}
"""What is known only in texts below one of these keys: a process id, seconds since 1970, the length of a fault in seconds, the
process or sink that it strikes, the largest position that was read, a port of one's own."""

PORT, PROXY, OPTION = "port.", "proxy.", "option."

T = TypeVar("T")

__all__ = [
    "ALWAYS",
    "OF_TASKS",
    "OPTION",
    "PORT",
    "PROXY",
    "WITHIN",
    "expand",
    "fill",
    "fill_command",
    "known_names",
    "names_in",
    "texts_of",
]


def known_names(where: Where, data: Mapping[str, Any], ports: Iterable[str]) -> list[str]:
    """The names that the text at `where` of a target file may hold."""
    here = [name for name, keys in WITHIN.items() if not {*keys}.isdisjoint(where)]
    tasks = [*OF_TASKS, *(f"{PROXY}{each}" for each in data.get("proxies", ()))] if "submit" in data else []
    submitted = ["key", "payload"] if where == ("submit", "command") else []
    options = [f"{OPTION}{each}" for each in data.get("options", ())]
    return [*ALWAYS, *here, *submitted, *(f"{PORT}{each}" for each in ports), *tasks, *options]


def fill_command(text: str, values: Mapping[str, str]) -> str:
    """A command line with its names replaced: one word stays one word, also where a value has a space."""
    try:
        words = [fill(word, values) for word in shlex.split(text)]
    except ValueError:
        return fill(text, values)
    filled = fill(text, values)
    return filled if _words(filled) == words else shlex.join(words)


def _words(text: str) -> list[str] | None:
    try:
        return shlex.split(text)
    except ValueError:
        return None


def expand(value: T, values: Mapping[str, str]) -> T:
    """`value`, part of a target file, with the names in all its texts replaced."""
    expanded: T = _expand(value, values)
    return expanded


def texts_of(value: Any) -> Iterator[str]:
    """All texts in a part of a target file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        yield from (text for each in value for text in texts_of(each))
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() for text in texts_of(each))
    elif isinstance(value, Struct):
        yield from (text for name in value.__struct_fields__ for text in texts_of(getattr(value, name)))


def _expand(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return fill(value, values)
    if isinstance(value, tuple | list):
        return type(value)(_expand(each, values) for each in value)
    if isinstance(value, Mapping):
        return {key: _expand(each, values) for key, each in value.items()}
    if isinstance(value, Struct):
        return replace(value, **dict(_expanded(value, values)))
    return value


def _expanded(value: Struct, values: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """The fields of a part of a target file; its command lines stay as many words as they are."""
    commands = {"command", "process", *(["what"] if getattr(value, "kind", None) == "exec" else [])}
    for name in value.__struct_fields__:
        content = getattr(value, name)
        is_command = name in commands and isinstance(content, str)
        yield name, fill_command(content, values) if is_command else _expand(content, values)
