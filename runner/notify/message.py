"""A message to people."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from soak.runner.notify.digest import Digest


class Tone(StrEnum):
    """Type of a message; services show it as a colour or an icon."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as text; at the end of a run also in parts (`digest`), for services that show more than text."""

    title: str
    text: str
    tone: Tone = Tone.INFO
    digest: Digest | None = None


Send = Callable[[Message], bool]
"""Sends a message; False or an exception on failure."""
