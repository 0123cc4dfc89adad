"""What they add to the language."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from soak.schemas.language.distributions import Constant
from soak.schemas.language.faults import FaultSpec, fault_table
from soak.schemas.language.room import Language, Minutes
from soak.schemas.language.slis import catalogue
from soak.schemas.stream.events import Kind, Spec

FRAGMENTS = Path(__file__).with_name("fragments")

PLAIN = Language(
    name="plain",
    fragment=FRAGMENTS / "plain.json",
    build=lambda data, folders: None,
    service=lambda data, settings, folders: Constant(1.0),
    slis=catalogue(()),
    faults=fault_table(()),
    minutes=Minutes(counts={}, waiting=frozenset()),
)


def _named(name: str) -> Language:
    return replace(PLAIN, name=name)


def _with_fragment(name: str) -> Language:
    return replace(PLAIN, name=name, fragment=FRAGMENTS / f"{name}.json")


def _fails(*_: Any) -> Any:
    return {}["lamp"]


MISSING, NOTJSON, NOTFRAGMENT = map(_with_fragment, ("missing", "notjson", "notfragment"))
NOSCHEMA, LOOSE, PATTERN, COLLIDES = map(_with_fragment, ("noschema", "loose", "pattern", "collides"))
EVENTS = replace(PLAIN, name="events", events=(Spec("lamp.lit", "well"), Spec("task.done", "taken")))
FAULT = replace(_with_fragment("fault"), faults=fault_table((FaultSpec("worker_crash", (Kind.FAULT_SEEN,)),)))
UNLISTED = replace(PLAIN, name="unlisted", faults=fault_table((FaultSpec("dark", (Kind.FAULT_SEEN,)),)))
HEADLINE = replace(PLAIN, name="headline", headline={"lit": "lamps_lit"})
BUILDER = replace(PLAIN, name="builder", build=_fails)
CHECK = replace(PLAIN, name="check", checks=(_fails,))
NOMODEL, MODEL, FORECAST, TRACKER = map(_named, ("nomodel", "model", "forecast", "tracker"))
