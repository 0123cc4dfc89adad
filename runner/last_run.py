"""The run before: of the same scenario, in the same folder."""

import os
from pathlib import Path

from soak.runner.evidence.directory import VERDICT, stream_name

MOST_LOOKED_AT = 2_000
"""Entries of a folder that are looked at: a run does not wait for a folder of any size."""


def last_run(directory: Path, scenario: str) -> Path | None:
    """The newest other run directory beside `directory` that has a verdict on the scenario; None: there is none."""
    found: list[tuple[float, str]] = []
    try:
        own = directory.resolve()
        with os.scandir(directory.parent) as entries:
            for _, entry in zip(range(MOST_LOOKED_AT), entries, strict=False):
                place = Path(entry.path)
                if (place / stream_name(scenario)).is_file() and (place / VERDICT).is_file() and place.resolve() != own:
                    found.append(((place / VERDICT).stat().st_mtime, entry.path))
    except OSError:
        return None
    return Path(max(found)[1]) if found else None
