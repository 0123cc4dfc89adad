"""What the command lines have in common: the store they work on, and errors as one line."""

from datetime import UTC, datetime
from pathlib import Path

import click

from soak.systems.orchestrator.db_store import OperationError, Store, StoreError
from soak.systems.orchestrator.defects import UnknownDefectError
from soak.systems.orchestrator.queue_md import QueueFormatError
from soak.systems.orchestrator.settings import Settings, SettingsError, read_settings

_ERRORS = (OperationError, StoreError, SettingsError, UnknownDefectError, QueueFormatError)


class StoreGroup(click.Group):
    """Commands whose errors are told in one line, with exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except _ERRORS as error:
            raise click.ClickException(str(error)) from error


def open_from(db: Path | None, config: Path | None, *, create: bool) -> Store:
    """The store of `--db` or `--config`; both may be given, then the database is that of `--db`."""
    if db is None and config is None:
        raise click.UsageError("one of --db and --config is needed")
    settings = read_settings(config) if config else Settings(db=str(db))
    path = db or Path(settings.db)
    if not (create or path.exists()):
        raise StoreError(f"{path}: there is no such database")
    return Store(path, settings)


def stamped(who: str, what: str, notes: str) -> str:
    """A line for the audit trail in a task's notes."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {who}: {what}{': ' if notes else ''}{notes}"
