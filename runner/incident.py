"""The fields of an incident that a person fills in."""

import re

FIELDS = ("Mitigation", "Root cause", "Prevention")
EMPTY = "*to be filled in*"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def empty_fields(text: str) -> list[str]:
    """Those of FIELDS that nobody has written anything under; each is a heading, and what follows up to the next."""
    found = _sections(_COMMENT.sub("", text))
    return [name for name in FIELDS if not found.get(name.lower(), "").replace(EMPTY, "").strip()]


def _sections(text: str) -> dict[str, str]:
    sections: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            name = heading[1].lower()
        else:
            sections[name] = sections.get(name, "") + line + "\n"
    return sections
