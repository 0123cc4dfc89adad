"""Systems that are broken, each in another way; `PLAIN` works."""

from soak.schemas.language.registry import System

NO_SYSTEM = {"name": "nosystem"}


def _system(name: str, *, language: str = "", model: str = "MODEL", judge: str = "JUDGE") -> System:
    rooms = "broken_soak.rooms"
    return System(
        name,
        language or f"broken_soak.languages:{name.upper()}",
        f"{rooms}:{model}",
        f"{rooms}:{judge}",
        f"{rooms}:TARGETS",
        f"{rooms}:REPORT",
    )


PLAIN = _system("plain")
TWICE = _system("twice", language="broken_soak.languages:PLAIN")
RIVAL = _system("twice", language="broken_soak.languages:PLAIN", judge="BROKEN_JUDGE")
NO_ROOM = _system("noroom", language="broken_soak.nowhere:LANGUAGE")
WRONG_KIND = _system("wrongkind", language="broken_soak:NO_SYSTEM")
MISSPOKEN = _system("misspoken", language="broken_soak.languages:PLAIN")
MISSING, NOT_JSON, NOT_FRAGMENT = _system("missing"), _system("notjson"), _system("notfragment")
NO_SCHEMA, LOOSE, PATTERN = _system("noschema"), _system("loose"), _system("pattern")
COLLIDES, EVENTS, FAULT = _system("collides"), _system("events"), _system("fault")
NO_TEXT = System("notext", None, "", "", "", "")  # type: ignore[arg-type]
BAD_PATH, BAD_EVENTS, BAD_SLIS, BAD_SLI = (
    _system("badpath"),
    _system("badevents"),
    _system("badslis"),
    _system("badsli"),
)
BAD_FAULTS, BAD_HEADLINE, BAD_SPEC = _system("badfaults"), _system("badheadline"), _system("badspec")
REQUIRES, RECURSES = _system("requires"), _system("recurses")
TAKES_SLI, TAKES_RSS, ALIAS = _system("takessli"), _system("takesrss"), _system("alias")
COLUMN, COMMA, GREEDY = _system("column"), _system("comma"), _system("greedy")
NO_SLIS, RELABELS, DEFAULTS = _system("noslis"), _system("relabels"), _system("defaults")
CALIBRATED = _system("calibrated", model="CALIBRATED_MODEL")
UNLISTED, HEADLINE = _system("unlisted"), _system("headline")
BUILDER, CHECK = _system("builder"), _system("check")
NO_MODEL = _system("nomodel", model="NOTHING")
MODEL = _system("model", model="BROKEN_MODEL")
FORECAST = _system("forecast", model="BROKEN_FORECAST")
TRACKER = _system("tracker", judge="BROKEN_JUDGE")
