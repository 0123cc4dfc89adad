"""Events of checks and of the teardown: a command, a request or a query, whose answer is judged.

A worker is the number of a value among all values of the scenario's checks, or the number of the check or of the step itself
(`schemas/language/check.py`). The label is the tenant that it was made for, if any.
"""

from soak.schemas.stream.kinds import Kind, Spec, Value


def _by_runner(type_: str, description: str, columns: str, value: Value) -> Spec:
    return Spec(type_, description, columns, "value", value, by_runner=True)


_VALUE = "worker label cause"

CHECK_SPECS: dict[Kind, Spec] = {
    Kind.CHECK_VALUE: _by_runner(
        "check.value",
        "a check answered `value`; where text is expected 1 if it was that, otherwise 0 and the text as `error`",
        _VALUE,
        Value.NUMBER,
    ),
    Kind.CHECK_NEGATIVE: _by_runner(
        "check.negative", "a check answered a number below zero: minus `value`", _VALUE, Value.NUMBER
    ),
    Kind.CHECK_DONE: _by_runner(
        "check.done", "a check answered, within `value` of real time", "worker label", Value.SECONDS
    ),
    Kind.CHECK_FAILED: _by_runner(
        "check.failed", "a check gave no answer, within `value` of real time", _VALUE, Value.SECONDS
    ),
    Kind.CHECKS_BEGAN: _by_runner(
        "checks.began", "all work is over: `value` checks of what it left begin", "", Value.NUMBER
    ),
    Kind.TEARDOWN_DONE: _by_runner(
        "teardown.done", "a step of the teardown succeeded, within `value` of real time", "worker label", Value.SECONDS
    ),
    Kind.TEARDOWN_FAILED: _by_runner(
        "teardown.failed", "a step of the teardown failed, within `value` of real time", _VALUE, Value.SECONDS
    ),
}
"""How every kind is written. The values of a check come before its `check.done` or `check.failed`, and belong to it."""
