"""Texts of the evidence as reports show them: long ones shortened, invisible characters written out."""

import re

LONGEST = 2_000
"""Characters of a text that a report shows."""

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters, those that turn the direction of writing (Unicode Annex 9), and others that nobody sees."""


def brief(text: object, longest: int = LONGEST) -> str:
    """A text of at most `longest` characters and a note on how many more there are, its invisible characters written out."""
    whole = str(text)
    shown = visible(whole[:longest])
    return shown if len(whole) <= longest else f"{shown}… ({len(whole) - longest:,} more characters)"


def visible(text: str) -> str:
    """A text whose invisible characters are written as escapes, but for tabs and line feeds."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) if _UNSEEN.search(text) else text
