"""Which run it is that is exported, and the time of day of its scenario time."""

from collections.abc import Sequence

from msgspec import Struct

from soak.runner.export.metrics import Labels, run_labels
from soak.schemas.evidence.manifest import Git, Manifest
from soak.schemas.evidence.verdict import Resume, paused_s
from soak.schemas.stream.identity import Identity

TAG = "soak"
"""The tag of all annotations."""


def scenario_tag(scenario: str) -> str:
    """The tag of all annotations of a scenario."""
    return f"scenario:{scenario}"


class About(Struct, frozen=True):
    """A run, as a receiver is told of it. `run`: the name of its directory; `commit`: of its scenario's checkout."""

    scenario: str
    scenario_sha256: str
    target: str
    run: str
    seed: int
    clock: str
    speed: float
    commit: str = ""
    dirty: bool = False

    @classmethod
    def of(cls, identity: Identity, run: str, git: Git | None) -> "About":
        """Of a run that is going on."""
        commit, dirty = (git.sha, git.dirty) if git else ("", False)
        # A path may contain bytes that are not text.
        name = run.encode(errors="replace").decode()
        return cls(
            identity.scenario,
            identity.scenario_sha256,
            identity.target,
            name,
            identity.seed,
            identity.clock,
            identity.speed,
            commit,
            dirty,
        )

    @classmethod
    def of_evidence(cls, manifest: Manifest, identity: Identity, run: str) -> "About":
        """Of a run that has ended."""
        return cls.of(identity, run, manifest.git)

    @property
    def labels(self) -> Labels:
        """The labels of all its metrics."""
        return run_labels(self.scenario, self.target, self.run)


class WallClock(Struct, frozen=True):
    """Unix time of scenario time: `zero_s` at its zero, `speed` seconds of it per real one, and pauses of real time."""

    zero_s: float
    speed: float = 1.0
    resumes: Sequence[Resume] = ()

    def at(self, t_s: float) -> float:
        """Unix time, in seconds, of `t_s` of scenario time."""
        return self.zero_s + t_s / self.speed + paused_s(self.resumes, t_s)
