"""What a gate asks of the contents of a run: files that it must hold, and alerts that fired and resolved."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from soak.runner.evidence.directory import CHECKSUMS, RunDirectory
from soak.schemas.errors import EvidenceError
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.units import show_duration


def missing_documents(patterns: Sequence[str], directory: RunDirectory) -> Iterator[str]:
    """The patterns that match no file which is there and was sealed with the run."""
    if not patterns:
        return
    try:
        sealed = [name for name in directory.read_checksums() if directory.file(name).is_file()]
    except EvidenceError as error:
        yield str(error)
        return
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in sealed):
            yield f"{pattern} is missing (no such file in {CHECKSUMS})"


def unresolved(alert: str, verdict: Verdict, manifest: Manifest) -> Iterator[str]:
    """What an alert did not do, that of the scenario or the system's own of this name."""
    firings = [
        (each.fired_s, each.resolved_s) for found in verdict.alerts if found.name == alert for each in found.firings
    ]
    firings += [
        (each.fired.t_s, each.resolved.t_s if each.resolved else None)
        for each in manifest.alerts or ()
        if each.rule == alert
    ]
    if not firings:
        yield f"the alert {alert} did not fire"
    for fired_s, resolved_s in firings:
        if resolved_s is None:
            yield f"the alert {alert} fired at {show_duration(fired_s)} and did not resolve"
