"""A message to people."""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from soak.reports.look.palette import Role, light
from soak.runner.notify.digest import Digest


class Tone(StrEnum):
    """Type of a message; services show it as a colour or an icon."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


COLOURS = {
    Tone.INFO: light(Role.NOW),
    Tone.SUCCESS: light(Role.OK),
    Tone.WARNING: light(Role.DOUBT),
    Tone.FAILURE: light(Role.BAD),
}
"""Of a message, on white."""


class Message(Struct, frozen=True):
    """A message as text; at the end of a run also in parts (`digest`), for services that show more than text."""

    title: str
    text: str
    tone: Tone = Tone.INFO
    digest: Digest | None = None


Send = Callable[[Message], bool]
"""Sends a message; False or an exception on failure."""
