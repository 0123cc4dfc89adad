"""What a system's own files of the evidence hold beside the verdict: a fold over the stream, as the verdict is."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec
from msgspec import Struct

from soak.schemas.evidence.processes import Moment
from soak.schemas.evidence.verdict import End, Resume, paused_s
from soak.schemas.stream.block import Block, tick


class Beside(Struct, frozen=True):
    """What an account needs that is not in the stream.

    started: when the run began, to the second; speed: scenario seconds per real second. read: a file of the target by its name
    in the run directory, None where there is none. epochs: of a target that knows it to the microsecond, in order, from when on
    each part of the run counts, and when scenario time was 0 in it, in seconds since 1970. end: how the run ended.
    """

    started: datetime
    speed: float
    zone: tzinfo
    resumes: Sequence[Resume]
    read: Callable[[str], bytes | None]
    epochs: Sequence[tuple[float, float]] = ()
    end: End = End.COMPLETED

    def moment(self, t_s: float) -> Moment:
        """A scenario time on the wall, pauses included, to the millisecond."""
        moment = self.started + timedelta(seconds=t_s / self.speed + paused_s(self.resumes, t_s))
        if self.epochs:
            known = [zero + t_s / self.speed for since, zero in self.epochs if zero + t_s / self.speed >= since]
            moment = datetime.fromtimestamp(known[-1] if known else self.epochs[0][1] + t_s / self.speed, UTC)
        utc = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return Moment(tick(t_s), utc, moment.astimezone(self.zone).isoformat(timespec="milliseconds"))


class Account:
    """Follows the stream of a run for the files of its system. This one has none: a system overrides what it has."""

    def observe(self, block: Block) -> None:
        """Take in a block, as it was judged."""

    def manifest(self, beside: Beside) -> Mapping[str, object]:
        """Fields of run_manifest.json that other systems do not have: see `schemas.evidence.manifest`."""
        return {}

    def documents(self, beside: Beside) -> Mapping[str, msgspec.Struct]:
        """JSON files of the run directory, by name."""
        return {}

    def texts(self, beside: Beside) -> Mapping[str, bytes]:
        """Other files of the run directory, by name: lines of text."""
        return {}
