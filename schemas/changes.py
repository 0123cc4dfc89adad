"""A pinned baseline and what changed since, as data: what a baseline file and changes.json hold."""

from enum import StrEnum

import msgspec

from schemas.verdict import Outcome, Status

SCHEMA_VERSION = 1


class BaselineSli(msgspec.Struct, frozen=True):
    """An SLI over the whole run in base units, and over each of `slices` equal parts of it (None: nothing observed)."""

    unit: str
    better: str
    value: float | None
    slices: list[float | None]


class Baseline(msgspec.Struct, frozen=True):
    """A run as far as others are compared with it."""

    schema_version: int
    scenario: str
    scenario_sha256: str
    target: str
    seed: int
    speed: float
    verdict: Outcome
    commit: str | None
    duration_s: float
    slis: dict[str, BaselineSli]


class Direction(StrEnum):
    """What a change means.

    UNCHANGED: no more than noise, or too small to matter; UNTESTED: it has no parts to tell a change from noise by;
    UNKNOWN: nothing to compare.
    """

    WORSE = "WORSE"
    BETTER = "BETTER"
    UNCHANGED = "UNCHANGED"
    UNTESTED = "UNTESTED"
    UNKNOWN = "UNKNOWN"


class Change(msgspec.Struct, frozen=True):
    """One SLI: `change` is run less base in base units, `relative` that over the base, `p` how likely noise alone does it."""

    sli: str
    unit: str
    base: float | None
    run: float | None
    change: float | None
    relative: float | None
    p: float | None
    direction: Direction
    detail: str


class RelativeResult(msgspec.Struct, frozen=True):
    """An objective relative to the base, such as `latency_p95 <= 1.1x baseline`; `target` in base units."""

    objective: str
    value: float | None
    target: float | None
    status: Status


class Changes(msgspec.Struct, frozen=True):
    """The whole comparison; `alpha`: how unlikely noise must be, over all SLIs together; `least`: relative, to matter."""

    schema_version: int
    base: Baseline
    run: Baseline
    paired: bool
    alpha: float
    least: float
    regressed: bool
    reasons: list[str]
    changes: list[Change]
    objectives: list[RelativeResult]
