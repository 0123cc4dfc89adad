"""Targets that requests are sent to: a URL, or what a target file starts and reaches."""

from collections.abc import Generator, Iterator
from pathlib import Path

from soak.runner.extras import need
from soak.runner.http import Inputs, read_inputs
from soak.runner.load.options import ONE_PROCESS
from soak.runner.targets.gateway.faults import why_not
from soak.runner.targets.gateway.metrics import KNOWN
from soak.runner.targets.gateway.reach import refuse_silent
from soak.runner.targets.history import History
from soak.runner.targets.processes.prepared import missing_commands
from soak.runner.targets.refusals import refuse_system
from soak.schemas.errors import Problem, ScenarioError, UsageError
from soak.schemas.language.http import Http
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.systems.gateway.settings import gateway_of
from soak.schemas.target.fits import refuse_misfit, unused
from soak.schemas.target.load import LoadedTarget
from soak.simulation.plan import Plan

_OF_RECORDS = (("source",), ("streams",), ("sinks",))


class UrlTarget:
    """The service at the URL of a scenario, where nothing is started. `load`: how it is made."""

    name = "http"
    clock = "real"

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self.load = ONE_PROCESS
        self.file: LoadedTarget | None = None
        self._inputs = Inputs()
        self._directory = Path()

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for another system, faults that are not possible here, and a run to resume."""
        refuse_system(scenario, "gateway", self.name)
        if resumed:
            _refuse_to_go_on(self.name)
        need("http", f"target {self.name}")
        file = self.file.file if self.file else None
        if reasons := [
            f"fault {each.name} ({each.type}): {why}" for each in scenario.faults if (why := why_not(each, file))
        ]:
            remedy = "remove the fault, or use another target"
            raise UsageError(f"target {self.name} cannot run this scenario: {'; '.join(reasons)} ({remedy})")

    def read(self, loaded: Loaded) -> None:
        """Read secrets and files of data, and ask the service for an answer where nothing is started.

        Raises ScenarioError with all that the scenario lacks, UsageError for secrets that are not there and a silent service.
        """
        if found := list(self._lacks(loaded)):
            raise ScenarioError(found)
        http = loaded.scenario.http or Http()
        self._inputs = read_inputs(http, loaded.folders, loaded.folder)
        self._refuse_silent(http)

    def _lacks(self, loaded: Loaded) -> Iterator[Problem]:
        document = loaded.document
        if not gateway_of(loaded.scenario).exchanges:
            remedy = "add request: {path: /} to each kind, or to workload.task"
            what = f"says nothing of what is sent, and target {self.name} sends requests"
            yield document.problem(("workload",), what, remedy, at_key=True)
        if not self._url(loaded.scenario.http or Http()):
            where, at_key = (("http",), True) if ("http",) in document.keys else ((), False)
            yield document.problem(where, "nothing says where the service is", "add http: {url: …}", at_key=at_key)

    def _url(self, http: Http) -> str:
        """Where the service is, as far as that is known before a run."""
        return http.url

    def _refuse_silent(self, http: Http) -> None:
        refuse_silent(http.url, http)

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Keep logs and files of the system in `directory`. Raises UsageError for a run to resume."""
        if history:
            _refuse_to_go_on(self.name)
        self._directory = directory

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run."""
        from soak.runner.targets.gateway.drive import Drive, Way

        way = Way(self.file, self._directory, self.speed, self.load, self._inputs)
        with Drive(plan, way) as drive:
            yield from drive.blocks()


class FileTarget(UrlTarget):
    """What a target file starts and reaches; one without programs only says where the service is."""

    def __init__(self, loaded: LoadedTarget, speed: float = 1.0, *, bundled: bool = False) -> None:
        super().__init__(speed)
        self.file = self.target_file = loaded
        self.name = loaded.file.name
        self.target_sha256 = None if bundled else loaded.sha256
        self._bundled = bundled

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """See `UrlTarget`; ScenarioError for what the file lacks, or has and is not of use."""
        super().admit(scenario, resumed=resumed)
        if self._bundled:
            need("gateway", f"target {self.name}")
        refuse_misfit(
            self.target_file,
            more=[
                *unused(self.target_file, _OF_RECORDS, "gateway", "it is of records, which this system has none of"),
                *_unknown_metrics(self.target_file),
                *missing_commands(self.target_file),
            ],
        )

    def _url(self, http: Http) -> str:
        return self.target_file.file.url or http.url

    def _refuse_silent(self, http: Http) -> None:
        file = self.target_file.file
        if not file.programs and not file.ready:
            refuse_silent(self._url(http), http)


def _unknown_metrics(loaded: LoadedTarget) -> Iterator[Problem]:
    for name in loaded.file.metrics:
        if name not in KNOWN:
            what = f"nothing is made of a metric {name!r}"
            yield loaded.document.problem(("metrics", name), what, f"write one of: {', '.join(KNOWN)}", at_key=True)


def _refuse_to_go_on(name: str) -> None:
    what = f"a run against target {name} cannot be resumed: what its users waited for is not known any more"
    raise UsageError(f"{what} (run it again)")
