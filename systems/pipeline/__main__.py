"""The command line: `python -m soak.systems.pipeline COMMAND …`. `run` is the supervisor; the others run one process each."""

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from soak.systems.pipeline.defects import VARIABLE, WHAT, Defect
from soak.systems.pipeline.settings import PROCESSES, Settings, SettingsError, checked, read_settings
from soak.systems.pipeline.stage import Stage, log, run

USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code: 2 if the settings are wrong."""
    asked = _parser().parse_args(arguments)
    try:
        settings = settings_of(asked)
    except SettingsError as error:
        log(error)
        return USAGE
    settings.path.mkdir(parents=True, exist_ok=True)
    return _run(asked, settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m soak.systems.pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in ("run", "source", "exchange", *PROCESSES):
        command = commands.add_parser(name)
        command.add_argument("--dir", metavar="DIR", help="where all files are")
        command.add_argument("--config", type=Path, metavar="FILE", help="settings, JSON")
        command.add_argument("--sink", choices=("jsonl", "sqlite", "dual"))
        command.add_argument("--source", metavar="URL", help="the source, ws://…")
        command.add_argument("--exchange", metavar="URL", help="the exchange, http://…")
        command.add_argument("--speed", type=float, help="seconds of scenario time per real second")
        command.add_argument("--minutes", type=float, help="length of the run in scenario time; 0: until SIGTERM")
        defects = "; ".join(f"{name}: {what}" for name, what in WHAT.items())
        command.add_argument("--defect", action="append", choices=list(Defect), help=defects, metavar="NAME")
        command.add_argument("--parent", type=int, default=0, metavar="PID", help="end when this parent has ended")
        command.add_argument("--port", type=int, help="port of the process; of the source: WebSocket")
        if name == "run":
            command.add_argument("--enable", help=f"processes, with commas: {','.join(PROCESSES)}")
            command.add_argument("--stay", action="store_true", default=None, help="after --minutes, wait for SIGTERM")
        if name == "source":
            command.add_argument("--replay", type=Path, metavar="FILE", help="records, JSON lines")
            command.add_argument("--control-port", type=int, help="HTTP port")
            command.add_argument("--epoch", type=float, help="go at this Unix time, without being asked to")
    return parser


def settings_of(asked: argparse.Namespace) -> Settings:
    """The settings of the file, the environment and the command line; the later wins. Raises SettingsError."""
    settings = read_settings(asked.config) if asked.config else Settings()
    changed: dict[str, object] = {
        name: value
        for name in ("sink", "source", "exchange", "speed", "minutes", "stay")
        if (value := getattr(asked, name, None)) is not None
    }
    if asked.dir:
        changed["directory"] = asked.dir
    if getattr(asked, "enable", None):
        changed["enable"] = tuple(name.strip() for name in asked.enable.split(",") if name.strip())
    if planted := {*(asked.defect or ()), *filter(None, [os.environ.get(VARIABLE)])}:
        changed["defects"] = settings.defects | planted
    for variable, name in (("TYPE", "timeseries_type"), ("URL", "timeseries_url")):
        if value := os.environ.get(f"TIMESERIES_{variable}"):
            changed[name] = value
    if zone := os.environ.get("REPORT_TZ"):
        changed["timezone"] = zone
    ports = dict(settings.ports)
    if asked.port:
        ports["stream" if asked.command == "source" else asked.command] = asked.port
    if getattr(asked, "control_port", None):
        ports["source"] = asked.control_port
    try:
        merged = msgspec.to_builtins(settings) | changed | {"ports": ports}
        settings = msgspec.convert(merged, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(str(error)) from None
    _complete(asked.command, settings)
    return checked(settings)


def _complete(command: str, settings: Settings) -> None:
    """Raise SettingsError if a command misses what only it needs."""
    if command in ("run", "report"):
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            ZoneInfo(settings.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise SettingsError(f"REPORT_TZ: no time zone {settings.timezone!r}") from None
    if command == "harvest" and not settings.source:
        raise SettingsError("harvest needs the URL of a source (--source ws://…)")
    if command == "broker" and not settings.exchange:
        raise SettingsError("broker needs the URL of an exchange (--exchange http://…)")
    if command == "source" and not {"stream", "source"} <= set(settings.ports):
        raise SettingsError("source needs two ports (--port and --control-port)")
    if command == "run" and not settings.source and (settings.path / "raw.jsonl").exists():
        raise SettingsError(
            f"{settings.path} has the records of another run: a new one needs another directory (--dir)"
        )


def _run(asked: argparse.Namespace, settings: Settings) -> int:
    # What a process does not need, it does not load: it must be quick to start.
    name = asked.command
    match name:
        case "run":
            from soak.systems.pipeline.supervisor import Supervisor

            async def supervise() -> int:
                return await Supervisor(settings).run()

            return asyncio.run(supervise())
        case "source":
            return run(name, settings, lambda stage: _source(stage, asked), asked.parent)
    return run(name, settings, _work, asked.parent)


async def _source(stage: Stage, asked: argparse.Namespace) -> None:
    from soak.systems.pipeline.market import Generated, Replay
    from soak.systems.pipeline.source import Source

    settings = stage.settings
    duration_s = settings.minutes * settings.minute_s
    feed = Replay(asked.replay) if asked.replay else Generated(settings.market, settings.speed, duration_s)
    await Source(stage, feed, asked.epoch).run(settings.ports["stream"])


async def _work(stage: Stage) -> None:
    match stage.name:
        case "harvest":
            from soak.systems.pipeline.harvest import Harvest

            await Harvest(stage).run()
        case "signal":
            from soak.systems.pipeline.signals import Scorer

            await Scorer(stage).run()
        case "broker":
            from soak.systems.pipeline.broker import Broker

            await Broker(stage).run()
        case "report":
            from soak.systems.pipeline.report import Reporter

            await Reporter(stage).run()
        case "exchange":
            from soak.systems.pipeline.exchange import Exchange

            await Exchange(stage).run()


if __name__ == "__main__":
    raise SystemExit(main())
