"""A pipeline of real processes, as a target file describes them."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from soak.runner.extras import need
from soak.runner.targets.history import History
from soak.runner.targets.pipeline.config import SYSTEM
from soak.runner.targets.pipeline.metrics import KNOWN
from soak.runner.targets.pipeline.replayed import plays_back
from soak.runner.targets.pipeline.timeseries import PORT
from soak.runner.targets.processes.prepared import missing_commands
from soak.runner.targets.refusals import refuse_system
from soak.schemas.errors import UsageError, Where
from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.systems.pipeline.faults import PipelineFaultType
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.schemas.target.fits import refuse_misfit, unused
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import TargetFile
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.runner.targets.pipeline.continuation import Continuation


def _of_services(file: TargetFile) -> list[Where]:
    """Places in a target file that are of what requests are sent to."""
    outages = [("services", place, "outage") for place in range(len(file.services))]
    return [("url",), ("ready",), ("metrics",), *outages, *(("faults", name, "sqlite") for name in file.faults)]


class PipelineTarget:
    """Drives the processes of a target file with a plan, `speed` times as fast as the scenario says."""

    clock = "real"

    def __init__(self, loaded: LoadedTarget, speed: float = 1.0, *, bundled: bool = False) -> None:
        self.target_file = loaded
        self.name = loaded.file.name
        self.speed = speed
        self.target_sha256 = None if bundled else loaded.sha256
        self._bundled = bundled
        self._directory = Path()
        self._continuation: Continuation

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for another system and faults that are not possible here, ScenarioError for what the file lacks."""
        refuse_system(scenario, "pipeline", self.name)
        if self._bundled:
            need("pipeline", f"target {self.name}")
        pipeline, file = pipeline_of(scenario), self.target_file.file
        processes = [each.name for each in pipeline.processes]
        refuse_misfit(
            self.target_file,
            processes=processes,
            sinks=[each.name for each in pipeline.sinks] if file.sinks else [],
            metrics=KNOWN,
            more=[
                *unused(self.target_file, _of_services(file), "pipeline", "it is of a service at a URL"),
                *missing_commands(self.target_file, processes),
            ],
        )
        if reasons := [
            f"fault {each.name} ({each.type}): {why}" for each in scenario.faults if (why := self._why_not(each))
        ]:
            remedy = "remove the fault, or use another target"
            raise UsageError(f"target {self.name} cannot run this scenario: {'; '.join(reasons)} ({remedy})")

    def _why_not(self, fault: Fault) -> str:
        """Why a fault is not possible; empty if it is."""
        file = self.target_file.file
        if fault.type in file.faults or fault.type == TELEMETRY_LOSS:
            return ""
        sink = file.sinks.get(fault.dependency)
        process = next((each for each in file.processes if each.name == fault.dependency), None)
        replays = plays_back(self.target_file)
        match fault.type:
            case PipelineFaultType.CLOCK_JUMP:
                return "the clock of one process cannot be set without an action of the target file (add faults: clock_jump)"
            case PipelineFaultType.SINK_LOCK if sink is None or sink.sqlite is None:
                return "only an SQLite database can be locked"
            case PipelineFaultType.SINK_FULL if sink is None:
                return "the target file does not say where the sink is"
            case PipelineFaultType.PORT_TAKEN if process is None or process.port is None:
                return "the target file does not say which port the process has (add port:)"
            case PipelineFaultType.EXPORT_OUTAGE if PORT not in file.ports:
                return f"the system does not export to the port {PORT} of the target file (add it, and export there)"
            case PipelineFaultType.SOURCE_DISCONNECT if file.source is None or file.source.disconnect is None:
                return "the target file does not say how the source disconnects (add source.disconnect)"
            case (
                PipelineFaultType.SOURCE_SILENCE
                | PipelineFaultType.SOURCE_BURST
                | PipelineFaultType.CONSISTENCY_DROP
                | PipelineFaultType.STRENGTH_DROP
            ) if not replays:
                return "the source of the target file sends records of its own (have it replay {replay})"
        return ""

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Keep logs and files of the system in `directory`. Raises UsageError for a run that cannot go on."""
        from soak.runner.targets.pipeline.continuation import Continuation

        self._directory = directory
        (directory / SYSTEM).mkdir(exist_ok=history is not None)
        self._continuation = Continuation(directory, history, self.speed)

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run."""
        from soak.runner.targets.pipeline.drive import Drive

        with Drive(plan, self.target_file, self._directory, self.speed, self._continuation) as drive:
            yield from drive.blocks()
