"""Hints about files of other versions: each is said once on a machine, and only to a person. Nothing is asked of a network."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from soak.runner.console import is_heard, remark
from soak.schemas.versions_seen import Age, Seen

SILENCED_BY = "SOAK_NO_HINTS"
"""Set to anything, this variable silences hints."""


def show_hints(seen: Iterable[Seen]) -> None:
    """Say what was not said before; not in CI, nor where the command is quiet."""
    if os.environ.get(SILENCED_BY) or os.environ.get("CI") or not is_heard():
        return
    for each in seen:
        if _is_first(_key(each)):
            remark(f"hint: {_words(each)} (said once; {SILENCED_BY}=1 silences hints)")


def _words(seen: Seen) -> str:
    what = f"{seen.kind} of version {seen.found}"
    if seen.age is Age.NEWER:
        remedy = "a newer soak reads it: pip install --upgrade soak-runner"
        return f"{what} was written for a newer release, this one knows version {seen.known}; {remedy}"
    return f"{what} was written by an older release and read as version {seen.known}; the file is unchanged"


def _key(seen: Seen) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{seen.age} {seen.kind} {seen.found} {seen.known}".lower())


def cache() -> Path | None:
    """Where it is remembered what was said, as the XDG Base Directory Specification has it; None: there is no such place."""
    if told := os.environ.get("XDG_CACHE_HOME"):
        return Path(told) / "soak" / "hints"
    try:
        return Path.home() / ".cache" / "soak" / "hints"
    except RuntimeError:
        return None


def _is_first(key: str) -> bool:
    """Remember a hint. What cannot be remembered is not said either: it would be said every time."""
    folder = cache()
    if folder is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / key).touch(exist_ok=False)
    except OSError:
        return False
    return True
