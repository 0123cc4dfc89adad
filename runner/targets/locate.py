"""Finding an attached class: `package.module:Class`, or the name of an entry point."""

import importlib
import math
import sys
from collections.abc import Collection
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeAlias, TypeGuard

from soak.contract import QUEUE_METHODS, SYSTEM_METHODS, Queue, System
from soak.schemas.errors import UsageError, quoted, shortened
from soak.schemas.language.shape import did_you_mean
from soak.schemas.target.model import Promise

GROUP = "soak.targets"
"""The entry point group for attached classes."""

Attached: TypeAlias = type[Queue] | type[System]

_WRITE = "write package.module:Class"


def names() -> list[str]:
    """The names registered by installed packages."""
    return [point.name for point in entry_points(group=GROUP)]


def find_class(name: str, known: tuple[str, ...] = ()) -> Attached:
    """The class by its name; `known` are the names of other targets, for the message. Raises UsageError."""
    if ":" in name:
        return _import(name)
    for point in entry_points(group=GROUP, name=name):
        return _import(f"{point.module}:{point.attr}", f"target {name}: ")
    others = did_you_mean(name, [*known, *names()])
    raise UsageError(f"no target {name!r} ({others}; or write a class as package.module:Class)")


def owns_workers(kind: Attached) -> TypeGuard[type[System]]:
    """Whether a class is a system that owns its workers; otherwise it is a queue."""
    return callable(getattr(kind, "changes", None))


def declared_redelivery(name: str, kind: Attached) -> float | None:
    """The declared maximum time until the work of a dead worker is started again, in real seconds; None if not declared.

    Raises UsageError for anything but a number of seconds.
    """
    declared = getattr(kind, "redelivery_s", None)
    if declared is None:
        return None
    if isinstance(declared, bool) or not isinstance(declared, int | float) or not 0 <= declared < math.inf:
        raise UsageError(
            f"{name}: redelivery_s is {shortened(repr(declared))} (write a number of seconds, such as 30.0)"
        )
    return float(declared)


def declared_promises(name: str, kind: Attached) -> tuple[str, ...] | None:
    """What a class promises, in words of `Promise`, in alphabetical order; None if it declares nothing, and promises everything.

    Raises UsageError for anything but a collection of such words.
    """
    declared = getattr(kind, "promises", None)
    if declared is None:
        return None
    known = {each.value for each in Promise}
    if isinstance(declared, str) or not isinstance(declared, Collection):
        what = f"{name}: promises is {shortened(repr(declared))}"
        raise UsageError(f'{what} (write a tuple of words, such as ("at_least_once", "retries"))')
    for word in declared:
        if word not in known:
            raise UsageError(f"{name}: promises has {shortened(repr(word))} ({did_you_mean(str(word), sorted(known))})")
    return tuple(sorted({str(word) for word in declared}))


def _import(reference: str, prefix: str = "") -> Attached:
    module_name, _, class_name = reference.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *class_name.split("."))):
        raise UsageError(f"{prefix}{quoted(reference)} does not name a class ({_WRITE})")
    found: object = _module(module_name, prefix)
    for part in class_name.split("."):
        if not hasattr(found, part):
            classes = sorted(key for key, value in getattr(found, "__dict__", {}).items() if isinstance(value, type))
            known = did_you_mean(part, classes) if classes else "it contains no class"
            raise UsageError(f"{prefix}{module_name} has no {part!r} ({known})")
        found = getattr(found, part)
    if not isinstance(found, type):
        raise UsageError(f"{prefix}{reference} is not a class but {shortened(repr(found))} ({_WRITE})")
    return _with_methods(found, prefix + reference)


def _module(name: str, prefix: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(_before_packages(), here)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            where = "the current directory or an installed package"
            raise UsageError(f"{prefix}no module {error.name!r} ({_WRITE}, with the module in {where})") from error
        what = f"{type(error).__name__}: {shortened(str(error))}"
        raise UsageError(f"{prefix}importing {name} raised {what} (try: python -c 'import {name}')") from error


def _before_packages() -> int:
    """Where in `sys.path` what is installed begins: a folder that is named `queue` or `json` takes no standard module's place."""
    kinds = {"site-packages", "dist-packages"}
    return next((index for index, entry in enumerate(sys.path) if Path(entry).name in kinds), len(sys.path))


def _with_methods(found: type, name: str) -> Attached:
    system = owns_workers(found)
    methods, shape = (SYSTEM_METHODS, "System") if system else (QUEUE_METHODS, "Queue")
    if missing := [method for method in methods if not callable(getattr(found, method, None))]:
        other = "" if system else "; one that owns its workers has changes"
        raise UsageError(f"{name} lacks {', '.join(missing)} (write them as described in soak.contract.{shape}{other})")
    return found
