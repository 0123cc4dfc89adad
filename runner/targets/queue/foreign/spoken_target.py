"""A whole system in a process, as a target: driven as attached classes are, started as its target file says."""

import selectors
import shlex
from contextlib import ExitStack
from pathlib import Path

from soak.contract import System, SystemSettings
from soak.runner.targets.queue.foreign.spoken_child import Start
from soak.runner.targets.queue.foreign.spoken_system import SpokenSystem
from soak.runner.targets.queue.system_adapter.body_server import BodyServer
from soak.runner.targets.queue.system_adapter.target import SystemAdapter
from soak.schemas.language.model import Scenario
from soak.schemas.target.fits import refuse_misfit
from soak.schemas.target.load import LoadedTarget
from soak.simulation.plan import Plan

_PATIENCE_S = 30.0
LOG = "submit.log"


class SpokenTarget(SystemAdapter):
    """Drives the process of `submit`, which gives an account of its changes. bundled: whether the file is the package's own."""

    def __init__(self, loaded: LoadedTarget, speed: float = 1.0, *, bundled: bool = False) -> None:
        self.target_file = loaded
        self.target_sha256 = None if bundled else loaded.sha256
        self._start: Start
        super().__init__(loaded.file.name, _class_of(self), speed, _PATIENCE_S)

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for a scenario that this target cannot run, ScenarioError for what its file lacks."""
        from soak.runner.targets.processes.prepared import missing_commands

        super().admit(scenario, resumed=resumed)
        refuse_misfit(self.target_file, more=[*missing_commands(self.target_file)])

    def _bodies(self, plan: Plan, stack: ExitStack, path: Path, selector: selectors.BaseSelector) -> BodyServer:
        """A server of the protocol; the services of the file run."""
        from soak.runner.targets.processes.background import Background
        from soak.runner.targets.processes.prepared import prepare
        from soak.runner.targets.processes.starting import Programs
        from soak.runner.targets.queue.foreign.claimed_bodies import ClaimedBodies
        from soak.runner.targets.queue.foreign.informed import informed
        from soak.runner.targets.queue.foreign.kit_folder import write_kit
        from soak.runner.targets.queue.foreign.settings import CONFIG, settings_of, write_settings

        loaded, directory = self.target_file, self._directory
        bodies = ClaimedBodies(path, selector, ("127.0.0.1", 0) if loaded.file.tcp else None)
        config, kit = directory / CONFIG, write_kit(directory / "kit")
        settings = settings_of(plan.scenario, plan.seed, self.speed, 1.0, None)
        write_settings(config, settings)
        values = {
            "speed": f"{self.speed:g}",
            "seed": str(plan.seed),
            "duration": f"{plan.scenario.duration_s / self.speed:g}",
            "timezone": plan.scenario.timezone,
            "config": str(config),
            "kit": str(kit),
            "workers": str(settings["workers"]),
        }
        prepared = prepare(
            informed(loaded, {**bodies.environment, "SOAK_CONFIG": str(config)}, str(kit)), directory, values
        )
        launcher, submit = stack.enter_context(prepared.launcher), prepared.file.submit
        assert submit and submit.process
        programs = Programs(launcher, stack.enter_context(Background()))
        stack.callback(programs.stop_all)
        programs.start_all(prepared.file.services)
        words = tuple(shlex.split(submit.process))
        self._start = Start(words, launcher.environment, launcher.here / submit.directory, directory / LOG)
        return bodies

    def how(self, settings: SystemSettings) -> Start:
        """How the process is started."""
        return self._start


def _class_of(target: SpokenTarget) -> type[System]:
    class Spoken(SpokenSystem):
        def __init__(self, settings: SystemSettings) -> None:
            super().__init__(settings, target.how)

    Spoken.__name__ = target.target_file.file.name
    return Spoken
