"""The files that a system adds to the evidence of a run: made when it ends, and again when it is verified."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from soak.runner.evidence.directory import MANIFEST, RunDirectory
from soak.runner.judge.account import Account, Beside
from soak.runner.judge.judge import Judge
from soak.runner.judge.room import room_of
from soak.schemas.errors import EvidenceError
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.verdict import End
from soak.schemas.evidence.versions import UNDECODABLE
from soak.schemas.language.model import Scenario
from soak.schemas.stream.vocabulary import Vocabulary

EPOCHS = "epochs.jsonl"
"""Where a target writes when the parts of a run began: `from` and `zero`, see `Beside.epochs`."""


def account_of(scenario: Scenario, vocabulary: Vocabulary) -> Account:
    """What follows the stream of a run of this scenario for the files of its system."""
    return room_of(scenario.system).account(scenario, vocabulary)


def beside(directory: RunDirectory, manifest: Manifest, judge: Judge, end: End) -> Beside:
    """What an account needs that is not in the stream. Raises EvidenceError for a damaged manifest."""
    scenario = judge.scenario
    try:
        started = datetime.fromisoformat(manifest.started_at.replace("Z", "+00:00"))
    except ValueError:
        raise EvidenceError(f"{directory.file(MANIFEST)}: started_at is invalid (it is damaged)") from None
    if scenario.start and manifest.clock != "real":
        started = scenario.start

    def read(name: str) -> bytes | None:
        return directory.read(name) if directory.file(name).exists() else None

    return Beside(started, manifest.speed, ZoneInfo(scenario.timezone), judge.resumes, read, _epochs(read(EPOCHS)), end)


class _Epoch(msgspec.Struct):
    since: float = msgspec.field(name="from")
    zero: float


def _epochs(content: bytes | None) -> list[tuple[float, float]]:
    """The parts of a run, as a target that knows them wrote them; none where it did not, or where they cannot be read."""
    try:
        found = [msgspec.json.decode(line, type=_Epoch) for line in (content or b"").splitlines()]
    except UNDECODABLE:
        return []
    return [(each.since, each.zero) for each in found]
