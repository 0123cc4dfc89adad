"""The fields of an incident that a person fills in."""

import re
from collections.abc import Collection

FIELDS = ("Mitigation", "Root cause", "Prevention")
RUN_BOOK = "Run book"
EMPTY = "*to be filled in*"
_PLACEHOLDERS = frozenset(
    {"", "-", "?", "n/a", "na", "none yet", "tba", "tbd", "to be determined", "todo", "x", "xxx", "..."}
)
"""Placeholders that count as empty."""

_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_FORMER = (
    (r"(\| time .*) if it ran in real time", r"\1 (as if in real time)"),
    (r"(\| detected by .*) in a moving window of", r"\1 in a sliding window of"),
    (r"\| extent \| of ([\d,]+) accepted tasks ", r"| extent | \1 accepted tasks: "),
    (r"(\| extent .*) wait to be taken in", r"\1 not accepted"),
    (r"\| errors until then", "| errors so far"),
    (r"## Tasks concerned", "## Affected tasks"),
    (r"None: no task was open, and none had FAILED or was BLOCKED", "None: no task was open, FAILED or BLOCKED"),
    (r"What was out of the ordinary, last:", "The last notable events:"),
    (r"(\|.*) \(and ([\d,]+) more of these before it\)", r"\1 (and \2 more before it)"),
    (r"(.*# BLOCKED:) over its budget,", r"\1 over budget,"),
    (r"(.*# FAILED:) once more, when the cause is gone", r"\1 retry once the cause is fixed"),
    (r"(.*# IN_PROGRESS:) its work is known", r"\1 known"),
    (r"(.*# open:) it must", r"\1 must"),
    (
        r"(The run was simulated), and there is no such database: (.*) the real system",
        r"\1, so this database does not exist: \2 a real system",
    ),
    (
        r"(`soak incident` lists) what is still empty, and a gate refuses it",
        r"\1 empty fields; a gate refuses an incident with empty fields",
    ),
)
"""Earlier wordings of generated lines and what they read now: incidents already filled in must not count as changed."""
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def empty_fields(text: str) -> list[str]:
    """The FIELDS without text; a field is a heading and what follows up to the next heading."""
    found = _sections(_COMMENT.sub("", text))
    written = {name: found.get(name.lower(), "").replace(EMPTY, "").strip() for name in FIELDS}
    return [name for name, text in written.items() if text.lower().strip(" .!*_") in _PLACEHOLDERS]


def generated_part(text: str, without: Collection[str] = ()) -> list[str]:
    """The generated lines: everything except the text under FIELDS, and the sections `without`."""
    own = {name.lower() for name in FIELDS}
    left_out = {name.lower() for name in without}
    kept, name = [], ""
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            name = heading[1].lower()
        if (heading or name not in own) and name not in left_out and line.strip():
            kept.append(_present_wording(line))
    return kept


def is_unchanged(now: str, made: str) -> bool:
    """Whether the generated part of an incident is what it is `made` of anew.

    A run book is no longer made for every system: one that is there may stay.
    """
    dropped = [] if f"## {RUN_BOOK}" in made.splitlines() else [RUN_BOOK]
    return generated_part(now, dropped) == generated_part(made)


def _present_wording(line: str) -> str:
    for former, now in _FORMER:
        line = re.sub(f"^{former}", now, line)
    return line


def _sections(text: str) -> dict[str, str]:
    sections: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            name = heading[1].lower()
        else:
            sections[name] = sections.get(name, "") + line + "\n"
    return sections
