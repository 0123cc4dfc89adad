"""The files of a pipeline's evidence, as folds over the stream: processes, sinks, minutes, alerts."""

import csv
import io
from collections.abc import Mapping

import msgspec
import numpy as np

from soak.runner.judge.account import Account, Beside
from soak.runner.judge.pipeline.files import Holdings, daily_reports, parity_diff, source_manifest
from soak.runner.judge.pipeline.followed import Listed, Resources
from soak.runner.judge.pipeline.lives import LIVES, Lives
from soak.runner.judge.pipeline.own_alerts import MINUTE_KINDS, OwnAlerts
from soak.schemas.evidence.processes import ShutdownOrder, SourceMetrics, SystemExport
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools
from soak.schemas.stream.by_kind import flags_by_kind
from soak.schemas.stream.events import Kind
from soak.schemas.stream.processes import TABLE
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.pipeline.documents import PARITY_DIFF, SOURCE_MANIFEST, daily_report
from soak.schemas.systems.pipeline.settings import pipeline_of

_RESOURCES = {Kind.SAMPLE_PROCESS_RSS, Kind.SAMPLE_PROCESS_OPEN_FILES, Kind.SAMPLE_PROCESS_CPU}
_SINKS = {Kind.SINK_TOTAL: "total", Kind.SINK_CONFIRM: "confirm", Kind.SINK_STRONG: "strong"}
_SAID = {Kind.PROCESS_ABANDONED, Kind.PROCESS_ORPHANED, Kind.REPORTED_RESTARTS}
_OTHERS = {
    Kind.EXPORT_MADE,
    Kind.REPORTED_ALERT_FIRED,
    Kind.REPORTED_ALERT_RESOLVED,
    Kind.SAMPLE_BACKLOG,
}
_ONE_BY_ONE = {*LIVES, *_RESOURCES, *_SINKS, *_SAID, *_OTHERS, *MINUTE_KINDS}
_FOLLOWED: Bools = flags_by_kind(lambda kind, spec: kind in _ONE_BY_ONE)


class PipelineAccount(Account):
    """Follows a pipeline for run_manifest.json, source_manifest.json, parity_diff.json and the daily reports."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._scenario, self._vocabulary, self._pipeline = scenario, vocabulary, pipeline_of(scenario)
        processes = range(len(self._pipeline.processes))
        self._lives = Lives(self._pipeline)
        self._listed = [Listed() for _ in processes]
        self._resources = [Resources() for _ in processes]
        self._backlog = [0 for _ in processes]
        self._alerts = OwnAlerts(self._pipeline.alerts)
        self._holdings = Holdings(scenario)
        self._counts = np.zeros(len(Kind), dtype=np.int64)
        self._sums = np.zeros(len(Kind))
        self._exported_s: float | None = None
        self._longest_s: float | None = None
        self._until_s = 0.0

    def observe(self, block: Block) -> None:
        """Take in a block."""
        self._until_s = block.until_s
        self._counts += np.bincount(block.kind, minlength=len(Kind))
        counted = np.isin(block.kind, (Kind.RECORDS_SENT, Kind.RECORDS_DROPPED, Kind.RECORDS_MISSED))
        self._sums += np.bincount(block.kind[counted], block.value[counted], minlength=len(Kind))
        self._holdings.observe(block)
        few = block.take(_FOLLOWED[block.kind])
        columns = (few.kind.tolist(), few.t.tolist(), few.worker.tolist(), few.cause.tolist(), few.value.tolist())
        for kind, t_s, worker, cause, value in zip(*columns, strict=True):
            self._event(kind, t_s, worker, cause, value)

    def _event(self, kind: int, t_s: float, worker: int, cause: int, value: float) -> None:
        is_process = 0 <= worker < len(self._listed)
        if kind in LIVES:
            found = self._lives.take(kind, worker, t_s, cause)
            if found is not None and kind == Kind.PROCESS_EXITED:
                self._listed[worker].exits.append(found)
        elif kind in _SAID and is_process:
            self._listed[worker].take(kind, value)
        elif kind in _RESOURCES and is_process:
            self._resources[worker].take(kind, value)
        elif kind == Kind.SAMPLE_BACKLOG and is_process:
            self._backlog[worker] = int(value)
        elif kind in _SINKS:
            self._holdings.figure(worker, _SINKS[Kind(kind)], int(value))
        elif kind in MINUTE_KINDS:
            self._alerts.minute(kind, value)
        elif kind == Kind.REPORTED_ALERT_FIRED:
            self._alerts.fired(self._vocabulary.names[int(value)], t_s)
        elif kind == Kind.REPORTED_ALERT_RESOLVED:
            self._alerts.resolved(self._vocabulary.names[int(value)], t_s)
        elif kind == Kind.EXPORT_MADE:
            if self._exported_s is not None:
                self._longest_s = max(self._longest_s or 0.0, round(t_s - self._exported_s, 6))
            self._exported_s = t_s

    def manifest(self, beside: Beside) -> Mapping[str, object]:
        """What run_manifest.json gains."""
        pids, pipeline = _pids(beside.read(TABLE) or beside.read(f"system/{TABLE}")), self._pipeline
        used = zip(pipeline.processes, self._resources, strict=True)
        return {
            "processes": [
                listed.told(process.name, pids.get(process.name, []), pipeline.supervisor.restart.backoff, self._fault)
                for process, listed in zip(pipeline.processes, self._listed, strict=True)
            ],
            "shutdown_order": self._shutdown_order(),
            "resource_usage": {process.name: resources.told() for process, resources in used},
            "system_export": SystemExport(
                pipeline.export_every_s,
                int(self._counts[Kind.EXPORT_MADE]),
                int(self._counts[Kind.EXPORT_FAILED]),
                self._longest_s,
            ),
            "source_metrics": SourceMetrics(
                pipeline.processes[pipeline.reader].name,
                int(self._sums[Kind.RECORDS_SENT]),
                int(self._sums[Kind.RECORDS_DROPPED]),
                int(self._sums[Kind.RECORDS_MISSED]),
                int(self._counts[Kind.STREAM_RECONNECTED]),
                int(self._counts[Kind.STREAM_TIMED_OUT]),
            ),
            "alerts": list(self._alerts.told(beside)),
        }

    def _fault(self, cause: int) -> str:
        return self._vocabulary.causes[cause].fault

    def _shutdown_order(self) -> ShutdownOrder:
        names = [process.name for process in self._pipeline.processes]
        observed = [names[number] for number in self._lives.ended]
        left = dict(zip(names, self._backlog, strict=True))
        return ShutdownOrder(self._lives.shutdown_s, list(self._pipeline.supervisor.order), observed, left)

    def documents(self, beside: Beside) -> Mapping[str, msgspec.Struct]:
        """source_manifest.json, parity_diff.json and a daily report of each sink."""
        alerts, minutes = list(self._alerts.told(beside)), self._alerts.minutes
        reports = daily_reports(self._scenario, self._holdings, minutes, alerts, beside, self._until_s)
        return {
            SOURCE_MANIFEST: source_manifest(self._scenario, self._holdings, beside),
            PARITY_DIFF: parity_diff(self._scenario, self._holdings),
            **{daily_report(report.sink, "json"): report for report in reports},
        }


def _pids(table: bytes | None) -> dict[str, list[int]]:
    """The ids that each process had, in the order in which they were seen, from the samples of a real run."""
    found: dict[str, dict[int, None]] = {}
    rows = csv.DictReader(io.StringIO((table or b"").decode("utf-8", errors="replace")))
    for row in rows:
        name, pid = row.get("process") or "", row.get("pid") or ""
        if pid.isdecimal():
            found.setdefault(name, {})[int(pid)] = None
    return {name: list(pids) for name, pids in found.items()}
