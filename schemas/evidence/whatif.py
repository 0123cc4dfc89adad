"""What a change of a scenario does, from paired replications of its simulation, as data: what what_if.json holds."""

import msgspec

from soak.schemas.evidence.changes import Direction, RelativeResult

SCHEMA_VERSION = 2


class Verdicts(msgspec.Struct, frozen=True):
    """How many replications came out how; ABORTED: an abort condition held. None was ended by it."""

    PASS: int
    FAIL: int
    ABORTED: int
    INCONCLUSIVE: int


class Variant(msgspec.Struct, frozen=True):
    """One of the two scenarios: `settings` are those that the base does not have."""

    scenario_sha256: str
    settings: list[str]
    duration_s: float
    verdicts: Verdicts


class Effect(msgspec.Struct, frozen=True):
    """One SLI: means over the replications that observed it in both, in base units; `difference` is variant less base.

    `median`: of the differences of the pairs; `low` and `high`: its interval, all of them together at the `confidence` of the
    comparison, None where `note` says why. `higher`, `lower`: of how many pairs the variant is. `p`: the sign test of these;
    None for too few pairs. `gain`: how many times as many independent replications give a mean difference as exact; None
    where the pairs leave nothing to chance. `base_values`, `variant_values`: of each replication, in the order of `seeds`.
    """

    sli: str
    unit: str
    better: str
    pairs: int
    base: float | None
    variant: float | None
    difference: float | None
    relative: float | None
    median: float | None
    low: float | None
    high: float | None
    higher: int
    lower: int
    p: float | None
    gain: float | None
    direction: Direction
    note: str
    detail: str
    base_values: list[float | None]
    variant_values: list[float | None]


class WhatIf(msgspec.Struct, frozen=True):
    """The whole comparison; `alpha`: how unlikely noise must be, over all SLIs together; `least`: relative, to matter.

    `level`: what `alpha` leaves to PASS and to each SLI that can come out significant (Tarone). `asked`: how many pairs of
    replications were to be made; `seeds`: of those that were. `verdict_p`: McNemar's exact test of the pairs in which one of
    the two is PASS.
    """

    schema_version: int
    scenario: str
    tier: str | None
    settings: list[str]
    seed: int
    asked: int
    seeds: list[int]
    confidence: float
    alpha: float
    level: float
    least: float
    regressed: bool
    reasons: list[str]
    base: Variant
    variant: Variant
    verdict_p: float
    effects: list[Effect]
    objectives: list[RelativeResult]
