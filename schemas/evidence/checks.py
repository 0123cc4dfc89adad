"""What checks.json holds: what the checks of a real run answered, the steps of its teardown came to: a fold over the stream."""

import msgspec

SCHEMA_VERSION = 1


class CheckAnswer(msgspec.Struct, frozen=True):
    """An answer: values by name (a figure of the load in braces), texts of those that were not what was expected.

    failed: why there is no whole answer, as in the stream; why: in words. Both are empty where there is one. took_s: real time.
    """

    t_s: float
    took_s: float
    values: dict[str, float]
    texts: dict[str, str]
    failed: str
    why: str


class CheckAnswers(msgspec.Struct, frozen=True):
    """All answers of a check, or those for one tenant. made: how often it was asked; unanswered: by why there was no answer.

    kept: the first and the latest of them.
    """

    check: str
    tenant: str
    when: str
    made: int
    unanswered: dict[str, int]
    kept: list[CheckAnswer]


class TeardownStep(msgspec.Struct, frozen=True):
    """A step of the teardown; t_s, took_s: None where it was not done. failed, why: as of an answer."""

    step: str
    tenant: str
    t_s: float | None
    took_s: float | None
    failed: str
    why: str


class ChecksDocument(msgspec.Struct, frozen=True):
    """What checks.json holds."""

    schema_version: int
    scenario: str
    checks: list[CheckAnswers]
    teardown: list[TeardownStep]
