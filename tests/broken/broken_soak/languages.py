"""What they add to the language."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from soak.schemas.language.distributions import Constant
from soak.schemas.language.faults import FaultSpec, fault_table
from soak.schemas.language.room import Language, Minutes
from soak.schemas.language.slis import SUCCESS_RATE as RATE
from soak.schemas.language.slis import Better, catalogue
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
BADPATH = replace(PLAIN, name="badpath", fragment="language.json")  # type: ignore[arg-type]
BADEVENTS = replace(PLAIN, name="badevents", events=("lamp.lit",))  # type: ignore[arg-type]
BADSLIS = replace(PLAIN, name="badslis", slis=None)  # type: ignore[arg-type]
BADSLI = replace(PLAIN, name="badsli", slis={"glow": replace(RATE, name="glow", unit="ratio")})  # type: ignore[arg-type]
BADFAULTS = replace(PLAIN, name="badfaults", faults=None)  # type: ignore[arg-type]
BADHEADLINE = replace(PLAIN, name="badheadline", headline=None)  # type: ignore[arg-type]
BADSPEC = replace(PLAIN, name="badspec", events=(Spec("lamp.lit", "well", columns=5),))  # type: ignore[arg-type]
REQUIRES, RECURSES = map(_with_fragment, ("requires", "recurses"))
TAKESSLI = replace(PLAIN, name="takessli", slis={"success_rate": replace(RATE, better=Better.LOWER)})
TAKESRSS = replace(PLAIN, name="takesrss", slis={"rss": replace(RATE, name="rss")})
ALIAS = replace(PLAIN, name="alias", slis={"glow": RATE})
COLUMN = replace(PLAIN, name="column", minutes=Minutes({"queue_depth": Kind.TASK_DONE}, frozenset()))
COMMA = replace(PLAIN, name="comma", minutes=Minutes({"lit,dark": Kind.TASK_DONE}, frozenset()))
GREEDY = replace(_with_fragment("greedy"), events=tuple(Spec(f"lamp.lit_{n}", "well") for n in range(16)))
RELABELS = replace(PLAIN, name="relabels", slis={"success_rate": replace(RATE, description="lamps that are lit")})
DEFAULTS = _with_fragment("defaults")
CALIBRATED = _named("calibrated")
NOSLIS = replace(PLAIN, name="noslis", slis={})
NOMODEL, MODEL, FORECAST, TRACKER = map(_named, ("nomodel", "model", "forecast", "tracker"))
