"""Events of HTTP requests, of what makes them, and of the service that answers them."""

from soak.schemas.stream.kinds import Kind, Spec, Value

_NUMBER = ("value", Value.NUMBER)


def _sample(name: str, columns: str, value: Value, description: str) -> Spec:
    return Spec(f"sample.{name}", description, columns, "value", value)


REQUEST_SPECS: dict[Kind, Spec] = {
    Kind.RESPONSE_RECEIVED: Spec(
        "response.received",
        "an answer to a request came, with the status `status`",
        "task attempt label",
        "status",
        Value.NUMBER,
    ),
    Kind.LOAD_WORKER_JOINED: Spec(
        "load.worker_joined", "a process that makes load is ready", "worker", "name", Value.NAME
    ),
    Kind.LOAD_WORKER_LOST: Spec("load.worker_lost", "a process that makes load is gone", "worker", "name", Value.NAME),
    Kind.SAMPLE_LOAD_CPU: _sample(
        "load_cpu",
        "worker",
        Value.NUMBER,
        "share of one core that a process that makes load used since the last sample",
    ),
    Kind.SAMPLE_LOAD_LAG: _sample(
        "load_lag",
        "worker",
        Value.SECONDS,
        "how late a process that makes load was with a request, the most since the last sample",
    ),
    Kind.SAMPLE_OUTBOX: _sample("outbox", "", Value.NUMBER, "rows that wait in the outbox"),
    Kind.SAMPLE_IN_SERVICE: _sample("in_service", "", Value.NUMBER, "requests that the service works on"),
}
"""How each kind is described."""
