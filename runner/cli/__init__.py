"""The command line: a file per command, loaded when it is called; the one place that prints errors and ends the process."""

import builtins
import contextlib
import importlib
import keyword
import sys
import traceback
from dataclasses import dataclass

import click

from soak.runner import own_process
from soak.runner.console import flush, prepare_streams, remark
from soak.runner.output import Output, output_of_command
from soak.schemas.errors import SoakError, failure_words
from soak.schemas.versions_seen import versions_seen

_GROUPS = {
    "Run": {
        "run": "Run a scenario and give a verdict.",
        "resume": "Continue a real run that was interrupted or killed.",
        "watch": "Watch a run in the terminal, live or replayed.",
        "dashboard": "Watch a run in the browser, live or replayed.",
        "locust-worker": "Send requests for a run on another machine.",
    },
    "Predict and explain": {
        "plan": "Show what a scenario will do: counts, load, arrival rate.",
        "predict": "Simulate a scenario many times: how likely is it to PASS?",
        "power": "Which violations is a soak long enough to detect?",
        "limits": "Find the value of a parameter at which a scenario breaks.",
        "compare": "Compare two runs: what changed, and is it more than noise?",
        "calibrate": "Fit the model to one part of a run and check it on the rest.",
    },
    "Evidence": {
        "list": "List the runs of a folder: verdict, margin, trend.",
        "history": "Write a page about the runs of a folder: trends, changes.",
        "report": "Render the report of a run again from its files.",
        "verify": "Check the evidence of a run and recompute its verdict.",
        "incident": "List the empty fields of an aborted run's incident.",
        "review": "Add a review to a run, or show those that it has.",
        "gate": "Accept or refuse a release candidate on its evidence.",
        "baseline": "Pin a run as the baseline for later comparisons.",
        "selftest": "Check that planted defects are detected.",
    },
    "Integrate": {
        "target": "Check or list what attaches a system.",
        "body": "Do one attempt of a task: for workers written as scripts.",
        "export": "Write the time series of a run for a database.",
        "monitoring": "Write alert rules and a Grafana dashboard for a scenario.",
    },
    "Author": {
        "init": "Write a commented scenario to start from.",
        "validate": "Check scenario files and list every mistake.",
        "import": "Write what a file of another tool says as part of a scenario.",
        "schema": "Print a JSON Schema for editors and other tools.",
        "slis": "List the service-level indicators.",
        "completion": "Print the shell completion script.",
    },
}
"""What `soak --help` shows: commands under their headings, so that no module is imported for it."""
_COMMANDS = {name: text for group in _GROUPS.values() for name, text in group.items()}
INTERNAL_ERROR, USAGE_ERROR, INTERRUPTED = 1, 2, 130
_REMEDY = "fix the cause and run the command again; --debug shows a traceback"


class _Commands(click.Group):
    """Commands by name; each module is imported only when its command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        # A module of a package is a name in it: `list` would take the place of the built-in.
        taken = keyword.iskeyword(cmd_name) or hasattr(builtins, cmd_name)
        module = f"{cmd_name}_" if taken else cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f"soak.runner.cli.{module}").command
        for each in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
            _add_debug(each)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, _COMMANDS))
        for heading, commands in _GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:{width}}", text) for name, text in commands.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            from soak.schemas.language.shape import did_you_mean

            raise click.UsageError(f"no command {name!r} ({did_you_mean(name, list(_COMMANDS))})", ctx)
        return super().resolve_command(ctx, args)


def _add_debug(command: click.Command) -> None:
    if any(param.name == "debug" for param in command.params):
        return
    command.params.append(
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            help="Show a traceback when something fails.",
            callback=_debug,
        )
    )


def _debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_object(_Session).debug = True  # type: ignore[union-attr]


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="soak-runner", prog_name="soak")
def cli() -> None:
    """Soak-test a system from one YAML file and get a verdict with its evidence.

    \b
    Example:
      soak run scenarios/72h.yaml
    """


def main() -> None:
    """Run the command line and end the process with its exit code."""
    own_process.claim()
    prepare_streams()
    exit_code = run_command(sys.argv[1:])
    flush()
    sys.exit(exit_code)


@dataclass(slots=True)
class _Session:
    """State that commands share with the command line."""

    debug: bool = False


def run_command(arguments: list[str]) -> int:
    """Run one command; returns the exit code. Errors are printed here and nowhere else."""
    asked = Output()
    with versions_seen() as seen:
        exit_code = _exit_code(arguments, asked)
    if seen and not asked.quiet:
        from soak.runner.hints import show_hints

        show_hints(seen)
    return exit_code


def _exit_code(arguments: list[str], asked: Output) -> int:
    session = _Session()
    try:
        with output_of_command(asked):
            result = cli.main(arguments, prog_name="soak", standalone_mode=False, obj=session)
        return result if isinstance(result, int) else 0
    except click.Abort:
        return _fail(session, "interrupted", INTERRUPTED)
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        return USAGE_ERROR
    except SoakError as error:
        return _fail(session, str(error), error.exit_code)
    except BrokenPipeError:
        # The reader of the output (a pager, `head`) has closed the pipe: not an error.
        return 0
    except OSError as error:
        # A missing file, a full disk or a broken stream is not a bug in soak.
        return _fail(session, f"{failure_words(error)} ({_REMEDY})", INTERNAL_ERROR)
    except Exception as error:
        from soak.schemas.language.registry import MEND, blame

        if blamed := blame(error):
            return _fail(session, f"{blamed} ({MEND})", USAGE_ERROR)
        return _fail(
            session,
            f"{failure_words(error)} (a bug in soak: run it with --debug and report the traceback)",
            INTERNAL_ERROR,
        )


def _fail(session: _Session, message: str, exit_code: int) -> int:
    if session.debug:
        traceback.print_exc()
    remark(message)
    return exit_code
