"""The run before: one in the same folder with which a run can be compared like for like."""

import os
from pathlib import Path

from soak.runner.evidence.directory import CHECKSUMS, MANIFEST, VERDICT
from soak.schemas.errors import SoakError
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.stream.storage import stream_file

MOST_LOOKED_AT = 2_000
"""Entries of a folder that are looked at: a run does not wait for a folder of any size."""
MOST_READ = 50
"""Runs of the scenario that are read, the newest first."""


def last_run(directory: Path, scenario: str) -> Path | None:
    """The newest other run directory beside `directory` whose run has a verdict, and the same scenario, tier, settings, target
    and speed; None: there is none."""
    found: list[tuple[float, str]] = []
    try:
        own = directory.resolve()
        with os.scandir(directory.parent) as entries:
            for _, entry in zip(range(MOST_LOOKED_AT), entries, strict=False):
                place = Path(entry.path)
                if stream_file(place, scenario).is_file() and (place / VERDICT).is_file() and place.resolve() != own:
                    found.append(((place / VERDICT).stat().st_mtime, entry.path))
    except OSError:
        return None
    if not found:
        return None
    wanted = _kind(directory)
    newest = (Path(path) for _, path in sorted(found, reverse=True)[:MOST_READ])
    return next((path for path in newest if wanted and _kind(path) == wanted), None)


def _kind(directory: Path) -> tuple[str, ...] | None:
    """What runs that can be compared have in common; None for one without a verdict, or that cannot be read."""
    path = directory / MANIFEST
    try:
        found = decode_evidence(path.read_bytes(), Manifest, path)
    except (OSError, SoakError):
        return None
    if found.verdict is None or not (directory / CHECKSUMS).is_file():
        return None
    settings = [each for each in found.settings if not each.startswith("seed=")]
    return (found.scenario, found.tier or "", *settings, found.target, f"{found.speed:g}")
