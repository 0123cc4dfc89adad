"""A run that has ended, sent to a receiver: its metrics, its traces, or what happened in it."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from soak.runner.console import remark
from soak.runner.ends import end_after
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.manifest import read_manifest
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.verify import load_stored
from soak.runner.export.about import About, WallClock
from soak.runner.export.attempts import Stories
from soak.runner.export.backfill import snapshots_of, zero_s
from soak.runner.export.database import ExportError, Receiver
from soak.runner.export.feed import pause_s
from soak.runner.export.moments import moments_of, whole_moments_of
from soak.runner.export.receivers import open_database, open_listener, open_traces
from soak.runner.export.traces import trace_of
from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.evidence.verdict import End, Verdict
from soak.schemas.files import file_name
from soak.schemas.language.outlets import DEFAULT_EVERY_S, Export, ExportType, Secret, Signal
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.schemas.language.model import Scenario

ATTEMPTS = 5
"""How often a request is made before the export is given up."""
TIMEOUT_S = 30.0
CONNECT_S = 5.0
"""How long a first connection may take."""
TOKEN, USERNAME, PASSWORD = "SOAK_EXPORT_TOKEN", "SOAK_EXPORT_USERNAME", "SOAK_EXPORT_PASSWORD"

T = TypeVar("T")


class Delivery(Struct, frozen=True):
    """What was sent to whom: how many items were taken and how many refused, of which kind."""

    receiver: str
    what: str
    sent: int
    refused: int

    def __str__(self) -> str:
        one = self.what.replace("sets", "set") if self.what.startswith("sets") else self.what.removesuffix("s")
        refused = f", {self.refused:,} refused" if self.refused else ""
        return f"{self.receiver}: {self.sent:,} {one if self.sent == 1 else self.what}{refused}"


def export_to(
    type_: ExportType,
    url: str,
    environment: Mapping[str, str],
    headers: Sequence[str] = (),
    signals: frozenset[Signal] = frozenset(Signal),
) -> Export:
    """The export of that type to a URL. Raises UsageError for a URL that cannot be one.

    headers: NAME=VARIABLE each; the values, the token or the user name and password are in the environment.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        shown = "the URL" if any(sign in url for sign in "@?#") else url
        raise UsageError(f"{shown} is not a valid URL, or has other parts (write http://127.0.0.1:4318)")
    if "@" in parts.netloc:
        raise UsageError(f"the URL contains a user name or password (put them into {USERNAME} and {PASSWORD})")
    username = environment.get(USERNAME, "")
    if bool(username) != bool(environment.get(PASSWORD)):
        raise UsageError(f"only one of {USERNAME} and {PASSWORD} is set (set both, or neither)")
    if username and environment.get(TOKEN):
        raise UsageError(f"{USERNAME} and {TOKEN} are set (set one of them)")
    secret = PASSWORD if username else TOKEN if environment.get(TOKEN) else ""
    return Export(
        type_,
        DEFAULT_EVERY_S,
        TIMEOUT_S,
        required=True,
        url=url.rstrip("/"),
        username=username,
        secret=Secret(secret, None) if secret else None,
        headers=tuple(map(_header, headers)),
        signals=signals,
    )


def _header(text: str) -> tuple[str, Secret]:
    name, separator, variable = text.partition("=")
    if not separator or not variable or not name.replace("-", "").isalnum() or not name.isascii():
        raise UsageError(f"--header: {text!r} is not NAME=VARIABLE (write X-Scope-OrgID=SOAK_ORG)")
    return name, Secret(variable, None)


class _Ended(Struct, frozen=True):
    """A run read back from its evidence."""

    scenario: "Scenario"
    judge: Judge
    verdict: Verdict
    stories: Stories
    clock: WallClock


def require_listener(export: Export) -> None:
    """Connect to the receiver, and send nothing. Raises SoakError if nothing accepts the connection.

    Asked before a stream is read, which may take minutes.
    """
    parts = urlsplit(export.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), CONNECT_S).close()
    except (OSError, UnicodeError) as error:
        why = ExportError.of(error)
        raise SoakError(f"{export.name}: {why}; nothing was sent (start the receiver, or correct the URL)") from None


def send_run(
    directory: RunDirectory,
    export: Export,
    step_s: float | None,
    start: datetime | None,
    progress: Callable[[float], None],
) -> list[Delivery]:
    """Send a finished run; returns what was taken. Raises EvidenceError, UsageError, and SoakError for a receiver that fails."""
    manifest = read_manifest(directory)
    if manifest.verdict is None:
        raise UsageError(f"{directory.path}: the run has no verdict yet (finish it: soak resume {directory.path})")
    about = _about(directory)
    return list(_sent(directory, export, about, step_s, start, progress))


def _sent(
    directory: RunDirectory,
    export: Export,
    about: About,
    step_s: float | None,
    start: datetime | None,
    progress: Callable[[float], None],
) -> Iterator[Delivery]:
    here = Path()
    if export.type.of_moments:
        run, listener = read_again(directory, start, with_tasks=False), open_listener(export, here, about)
        tell = whole_moments_of if export.type is ExportType.GRAFANA else moments_of
        what = "annotations" if export.type is ExportType.GRAFANA else "events"
        yield deliver(listener, tell(run.judge, run.verdict, run.clock.at), export, what)
        return
    if Signal.METRICS in export.signals:
        database = open_database(export, here, about)
        yield deliver(database, snapshots_of(directory, step_s, start, progress), export, "sets of metrics")
    if traces := open_traces(export, here, about):
        from soak.runner.export.otlp import parcels

        run = read_again(directory, start, with_tasks=True)
        spans = trace_of(run.judge, run.verdict, run.stories)
        done = deliver(traces, list(parcels(spans, run.clock)), export, "spans")
        yield Delivery(done.receiver, done.what, len(spans) if not done.refused else 0, done.refused and len(spans))


def _about(directory: RunDirectory) -> About:
    scenario, manifest = load_stored(directory).scenario, read_manifest(directory)
    plan = Plan(scenario)
    reader = StreamReader(directory.stream(scenario.name), plan.vocabulary, scenario.horizon_s)
    return About.of(reader.identity, file_name(directory.path.resolve()), manifest.git)


def read_again(directory: RunDirectory, start: datetime | None, *, with_tasks: bool) -> _Ended:
    """A run judged again from its stream. Its slowest tasks are known at the end only, and are followed in a second reading."""
    scenario, manifest = load_stored(directory).scenario, read_manifest(directory)
    plan = Plan(scenario)
    path = directory.stream(scenario.name)
    reader = StreamReader(path, plan.vocabulary, scenario.horizon_s)
    judge, end = Judge.of(scenario, plan.vocabulary, reader.identity), End.CUT
    for block in reader.blocks():
        end = end_after(block, end)
        for _ in judge.observe(block):
            pass
    verdict = decide(judge, reader.identity, end)
    stories = Stories(plan.vocabulary, [each.task for each in verdict.slowest])
    if with_tasks:
        for block in StreamReader(path, plan.vocabulary, scenario.horizon_s).blocks():
            stories.append(block)
    began_s = start.timestamp() if start else zero_s(manifest, judge.until_s, scenario.start)
    return _Ended(scenario, judge, verdict, stories, WallClock(began_s, reader.identity.speed, tuple(judge.resumes)))


def deliver(
    receiver: Receiver[T], items: Sequence[T], export: Export, what: str, first_pause_s: float = 1.0
) -> Delivery:
    """Send items in order. What is refused because of its content is sent in smaller parts, and then left out.

    Raises SoakError, if a receiver does not take anything after ATTEMPTS attempts.
    """
    left, size, failures, refused, why = list(items), receiver.most_at_once, 0, 0, ""
    remark(f"  sending {len(left):,} {what} to {export.name}")
    while left:
        batch = left[:size]
        try:
            receiver.send(batch)
        except ExportError as error:
            why = str(error)
            if error.final or (error.refused and len(batch) == 1):
                refused += len(batch)
                del left[: len(batch)]
            elif error.refused:
                size = max(1, len(batch) // 2)
            else:
                failures += 1
                if error.lasting or failures >= ATTEMPTS:
                    done = _taken(items, left, refused, what)
                    times = f", {failures} times" if failures > 1 else ""
                    raise SoakError(f"{export.name}: {why}{times} ({done})") from None
                time.sleep(pause_s(failures, first_pause_s))
        except KeyboardInterrupt:
            remark(f"{export.name}: interrupted: {_taken(items, left, refused, what)}")
            raise
        else:
            del left[: len(batch)]
            failures, size = 0, receiver.most_at_once
    if items and refused == len(items):
        raise SoakError(f"{export.name}: {why}; all {refused} {what} were refused")
    return Delivery(export.name, what, len(items) - refused, refused)


def _taken(items: Sequence[T], left: Sequence[T], refused: int, what: str) -> str:
    return f"{len(items) - len(left) - refused} of {len(items)} {what} were taken"
