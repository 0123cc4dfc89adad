"""The decision of a gate, as data: what gate.json holds."""

import msgspec

SCHEMA_VERSION = 1


class RuleCheck(msgspec.Struct, frozen=True):
    """One thing a rule looked at: a file or a run directory, whether it is as the rule asks, and what is wrong if not."""

    file: str
    ok: bool
    detail: str


class RuleResult(msgspec.Struct, frozen=True):
    """A rule, with everything it looked at. `detail`: what is wrong with the rule as a whole, empty for nothing."""

    rule: str
    ok: bool
    detail: str
    checks: list[RuleCheck]


class Decision(msgspec.Struct, frozen=True):
    """The whole decision; `evidence` is what must be true of every run, whichever rule looks at it."""

    schema_version: int
    gate: str
    title: str
    passed: bool
    decided_at: str
    commit: str | None
    rules: list[RuleResult]
    evidence: list[RuleResult]
