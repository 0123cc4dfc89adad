"""Soak scenarios from Python: load one, simulate it, run it, open a run directory.

The public API is this module, `soak.contract`, `soak.body`, `soak.kit` and `soak.testing`; everything else may change
without notice.
"""

TYPE_CHECKING = False  # type checkers take it for that of typing, which is not loaded for it

if TYPE_CHECKING:
    from soak.reports.data import Metrics
    from soak.runner.api import load, open_run, run, simulate
    from soak.runner.api import open_run as open
    from soak.runner.evidence.checksums import Finding
    from soak.runner.opened import Event, Events, Objectives, Run, Series
    from soak.runner.scenario import Scenario
    from soak.schemas.errors import (
        EvidenceError,
        FileError,
        OutputError,
        Problem,
        ScenarioError,
        SoakError,
        UsageError,
        VersionError,
    )
    from soak.schemas.evidence.manifest import Manifest
    from soak.schemas.evidence.verdict import End, ObjectiveResult, Outcome, Status, Verdict
    from soak.schemas.language.load import Loaded

__all__ = [
    "End",
    "Event",
    "Events",
    "EvidenceError",
    "FileError",
    "Finding",
    "Loaded",
    "Manifest",
    "Metrics",
    "ObjectiveResult",
    "Objectives",
    "Outcome",
    "OutputError",
    "Problem",
    "Run",
    "Scenario",
    "ScenarioError",
    "Series",
    "SoakError",
    "Status",
    "UsageError",
    "Verdict",
    "VersionError",
    "load",
    "open",
    "open_run",
    "run",
    "simulate",
]

_WHERE = {
    **dict.fromkeys(("load", "open_run", "run", "simulate"), "runner.api"),
    **dict.fromkeys(("Event", "Events", "Objectives", "Run", "Series"), "runner.opened"),
    **dict.fromkeys(("End", "ObjectiveResult", "Outcome", "Status", "Verdict"), "schemas.evidence.verdict"),
    **dict.fromkeys(
        (
            "EvidenceError",
            "FileError",
            "OutputError",
            "Problem",
            "ScenarioError",
            "SoakError",
            "UsageError",
            "VersionError",
        ),
        "schemas.errors",
    ),
    "Finding": "runner.evidence.checksums",
    "Loaded": "schemas.language.load",
    "Manifest": "schemas.evidence.manifest",
    "Metrics": "reports.data",
    "Scenario": "runner.scenario",
    "open": "runner.api",
}
_NAMED = {"open": "open_run"}
"""Names that are others where they are defined."""

if not TYPE_CHECKING:  # a type checker that saw it would take any name for one of ours

    def __getattr__(name: str) -> object:
        """What is public, imported when it is first asked for: workers of a system under test pay for their body only."""
        if name not in _WHERE:
            raise AttributeError(f"module 'soak' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"soak.{_WHERE[name]}"), _NAMED.get(name, name))

    def __dir__() -> list[str]:
        """Public names, for completion."""
        return sorted([*globals(), *__all__])
