"""Everything that follows the stream itself: tasks, telemetry, and a scenario's own series."""

import copy
from dataclasses import dataclass

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.need import Need
from soak.runner.judge.own import OwnSeries
from soak.runner.judge.reads import series_of
from soak.runner.judge.room import Asked, room_of
from soak.runner.judge.stalls import floor_s
from soak.runner.judge.telemetry import Telemetry
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.vocabulary import Vocabulary


@dataclass(slots=True)
class Trackers:
    """What follows the stream; copied before each block, so that a block can be cut where the run ends."""

    lifecycle: Lifecycle
    telemetry: Telemetry
    own: OwnSeries

    @classmethod
    def of(
        cls, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None, labels: LabelNumbers, need: Need
    ) -> "Trackers":
        """Those of a run; what is not needed is not followed."""
        room, stall_s, gap_s = room_of(scenario.system), floor_s(scenario, "stall"), floor_s(scenario, "telemetry")
        wanted = series_of(scenario, need)
        asked = Asked(scenario, vocabulary, identity, labels, need, wanted, stall_s, gap_s)
        slis = {name: sli for name, sli in scenario.slis.items() if sli.series in wanted}
        return cls(
            room.followed(asked) or Lifecycle(labels, stall_s, room.tracker(scenario, vocabulary, identity)),
            Telemetry(gap_s, None if need.findings else wanted),
            OwnSeries(slis, vocabulary, language_of(scenario.system).durations),
        )

    def copied(self, shared: dict[int, object]) -> "Trackers":
        """A copy. shared: what copies have in common, by its id."""
        return Trackers(
            copy.deepcopy(self.lifecycle, shared),
            copy.deepcopy(self.telemetry, shared),
            copy.deepcopy(self.own, shared),
        )
