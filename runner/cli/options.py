"""Options that several commands share."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from soak.runner import completing
from soak.runner.output import be_quiet, output
from soak.schemas.units import duration
from soak.simulation.compiled.engine import Engine

if TYPE_CHECKING:
    from soak.runner.analysis import ScenarioFile

_NUMBER = re.compile(r"[0-9]*\.?[0-9]+")

F = TypeVar("F", bound=Callable[..., Any])

scenario_argument = click.argument("scenario", type=click.Path(path_type=Path), metavar="SCENARIO")
run_directory_argument = click.argument(
    "run_directory", type=click.Path(path_type=Path), metavar="RUN_DIR", shell_complete=completing.run_directories
)
optional_run_directory_argument = click.argument(
    "run_directory",
    type=click.Path(path_type=Path),
    metavar="[RUN_DIR]",
    required=False,
    shell_complete=completing.run_directories,
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")


class Positive(click.FloatRange):
    """A finite number above zero; click's ranges let `nan` through."""

    def __init__(self, most: float | None = None) -> None:
        super().__init__(0, most, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises click.UsageError."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a number above zero (write it like 60).", param, ctx)
        return number


class Patience(click.FloatRange):
    """A duration, or a number of seconds, from a millisecond to a day."""

    def __init__(self) -> None:
        super().__init__(0.001, 86_400.0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises click.UsageError."""
        try:
            seconds = duration(value) if isinstance(value, str) and not _NUMBER.fullmatch(value) else value
        except ValueError:
            self.fail(f"{value!r} is not a duration (write 500ms, 10s or 1m).", param, ctx)
        return float(super().convert(seconds, param, ctx))


patience_option = click.option(
    "--patience",
    "patience_s",
    type=Patience(),
    metavar="DURATION",
    help="Timeout of each call to an attached class, including its constructor. [default: 5s]",
)


def _options(ctx: click.Context, param: click.Parameter, said: tuple[str, ...]) -> dict[str, str]:
    """Options of a target file by name. Raises click.BadParameter."""
    found: dict[str, str] = {}
    for each in said:
        name, is_there, value = each.partition("=")
        if not name or not is_there:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE (write it like broker=redis).", ctx, param)
        if name in found:
            raise click.BadParameter(f"{name} is given twice (keep one).", ctx, param)
        found[name] = value
    return found


options_option = click.option(
    "--option",
    "target_options",
    multiple=True,
    callback=_options,
    metavar="NAME=VALUE",
    help="Option of the target file, such as broker=redis. May be repeated.",
)


jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 1024), metavar="N", help="Number of simulating processes. [default: one per core]"
)


def _quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        be_quiet()


def _opens(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        output().opens = True


quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_quiet,
    help="Print only the line with the result; the exit code says the same.",
)
open_option = click.option(
    "--open", is_flag=True, expose_value=False, callback=_opens, help="Open the report in a browser when it is written."
)


def result_options(command: F) -> F:
    """`--quiet` and `--open`."""
    return quiet_option(open_option(command))


def out_option(folder: str) -> Callable[[F], F]:
    """`--out`, for a command that writes to `<folder>/NAME-TIME` by default, and how it shows its result."""
    option: Callable[[F], F] = click.option(
        "-o",
        "--out",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help=f"Directory to write to; new or empty. [default: {folder}/NAME-TIME]",
    )
    return lambda command: option(result_options(command))


job_summary_option = click.option(
    "--job-summary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    envvar="GITHUB_STEP_SUMMARY",
    help="Append a summary in Markdown to this file, for the page of a CI job. [env: GITHUB_STEP_SUMMARY]",
)


overlay_option = click.option(
    "--overlay",
    "overlays",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Merge a YAML file into the scenario, after the tier and before --set. May be repeated.",
)


def engine_option(command: F) -> F:
    """`--engine`: what simulates."""
    return click.option(
        "--engine",
        type=click.Choice([each.value for each in Engine]),
        help="What carries a simulation; the result is the same. [default: $SOAK_ENGINE, or auto: compiled where it can be]",
        callback=lambda ctx, param, value: value and Engine(value),
    )(command)


def override_options(command: F) -> F:
    """`--tier`, `--overlay`, `--set`, `--duration` and `--seed`: the scenario as it is to be run."""
    for option in (
        click.option(
            "--seed", type=click.IntRange(0, 2**53 - 1), help="Seed of every random stream; replaces the scenario's."
        ),
        click.option(
            "--duration", metavar="DURATION", help="Duration of arrivals, such as 2h; replaces the scenario's."
        ),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="Replace one value, such as queue.workers=2. May be repeated.",
        ),
        overlay_option,
        click.option(
            "--tier",
            metavar="NAME",
            shell_complete=completing.tiers,
            help="Apply a named tier of the scenario, such as pr.",
        ),
    ):
        command = option(command)
    return command


def all_settings(settings: tuple[str, ...], duration: str | None, seed: int | None) -> tuple[str, ...]:
    """The overrides of the options as settings, in the order in which they apply."""
    own = [f"duration={duration}"] if duration is not None else []
    return (*settings, *own, *([f"seed={seed}"] if seed is not None else []))


def scenario_file(
    path: Path,
    tier: str | None,
    overlays: tuple[Path, ...],
    settings: tuple[str, ...],
    duration: str | None,
    seed: int | None,
) -> "ScenarioFile":
    """The scenario of an analysis, with what the options of `override_options` change in it."""
    from soak.runner.analysis import ScenarioFile

    return ScenarioFile(path, tier, overlays, all_settings(settings, duration, seed))
