"""The command line: `python -m soak.systems.gateway serve …`. The other commands run one process each, and are the parent's."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from soak.systems.gateway.archive import fill
from soak.systems.gateway.defects import WHAT, Defect
from soak.systems.gateway.logs import log
from soak.systems.gateway.settings import Settings, SettingsError, checked, planted, read_settings

USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code: 2 if the settings are wrong."""
    asked = _parser().parse_args(arguments)
    try:
        settings = settings_of(asked)
    except SettingsError as error:
        log(error)
        return USAGE
    return fill(settings, asked.rows) if asked.command == "fill" else _run(asked.command, settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m soak.systems.gateway", description=__doc__)
    parser.add_argument("command", metavar="COMMAND", help="serve (the parent), http-N or outbox; fill")
    parser.add_argument("--dir", metavar="DIR", help="where all files are")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, JSON")
    parser.add_argument("--host", metavar="ADDRESS", help="where to listen (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="TCP port (default: 8000)")
    parser.add_argument("--workers", type=int, help="HTTP processes (default: 2)")
    parser.add_argument("--database", metavar="URL", help="sqlite:///PATH (default: DIR/gateway.db) or postgresql://…")
    parser.add_argument("--redis", metavar="URL", help="redis://…, for locks and limits (default: none)")
    defects = "; ".join(f"{name}: {what}" for name, what in WHAT.items()).replace("%", "%%")
    parser.add_argument("--rows", type=int, default=10_000, help="fill: how many old executions (default: 10,000)")
    parser.add_argument("--defect", action="append", choices=list(Defect), help=defects, metavar="NAME")
    return parser


def settings_of(asked: argparse.Namespace) -> Settings:
    """The settings of the file, the environment and the command line; the later wins. Raises SettingsError."""
    directory = Path(asked.dir or ".")
    if asked.command != "serve":
        return read_settings(directory / "config.json")
    settings = read_settings(asked.config) if asked.config else Settings()
    changed = _of_environment() | {
        name: value
        for name in ("host", "port", "workers", "database", "redis")
        if (value := getattr(asked, name)) is not None
    }
    if asked.dir:
        changed["directory"] = asked.dir
    changed["defects"] = settings.defects | planted() | frozenset(map(Defect, asked.defect or ()))
    settings = checked(msgspec.structs.replace(settings, **changed))
    settings.path.mkdir(parents=True, exist_ok=True)
    return settings


def _of_environment() -> dict[str, object]:
    found: dict[str, object] = {}
    for variable, name in (
        ("GATEWAY_DATABASE", "database"),
        ("GATEWAY_REDIS", "redis"),
        ("GATEWAY_ADMIN_TOKEN", "admin_token"),
    ):
        if value := os.environ.get(variable):
            found[name] = value
    if offset := os.environ.get("GATEWAY_CLOCK_OFFSET"):
        try:
            found["clock_offset_s"] = float(offset)
        except ValueError:
            raise SettingsError("GATEWAY_CLOCK_OFFSET: seconds, a number") from None
    return found


def _run(command: str, settings: Settings) -> int:
    # What a process does not need, it does not load: it must be quick to start.
    kind, _, number = command.partition("-")
    if command == "serve":
        from soak.systems.gateway.supervisor import Supervisor

        return Supervisor(settings).run()
    if command == "outbox":
        from soak.systems.gateway.outbox import Outbox

        return Outbox(settings).run()
    if kind == "http" and number.isdigit() and int(number) < settings.workers:
        from soak.systems.gateway.http import run

        return run(settings, int(number))
    log(f"no command {command!r} (known: serve, http-N, outbox, fill)")
    return USAGE


if __name__ == "__main__":
    raise SystemExit(main())
