"""How a command shows its result: `--quiet`, `--open`, and colour where a terminal has it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import click

from soak.runner.console import hush, remark, remarks_kept


@dataclass(slots=True)
class Output:
    """What the options of a command ask for. quiet: only the verdict; opens: the page that it writes, in a browser."""

    quiet: bool = False
    opens: bool = False


_output: ContextVar[Output] = ContextVar("output")


@contextmanager
def output_of_command(asked: Output) -> Iterator[None]:
    """What one command is asked for, from here on; its options fill it in."""
    token = _output.set(asked)
    try:
        with remarks_kept():
            yield
    finally:
        _output.reset(token)


def output() -> Output:
    """What the command that runs now is asked for; outside of any: nothing."""
    return _output.get(None) or Output()


def be_quiet() -> None:
    """Of the command that runs now: only the line with its result."""
    output().quiet = True
    hush()


def open_if_asked(page: Path) -> None:
    """With `--open`, open a page in a browser; where there is none, say where the page is."""
    if not output().opens:
        return
    import webbrowser

    try:
        is_open = _has_screen() and webbrowser.open(page.resolve().as_uri())
    except (webbrowser.Error, OSError, ValueError):
        is_open = False
    if not is_open:
        remark(f"no browser was found: open {page} yourself", always=True)


def _has_screen() -> bool:
    """Whether a browser would have a window: one in the terminal would take it from the shell."""
    named = any(os.environ.get(each) for each in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    return named or sys.platform in {"darwin", "win32"}


class Tone(StrEnum):
    """What a text says, and so its colour."""

    GOOD = "good"
    BAD = "bad"
    DOUBT = "doubt"
    SOFT = "soft"
    STRONG = "strong"


Paint = Callable[[str, Tone], str]
"""A text in the colour of its tone; its length on the screen is unchanged."""

TONES = {"PASS": Tone.GOOD, "FAIL": Tone.BAD, "ABORTED": Tone.BAD, "INCONCLUSIVE": Tone.DOUBT}
"""Of a verdict, or of the status of an objective."""

_COLORS = {Tone.GOOD: "green", Tone.BAD: "red", Tone.DOUBT: "yellow"}


def plain(text: str, tone: Tone) -> str:
    """A text without colour."""
    return text


def colored(text: str, tone: Tone) -> str:
    """A text with the terminal's own colours, so that it can be read on any background."""
    return click.style(text, fg=_COLORS.get(tone), bold=tone is not Tone.SOFT or None, dim=tone is Tone.SOFT or None)


def has_color(stream: TextIO) -> bool:
    """Whether a stream shows colour: a terminal, but for TERM=dumb; NO_COLOR and FORCE_COLOR decide before it.

    Sources: no-color.org and force-color.org: a variable counts if it is set and not empty.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return not is_dumb() and stream.isatty()


def is_dumb() -> bool:
    """Whether the terminal cannot move its cursor, as terminfo's entries `dumb` and `unknown` say."""
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


def paint_of(stream: TextIO) -> Paint:
    """How texts for a stream are painted."""
    return colored if has_color(stream) else plain
