"""The settings of a dependency: one JSON object on its command line. All times are real seconds."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """0 or an empty text: no such limit."""

    name: str
    port: int
    """On the loopback interface; reserved by the parent process."""

    account: str
    """The file to which it appends what it did with each call."""

    directory: str
    """For the files that it may not read, and the file system that is full."""

    bad: bool = False
    """Whether this is the bad release: only then do its faults apply."""

    workers: int = 0
    waiting: int = 0
    rate_per_s: float = -1.0
    """Of its token bucket; negative: there is none."""

    burst: int = 1
    memory_bytes: int = 0
    records: int = 0
    isolation: str = "none"
    disk: bool = False
    """Whether it needs a file system that is full."""


def read_settings(text: str) -> Settings:
    """The settings that `text` holds. Raises TypeError or ValueError."""
    return Settings(**json.loads(text))
