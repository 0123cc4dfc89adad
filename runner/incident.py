"""The fields of an incident that a person fills in."""

import re

FIELDS = ("Mitigation", "Root cause", "Prevention")
EMPTY = "*to be filled in*"
_PLACEHOLDERS = frozenset(
    {"", "-", "?", "n/a", "na", "none yet", "tba", "tbd", "to be determined", "todo", "x", "xxx", "..."}
)
"""Placeholders that count as empty."""

_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def empty_fields(text: str) -> list[str]:
    """The FIELDS without text; a field is a heading and what follows up to the next heading."""
    found = _sections(_COMMENT.sub("", text))
    written = {name: found.get(name.lower(), "").replace(EMPTY, "").strip() for name in FIELDS}
    return [name for name, text in written.items() if text.lower().strip(" .!*_") in _PLACEHOLDERS]


def generated_part(text: str) -> list[str]:
    """The generated lines: everything except the text under FIELDS."""
    own = {name.lower() for name in FIELDS}
    kept, name = [], ""
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            name = heading[1].lower()
        if (heading or name not in own) and line.strip():
            kept.append(line)
    return kept


def emptied(text: str) -> str:
    """The incident as it was made, when people have written into FIELDS alone."""
    own = {name.lower() for name in FIELDS}
    kept, name = [], ""
    for line in text.split("\n"):
        if heading := _HEADING.match(line):
            name = heading[1].lower()
            kept += [line, "", EMPTY, ""] if name in own else [line]
        elif name not in own:
            kept.append(line)
    return "\n".join(kept)


def _sections(text: str) -> dict[str, str]:
    sections: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            name = heading[1].lower()
        else:
            sections[name] = sections.get(name, "") + line + "\n"
    return sections
