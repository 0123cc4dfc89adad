"""What each type of fault does to a system, how it shows, and how it is undone."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from soak.runner.targets.context import RunContext
from soak.runner.targets.pipeline.flow import Flow
from soak.runner.targets.pipeline.ledgers import Ledgers
from soak.runner.targets.pipeline.metrics import Metrics
from soak.runner.targets.pipeline.observer import Observer
from soak.runner.targets.pipeline.timeseries import TimeSeries
from soak.runner.targets.processes import strikes
from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.group import Group
from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.systems.pipeline.faults import PipelineFaultType
from soak.schemas.systems.pipeline.settings import Pipeline
from soak.schemas.target.model import TargetFile


class Struck(Struct, frozen=True):
    """What faults work on."""

    context: RunContext
    pipeline: Pipeline
    file: TargetFile
    group: Group
    observer: Observer
    ledgers: Ledgers
    flow: Flow
    metrics: Metrics
    actions: Actions
    timeseries: TimeSeries | None
    directory: Path


class Strike(strikes.Strike):
    """One fault of a pipeline in one window."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck.context)
        self.on = struck


def strike_of(fault: Fault, window: Window, struck: Struck) -> Strike:
    """What a fault does: what the target file says, if it says so, or else what soak does itself."""
    from soak.runner.targets.pipeline import strikes_at_processes, strikes_at_records, strikes_at_sinks

    if fault.type in struck.file.faults:
        return strikes_at_records.ByAction(fault, window, struck)
    makes: Mapping[str, Callable[[Fault, Window, Struck], Strike]] = {
        PipelineFaultType.PROCESS_KILL: strikes_at_processes.ProcessKill,
        PipelineFaultType.PROCESS_HANG: strikes_at_processes.ProcessHang,
        PipelineFaultType.TERM_DURING_BATCH: strikes_at_processes.TermDuringBatch,
        PipelineFaultType.PORT_TAKEN: strikes_at_processes.PortTaken,
        PipelineFaultType.SOURCE_SILENCE: strikes_at_records.SourceSilence,
        PipelineFaultType.SOURCE_BURST: strikes_at_records.SourceBurst,
        PipelineFaultType.SOURCE_DISCONNECT: strikes_at_records.SourceDisconnect,
        PipelineFaultType.CONSISTENCY_DROP: strikes_at_records.ShareChange,
        PipelineFaultType.STRENGTH_DROP: strikes_at_records.ShareChange,
        PipelineFaultType.SINK_LOCK: strikes_at_sinks.SinkLock,
        PipelineFaultType.SINK_FULL: strikes_at_sinks.SinkFull,
        PipelineFaultType.EXPORT_OUTAGE: strikes_at_sinks.ExportOutage,
    }
    return makes[fault.type](fault, window, struck)
