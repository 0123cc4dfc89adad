"""What a task system itself counts at the end of a run, by state."""

import json
import selectors
import shlex
import time
from collections.abc import Mapping
from typing import Any

from soak.contract import Snapshot
from soak.runner.console import remark
from soak.runner.targets.processes.brief import answer_of
from soak.runner.targets.processes.prepared import Prepared
from soak.runner.targets.queue.foreign.intake import ProcessIntake
from soak.runner.targets.queue.foreign.messages import MOST_BYTES, MOST_COUNT
from soak.schemas.errors import reason, shortened
from soak.schemas.stream.events import CENSUS
from soak.schemas.stream.states import TaskState
from soak.schemas.target.model import Spoken

_STATES = {state.name.lower(): state for state in CENSUS}
_SETTLES_REAL_S, _AGAIN_REAL_S = 3.0, 0.1
"""How long a census may differ from what was seen before it counts, and after which time it is taken again."""

_NOT_TAKEN = "the census could not be taken"

_MOST_REAL_S = 30.0
"""The longest that is waited, where redelivery is promised within a longer time."""


class Census:
    """Takes the census of a system where its target file says how. Entries that are not counts are left out, and said."""

    def __init__(self, prepared: Prepared, intake: object, selector: selectors.BaseSelector) -> None:
        file = prepared.file
        self._says = file.census
        promised_s = file.promises.redelivery_s if file.promises else None
        self._redelivery_s = (promised_s or 0.0) / (file.faketime or 1.0)
        self._told = False
        self._asks_for_s = (file.submit or Spoken()).timeout_s
        self._launcher, self._intake, self._selector = prepared.launcher, intake, selector

    def settled(self, seen: Snapshot) -> dict[TaskState, int]:
        """The first census that agrees with what was seen, or the last one within a time.

        A system records the end of a task after its body has reported it, and counts states one after the other. What a dead
        worker had still to record is recorded within the promised time of a redelivery.
        """
        until = time.monotonic() + max(_SETTLES_REAL_S, min(self._redelivery_s, _MOST_REAL_S))
        while True:
            counts = self.take()
            agrees = all(count == getattr(seen, state.name.lower()) for state, count in counts.items())
            if agrees or time.monotonic() >= until:
                return counts
            time.sleep(_AGAIN_REAL_S)

    def take(self) -> dict[TaskState, int]:
        """The number of tasks in each state that the system counts; empty where it does not, or gives no answer."""
        if not self._says:
            return {}
        found = self._by_command(self._says) if isinstance(self._says, Spoken) else self._by_intake()
        if found is None:
            return {}
        wrong = [name for name, count in found.items() if name not in _STATES or not _is_count(count)]
        if wrong and not self._told:
            self._told = True
            remark(f"not a number of tasks in a state: {shortened(', '.join(wrong))} (left out of the census)")
        return {_STATES[name]: count for name, count in found.items() if name not in wrong}

    def _by_intake(self) -> Mapping[str, Any] | None:
        assert isinstance(self._intake, ProcessIntake), "the target file was checked"
        self._intake.census()
        until = time.monotonic() + self._asks_for_s
        while not self._intake.counted and (wait_s := until - time.monotonic()) > 0:
            for key, _ in self._selector.select(wait_s):
                key.data()
        if not self._intake.counted:
            remark(f"the submit process gave no census within {self._asks_for_s:g} s")
            return None
        return self._intake.counts

    def _by_command(self, says: Spoken) -> Mapping[str, Any] | None:
        assert says.command
        words = shlex.split(says.command)
        folder = self._launcher.here / says.directory
        try:
            said = answer_of(words, folder, self._launcher.environment, says.timeout_s, MOST_BYTES)
        except OSError as error:
            remark(f"{_NOT_TAKEN}: {words[0]}: {reason(error)} (correct its command or directory)")
            return None
        if said.code is None:
            remark(
                f"{_NOT_TAKEN}: {words[0]} has not ended after {says.timeout_s:g} s (make it quicker, or set timeout)"
            )
            return None
        try:
            found = json.loads(said.output)
        except (ValueError, RecursionError):
            found = None
        if said.code or not isinstance(found, dict):
            text = shortened(said.output.decode(errors="replace").strip())
            what = f"{words[0]} exited with {said.code} and said {text or 'nothing'}"
            remark(f'{_NOT_TAKEN}: {what} (let it exit with 0 and print counts, such as {{"pending": 3}})')
            return None
        return found


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < MOST_COUNT
