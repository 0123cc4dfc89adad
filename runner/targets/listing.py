"""What `soak target list` prints: targets that have a name, and adapters with their options and promises."""

import json
from collections.abc import Iterator, Sequence

from msgspec import Struct, to_builtins

from soak.runner.targets.adapters import adapters, requirements
from soak.runner.targets.room import room_of
from soak.schemas.language.registry import OURS
from soak.schemas.target.environments import environments, interpreter_in
from soak.schemas.target.load import load_target
from soak.schemas.target.model import Option, Promises, TargetFile
from soak.schemas.units import show_duration


class Listed(Struct, frozen=True):
    """A target by its name; system: None for an adapter. environment: whether its own is there; None: it needs none."""

    name: str
    system: str | None = None
    title: str = ""
    options: tuple[Option, ...] = ()
    promises: tuple[str, ...] | None = None
    environment: bool | None = None


def listed() -> list[Listed]:
    """All of them: those of systems, then adapters. Raises ScenarioError for an adapter whose file is not valid."""
    ours = [Listed(each.name, system) for system in OURS for each in room_of(system).named]
    return [*ours, *_adapters()]


def _adapters() -> Iterator[Listed]:
    for name, path in adapters().items():
        file, known = load_target(path).file, requirements()
        there = interpreter_in(environments() / name).exists() if name in known else None
        yield Listed(name, None, file.title, tuple(file.options.values()), _words(file), there)


def _words(file: TargetFile) -> tuple[str, ...] | None:
    return promise_words(file.promises) if file.promises else None


def promise_words(promises: Promises) -> tuple[str, ...]:
    """Promises as a target file has them, in order of their names."""
    bound = promises.redelivery_s
    return tuple(
        f"redelivery within {show_duration(bound)}" if each == "redelivery" and bound is not None else each.value
        for each in sorted(promises.made)
    )


def as_data(found: Sequence[Listed]) -> str:
    """As JSON."""
    return json.dumps(to_builtins(found), indent=2)


def in_words(found: Sequence[Listed]) -> str:
    """For a terminal."""
    ours = [each for each in found if each.system]
    width = max((len(each.name) for each in ours), default=0)
    lines = [
        "Targets with a name:",
        *(f"  {each.name:{width}}  runs scenarios of the system {each.system}" for each in ours),
    ]
    for each in found[len(ours) :]:
        lines += ["", f"{each.name}: {each.title}", *_details(each)]
    return "\n".join(lines)


def _details(each: Listed) -> Iterator[str]:
    if each.promises is not None:
        yield f"  promises: {', '.join(each.promises) or 'nothing'}"
    if each.environment is False:
        yield f"  environment: not made yet (run: soak target env {each.name})"
    width = max((len(option.name) for option in each.options), default=0)
    for option in each.options:
        said = f" [{option.default}]" if option.default else "" if option.default == "" else " [must be given]"
        choices = f" ({', '.join(option.choices)})" if option.choices else ""
        yield f"  --option {option.name:{width}}  {option.description}{choices}{said}".rstrip()
