"""A random scenario of the system `queue`, valid by construction, from a seed: see `scenario_of`."""

import json
from dataclasses import dataclass
from pathlib import Path

from engines.dice import Dice, seconds
from engines.frame import Data, Frame
from engines.judging import judged, observed
from engines.load import clock, workload
from engines.mishaps import faults
from engines.nasty import coincide
from engines.orchestrator import fleet, number_of_workers, own_of_kinds, queue

USUAL_BLOCK = 32_768


@dataclass(frozen=True)
class Generated:
    """A scenario with the files that it refers to, and how it is run.

    abort: whether abort conditions end it. stop: what ends it once the verdict is known, as `soak run --stop` has it.
    block: events in a block of the simulation, which is small for many: what goes on when one ends must make no difference.
    """

    seed: int
    data: Data
    files: dict[str, bytes]
    abort: bool
    stop: str | None
    block: int

    def write(self, folder: Path) -> Path:
        """The scenario file in a folder of its own, with the files beside it: a trace is read for as long as it runs."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        path = folder / "scenario.json"
        path.write_text(json.dumps(self.data, indent=1), encoding="utf-8")
        return path


def scenario_of(seed: int) -> Generated:
    """The scenario of a seed: the same on every machine, and valid whatever the seed is."""
    dice = Dice(seed)
    frame = Frame.drawn(dice)
    frame.workers = number_of_workers(frame)
    data: Data = {
        "version": 1,
        "name": f"generated-{seed}",
        "system": "queue",
        "duration": seconds(frame.duration_s),
        "drain": seconds(frame.drain_s),
        "seed": dice.whole(0, 10**9),
        **clock(frame),
        **workload(frame),
    }
    data["queue"] = queue(frame)
    own_of_kinds(frame, data)
    fleet(frame, data["queue"])
    if found := faults(frame, data["queue"]):
        data["faults"] = found
    data |= observed(frame)
    data |= judged(frame, data.get("faults", []), data)
    coincide(frame, data)
    if dice.chance(0.02):
        data["repeat"] = 2
    stop = dice.pick("all", "decidable") if dice.chance(0.05) else None
    return Generated(seed, data, frame.files, not dice.chance(0.1), stop, dice.pick(60, 600, 6000, USUAL_BLOCK))
