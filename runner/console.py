"""What the command line says: remarks on the way, which must never stop a run, and results."""

import os
import sys

import click

from schemas.errors import OutputError, reason


def remark(text: str) -> None:
    """Say something on standard error; a run goes on when nobody listens there."""
    try:
        click.echo(text, err=True)
    except (OSError, ValueError):
        _silence(2)


def tell(text: str, *, nl: bool = True) -> None:
    """Give a result on standard output; a reader that has gone is no error. Raises OutputError for a full disk."""
    try:
        click.echo(text, nl=nl)
    except BrokenPipeError:
        _silence(1)
    except OSError as error:
        _silence(1)
        raise OutputError(f"standard output: {reason(error)} (send it elsewhere)") from None


def _silence(descriptor: int) -> None:
    """Send the rest to nowhere: what Python still holds would fail again at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def flush() -> None:
    """Hand over what Python still holds, as far as someone takes it."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except (OSError, ValueError):
            _silence(descriptor)
