"""`soak body`."""

import click

from soak.kit import body


@click.command("body")
@click.argument("payload", required=False)
def command(payload: str | None) -> int:
    """Do one attempt of a task of a run: report its start, take as long as planned, report its end. To be called by the worker
    of the system under test, which soak has started.

    PAYLOAD: as it was submitted; by default the variable SOAK_PAYLOAD or standard input. SOAK_WORKER: the name of the worker.

    Exit codes: 0 done, 75 transient error, 65 permanent error, 70 there is no runner, or it refused.

    \b
    Example:
      soak body '{"number": 4}'
    """
    return body(payload)
