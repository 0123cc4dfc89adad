"""Run observers: notifications and exports. They never block a run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soak.runner.engine import Sink
from soak.runner.extras import need
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.manifest import Sent
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario
from soak.schemas.stream.identity import Identity
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.runner.export.exporter import Exporter
    from soak.runner.notify.notifier import Notifier


PATIENCE_S = 10.0
"""How long, in seconds, the end of a run waits for messages and exports in flight."""


@dataclass(slots=True)
class Outlets:
    """The observers of a run."""

    notifier: "Notifier | None" = None
    exporter: "Exporter | None" = None

    @property
    def sinks(self) -> list[Sink]:
        """Observers called after each block."""
        return [sink for sink in (self.notifier, self.exporter) if sink]

    def begin(self, *, strict: bool = True) -> None:
        """Called before the run starts. Raises UsageError, if `strict`, for a required database that does not answer."""
        if self.exporter:
            self.exporter.begin(strict=strict)

    def look(self, judge: Judge) -> None:
        """Called between blocks with the state of the run."""
        if self.exporter:
            self.exporter.look(judge)

    def finish(self, judge: Judge, verdict: Verdict) -> Sent:
        """Report the verdict, and wait a while for messages in flight."""
        until = time.monotonic() + PATIENCE_S
        if self.exporter:
            self.exporter.finished(judge, verdict)
        if self.notifier:
            self.notifier.finished(verdict)
        return Sent(
            self.notifier.close(until) if self.notifier else None,
            self.exporter.close(until) if self.exporter else None,
        )


def _check_extras(scenario: Scenario, *, real: bool, notify: bool = False) -> None:
    """Raise UsageError when a package is missing for those who will follow a run."""
    if scenario.notify and (notify or real):
        need("notify", "notify:")
    if real:
        from soak.runner.export.destinations import exports_of
        from soak.runner.export.receivers import extras_of

        for extra, who in extras_of(exports_of(scenario)).items():
            need(extra, who)


@contextmanager
def open_outlets(
    loaded: Loaded, plan: Plan, identity: Identity, run: str, *, notify: bool = False
) -> Iterator[Outlets]:
    """The observers of run `run`: of real runs, and with `notify` notifications of simulations too. Raises UsageError."""
    scenario, folder, real = loaded.scenario, loaded.folder, identity.clock == "real"
    outlets = Outlets()
    _check_extras(scenario, real=real, notify=notify)
    if scenario.notify and (notify or real):
        from soak.runner.notify.notifier import Notifier

        outlets.notifier = Notifier(scenario, plan.vocabulary, folder, run)
    if real:
        from soak.runner.export.destinations import exports_of

        if exports := exports_of(scenario):
            from soak.runner.evidence.manifest import git_of
            from soak.runner.export.about import About
            from soak.runner.export.exporter import Exporter

            about = About.of(identity, run, git_of(folder))
            outlets.exporter = Exporter(exports, scenario, plan.vocabulary, folder, about)
    try:
        yield outlets
    finally:
        if outlets.exporter:
            outlets.exporter.abandon()
