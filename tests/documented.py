"""The commands that the documentation shows: in blocks of code, and in the steps of its workflows."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.is_file()
)
_FENCE = re.compile(r" {0,3}(`{3,})(\w*)")
_COMMAND = re.compile(r"(?:^|[|&;] ?|- run: |^[A-Z_]+=\S+ )(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?soak (?=[a-z-])")


@dataclass(frozen=True)
class Shown:
    """A command on a page: where, and its words after `soak`."""

    place: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.place}: soak {shlex.join(self.words)}"


def shown(page: str) -> list[Shown]:
    """The commands on a page, in order."""
    return [
        Shown(f"{page}:{number}", _words(line[match.end() :]))
        for number, line in _code((ROOT / page).read_text(encoding="utf-8"))
        for match in _COMMAND.finditer(line)
    ]


def _code(text: str) -> Iterator[tuple[int, str]]:
    """The lines of blocks of code, those that a backslash continues as one."""
    fenced, whole, begun = False, "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            whole, begun = whole + line.strip(), begun or number
            if whole.endswith("\\"):
                whole = whole[:-1]
            else:
                yield begun, whole
                whole, begun = "", 0


def _words(rest: str) -> tuple[str, ...]:
    """The words of one command: until a comment, or what the shell makes of its output."""
    words = []
    lexer = shlex.shlex(rest, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    for word in lexer:
        if set(word) <= set("|&;<>"):
            break
        words.append(word)
    return tuple(words)
