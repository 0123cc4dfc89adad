"""The decision of a gate, as data: what gate.json holds."""

import msgspec

SCHEMA_VERSION = 1


class RuleCheck(msgspec.Struct, frozen=True):
    """One item checked by a rule: a file or a run directory, whether it satisfies the rule, and what is wrong if not."""

    file: str
    ok: bool
    detail: str


class RuleResult(msgspec.Struct, frozen=True):
    """A rule, with everything it checked. `detail`: what is wrong with the rule as a whole, otherwise empty."""

    rule: str
    ok: bool
    detail: str
    checks: list[RuleCheck]


class Decision(msgspec.Struct, frozen=True):
    """The whole decision; `evidence`: requirements for every run, whichever rule checks it."""

    schema_version: int
    gate: str
    title: str
    passed: bool
    decided_at: str
    commit: str | None
    rules: list[RuleResult]
    evidence: list[RuleResult]
