"""The files that a system adds to the evidence of a run: made when it ends, and again when it is verified."""

from datetime import datetime
from zoneinfo import ZoneInfo

from soak.runner.evidence.directory import MANIFEST, RunDirectory
from soak.runner.judge.account import Account, Beside
from soak.runner.judge.judge import Judge
from soak.runner.judge.room import room_of
from soak.schemas.errors import EvidenceError
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.language.model import Scenario
from soak.schemas.stream.vocabulary import Vocabulary


def account_of(scenario: Scenario, vocabulary: Vocabulary) -> Account:
    """What follows the stream of a run of this scenario for the files of its system."""
    return room_of(scenario.system).account(scenario, vocabulary)


def beside(directory: RunDirectory, manifest: Manifest, judge: Judge) -> Beside:
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

    return Beside(started, manifest.speed, ZoneInfo(scenario.timezone), judge.resumes, read)
