"""`soak export RUN --otlp URL` and its like: a finished run sent to a receiver."""

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from soak.runner.console import tell

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--otlp", metavar="URL", help="Send metrics and traces by OpenTelemetry's protocol, to a receiver's base URL."
    ),
    click.option("--remote-write", metavar="URL", help="Send metrics by Prometheus remote write, to its whole URL."),
    click.option(
        "--grafana", metavar="URL", help="Annotate the run, its faults and alerts in the Grafana at this URL."
    ),
    click.option("--cloudevents", metavar="URL", help="Post what happened as CloudEvents to this URL."),
    click.option(
        "--signal",
        "signals",
        type=click.Choice(["metrics", "traces"]),
        multiple=True,
        help="With --otlp: send this only. May be repeated. [default: both]",
    ),
    click.option(
        "--header",
        "headers",
        metavar="NAME=VARIABLE",
        multiple=True,
        help="A header of every request, its value in an environment variable. May be repeated.",
    ),
)


def receiver_options(function: F) -> F:
    """The options that name a receiver."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


class Receivers:
    """What was said of receivers; raises click.UsageError where that makes no sense."""

    def __init__(
        self,
        otlp: str | None,
        remote_write: str | None,
        grafana: str | None,
        cloudevents: str | None,
        signals: tuple[str, ...],
        headers: tuple[str, ...],
    ) -> None:
        given = {"otlp": otlp, "remote_write": remote_write, "grafana": grafana, "cloudevents": cloudevents}
        self.given = {type_: url for type_, url in given.items() if url is not None}
        self._signals, self._headers = signals, headers
        if signals and otlp is None:
            raise click.UsageError("--signal belongs to --otlp (remove it)")
        if headers and not self.given:
            raise click.UsageError("--header belongs to a receiver (add --otlp URL)")

    def send(
        self,
        run_directory: Path,
        step_s: float | None,
        start: datetime | None,
        progress: Callable[[float], None],
        *,
        as_json: bool,
    ) -> int:
        """Send the run to each of them, and say what they took; returns the exit code. Raises SoakError."""
        from soak.runner.evidence.directory import RunDirectory
        from soak.runner.export.afterwards import export_to, require_listener, send_run
        from soak.runner.export.receivers import extras_of
        from soak.runner.extras import need
        from soak.schemas.language.outlets import BOTH, ExportType, Signal

        signals = frozenset(map(Signal, self._signals)) or BOTH
        exports = [
            export_to(ExportType(type_), url, os.environ, self._headers, signals) for type_, url in self.given.items()
        ]
        for extra in extras_of(tuple(exports)):
            need(extra, "soak export")
        directory = RunDirectory.open(run_directory)
        for export in exports:
            require_listener(export)
        done = [each for export in exports for each in send_run(directory, export, step_s, start, progress)]
        if as_json:
            facts = [
                {"receiver": each.receiver, "what": each.what, "sent": each.sent, "refused": each.refused}
                for each in done
            ]
            tell(json.dumps(facts, indent=2))
        else:
            for each in done:
                tell(str(each))
        return 0
