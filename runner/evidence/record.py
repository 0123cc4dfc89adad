"""Recording a run: everything that goes into its directory, from the first line to the checksums."""

import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from soak.reports.run_page.ended import Ended
from soak.runner.evidence.directory import (
    ALERTS,
    CHECKPOINTS,
    CHECKS,
    CHECKSUMS,
    MANIFEST,
    METRICS,
    VERDICT,
    RunDirectory,
)
from soak.runner.evidence.documents import account_of, beside
from soak.runner.evidence.endings import Endings
from soak.runner.evidence.manifest import finish_manifest, start_manifest
from soak.runner.evidence.metrics import MetricsWriter
from soak.runner.evidence.scenario_copy import store_scenario
from soak.runner.evidence.stream import StreamWriter
from soak.runner.judge.account import Account, Beside
from soak.runner.judge.checks.document import checks_document
from soak.runner.judge.judge import Judge
from soak.runner.judge.samples import Facts
from soak.schemas.errors import writing
from soak.schemas.evidence.manifest import NOTHING_SENT, EngineRan, Manifest, Sent
from soak.schemas.evidence.verdict import SCHEMA_VERSION, Alerts, Checkpoints, Verdict
from soak.schemas.language.load import Loaded
from soak.schemas.language.registry import language_of
from soak.schemas.stream.block import Block
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.storage import stream_name
from soak.simulation.compiled.engine import Ran
from soak.simulation.plan import Plan

_ANEW = f".{METRICS}.partial"
"""The metrics of a resumed run, until they have caught up with the old ones."""


class Recording:
    """The evidence of one run while it is made; a sink of the engine. Raises OutputError if it cannot be written."""

    def __init__(
        self, directory: RunDirectory, manifest: Manifest, identity: Identity, plan: Plan, *, goes_on: bool = False
    ) -> None:
        self.directory = directory
        self._manifest = manifest
        self.began = time.monotonic()
        causes = [cause.fault for cause in plan.vocabulary.causes]
        self._account = account_of(plan.scenario, plan.vocabulary)
        self._metrics = MetricsWriter(directory.file(_ANEW if goes_on else METRICS), plan.scenario, causes)
        new = directory.file(stream_name(plan.scenario.name, plan.scenario.telemetry.compress))
        stream = directory.stream(plan.scenario.name) if goes_on else new
        try:
            self._stream = StreamWriter(stream, identity, plan.vocabulary, goes_on=goes_on)
        except BaseException:
            self._metrics.close()
            raise
        # A real run has a block each moment, for days: its memory must not grow. A compressed stream is longer than its file.
        simulated = identity.clock == "simulated" and not goes_on
        noted = simulated and not (plan.scenario.telemetry.compress or language_of(plan.scenario.system).work)
        self._endings = Endings() if noted else None

    @classmethod
    def start(
        cls, out: Path | RunDirectory, loaded: Loaded, identity: Identity, plan: Plan, ran: Ran | None = None
    ) -> "Recording":
        """The recording of a run that starts now, in a new directory. Raises UsageError or OutputError.

        ran: the engine of a simulation.
        """
        started = datetime.now(UTC)
        directory = out if isinstance(out, RunDirectory) else RunDirectory.create(out, loaded.scenario.name)
        directory.claim()
        store_scenario(directory, loaded)
        manifest = start_manifest(loaded, identity, started)
        if ran:
            manifest = msgspec.structs.replace(manifest, engine=EngineRan(ran.engine, ran.why))
        directory.write(MANIFEST, to_json(manifest))
        return cls(directory, manifest, identity, plan)

    @classmethod
    def resume(
        cls, directory: RunDirectory, manifest: Manifest, identity: Identity, plan: Plan, began: float | None = None
    ) -> "Recording":
        """The recording of a resumed run; its metrics are recomputed: see `replay` and `take_over`.

        `began`: its start on the monotonic clock (None: now).
        """
        with writing(directory.file(_ANEW)):
            directory.file(_ANEW).unlink(missing_ok=True)
        recording = cls(directory, manifest, identity, plan, goes_on=True)
        recording.began = recording.began if began is None else began
        return recording

    def replay(self, block: Block, facts: Facts) -> None:
        """Process a block that is already in the stream."""
        self._metrics.append(block, facts)
        self._account.observe(block)
        self._stream.events += len(block)

    def take_over(self) -> None:
        """From here on the evidence changes and the seal is removed. An earlier verdict and report are kept until there are
        new ones."""
        with writing(self.directory.file(METRICS)):
            self.directory.file(CHECKSUMS).unlink(missing_ok=True)
            self.directory.file(_ANEW).replace(self.directory.file(METRICS))

    def append(self, block: Block, facts: Facts) -> None:
        """Keep a block."""
        self._stream.append(block)
        self._metrics.append(block, facts)
        self._account.observe(block)
        if self._endings:
            self._endings.append(block)
            self._endings.forget_if_long(self._stream_bytes())

    def ended(self) -> Ended | None:
        """The tasks of a stream that is complete, for its report; None where that has to read them."""
        return self._endings.ended() if self._endings else None

    def _stream_bytes(self) -> int:
        with writing(self._stream.path):
            return self._stream.path.stat().st_size

    def finish(self, verdict: Verdict, judge: Judge, sent: Sent = NOTHING_SENT) -> None:
        """Write what is known at the end only, including counts of notifications and exports.

        The checksums come last, after the report: see `seal`.
        """
        self._metrics.finish(judge.until_s)
        self._stream.close()
        where = beside(self.directory, self._manifest, judge, verdict.end)
        for name, content in {**verdict_files(verdict, judge), **files_of(self._account, where)}.items():
            self.directory.write(name, content)
        wall_s = time.monotonic() - self.began
        manifest = finish_manifest(
            self._manifest, datetime.now(UTC), wall_s, verdict.verdict.value, self._stream.events, sent
        )
        manifest = msgspec.structs.replace(manifest, **self._account.manifest(where))
        self.directory.write(MANIFEST, to_json(manifest))

    def seal(self) -> None:
        """Write SHA256SUMS of everything."""
        self.directory.write_checksums()

    def __enter__(self) -> "Recording":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self.directory.release()

    def close(self) -> None:
        """Close the files; what was written is kept."""
        self._stream.close()
        self._metrics.close()


def verdict_files(verdict: Verdict, judge: Judge) -> dict[str, bytes]:
    """The files with the results, by name."""
    checkpoints = Checkpoints(SCHEMA_VERSION, verdict.scenario, judge.scenario.checkpoint_every_s, judge.checkpoints)
    checks = checks_document(judge) if verdict.clock == "real" else None
    return {
        **({CHECKS: to_json(checks)} if checks else {}),
        VERDICT: to_json(verdict),
        ALERTS: to_json(Alerts(SCHEMA_VERSION, verdict.scenario, verdict.alerts)),
        CHECKPOINTS: to_json(checkpoints),
    }


def files_of(account: Account, where: Beside) -> dict[str, bytes]:
    """The files that a system adds to the evidence."""
    return {**{name: to_json(each) for name, each in account.documents(where).items()}, **account.texts(where)}


def to_json(value: Any) -> bytes:
    """Indented JSON of a struct or plain data, with a line end; bytes that are not UTF-8, such as of a path, are escaped."""
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_spelled_out(msgspec.to_builtins(value)))
    return msgspec.json.format(encoded, indent=2) + b"\n"


def _spelled_out(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_spelled_out(key): _spelled_out(each) for key, each in value.items()}
    return [_spelled_out(each) for each in value] if isinstance(value, list) else value
