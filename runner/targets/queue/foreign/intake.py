"""How a task is submitted: by a command for each, or by a process that lives."""

import selectors
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from soak.runner.console import remark
from soak.runner.targets.context import RunContext
from soak.runner.targets.processes.prepared import Prepared
from soak.runner.targets.queue.foreign.commands import CommandIntake
from soak.runner.targets.queue.foreign.offers import Answer, AnswerTo
from soak.runner.targets.queue.foreign.spoken import Callbacks, SpokenProcess
from soak.runner.targets.queue.foreign.spoken_child import Start
from soak.schemas.target.model import Spoken

READY_WITHIN_S = 60.0
NAME = "submit"
"""The process that submits, and its log."""


class ProcessIntake:
    """Submits by a process that speaks JSON lines. Start it inside `offspring_ended`, close it at the end."""

    def __init__(
        self,
        context: RunContext,
        selector: selectors.BaseSelector,
        spoken: Spoken,
        prepared: Prepared,
        answer: AnswerTo,
        wrong: Callable[[str], None],
    ) -> None:
        assert spoken.process
        self.counts: Mapping[str, int] | None = None
        self.counted = False
        """Whether the last census was answered: `counts`, None where there is none."""
        launcher = prepared.launcher
        start = Start(
            tuple(shlex.split(spoken.process)),
            launcher.environment,
            launcher.here / spoken.directory,
            prepared.directory / f"{NAME}.log",
        )
        said = Callbacks(
            submitted=lambda n, word, why: answer(n, Answer(word), why),
            counted=self._counted,
            wrong=wrong,
            ended=remark,
        )
        speed = context.clock.speed
        self._process = SpokenProcess(
            NAME,
            start,
            selector,
            lambda real_s, then: context.at(context.now() + real_s * speed, then),
            said,
            spoken.timeout_s,
        )

    def start(self) -> None:
        """Start it, and wait until it is ready. Raises StartError."""
        self._process.start()
        self._process.wait_until_ready(READY_WITHIN_S)

    def submit(self, number: int, key: str, payload: str) -> None:
        """See `Intake`."""
        self._process.submit(number, key, payload)

    def census(self) -> None:
        """Ask for a census."""
        self.counted = False
        self._process.census(0)

    def _counted(self, n: int, counts: Mapping[str, int] | None, why: str) -> None:
        self.counts, self.counted = counts, True
        if counts is None:
            remark(f"the submit process gave no census{f': {why}' if why else ''}")

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""
        return self._process.pid

    def close(self) -> None:
        """End it, and all that it started."""
        self._process.close()


def make_intake(
    context: RunContext,
    selector: selectors.BaseSelector,
    prepared: Prepared,
    directory: Path,
    answer: AnswerTo,
    wrong: Callable[[str], None],
) -> CommandIntake | ProcessIntake:
    """What submits the tasks of a run. Raises StartError, and OutputError for logs in `directory` that cannot be written."""
    spoken, launcher = prepared.file.submit, prepared.launcher
    assert spoken
    if spoken.command:
        folder = launcher.here / spoken.directory
        return CommandIntake(context, selector, spoken, launcher.environment, folder, directory, answer)
    return ProcessIntake(context, selector, spoken, prepared, answer, wrong)
