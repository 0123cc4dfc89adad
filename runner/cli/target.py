"""`soak target`: tools for attaching your own queue or system."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from soak.runner.cli.options import json_option, options_option, patience_option
from soak.runner.console import tell

if TYPE_CHECKING:
    from soak.reports.pages.target_check import Checked, TargetCheck
    from soak.runner.targets.processes.trial import Step
    from soak.runner.targets.profiling import Profiling
    from soak.runner.targets.queue.contract_checks import Result
    from soak.schemas.target.load import LoadedTarget

KEPT, BROKEN = 0, 3


@click.group("target")
def command() -> None:
    """Attach your own queue or system: write one class or a target file, check it, soak it.

    \b
    Examples:
      soak target check my_package.my_queue:MyQueue
      soak target check targets/my-pipeline.yaml
    """


@command.command("check")
@click.argument("name", metavar="TARGET")
@options_option
@patience_option
@click.option(
    "--html", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write the result as a page, too."
)
@json_option
def check(name: str, target_options: dict[str, str], patience_s: float | None, page: Path | None, as_json: bool) -> int:
    """Check a class, a target file or an adapter. TARGET: MODULE:CLASS, the name of an entry point or adapter, or FILE.yaml.

    Of a class: whether it fulfils the contract, promise by promise. Of a target file: everything that it describes is started,
    probed, killed, looked for again, and stopped. Of one of a task system: tasks are submitted to it, some of which fail, come
    twice or have their worker killed; then it is said of each promise whether it was kept.

    Exit codes: 0 all is well, 3 something failed or a promise is broken, 2 no such class or file, one that cannot be constructed,
    or is not valid, 1 the system does not start.

    \b
    Examples:
      soak target check targets/my-pipeline.yaml
      soak target check celery --option broker=rabbitmq --html check.html
      soak target check my_package.my_queue:MyQueue
      soak run scenarios/72h.yaml --target my_package.my_queue:MyQueue --speed 60
    """
    from soak.runner.linux import refuse_elsewhere
    from soak.runner.targets.make import file_of

    refuse_elsewhere("soak target check")
    if path := file_of(name):
        return _check_file(path, target_options, patience_s, _Told(page, as_json))
    if target_options:
        raise click.UsageError(f"--option applies to target files and adapters, not to {name} (remove it).")
    return _check_class(name, patience_s, _Told(page, as_json))


@command.command("list")
@json_option
def list_targets(as_json: bool) -> None:
    """List the targets that have a name, and the adapters with their options and promises.

    \b
    Examples:
      soak target list
      soak run scenarios/72h.yaml --target celery --option broker=rabbitmq
    """
    from soak.runner.targets.listing import as_data, in_words, listed

    found = listed()
    tell(as_data(found) if as_json else in_words(found))


@command.command("env")
@click.argument("name", metavar="ADAPTER")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where. [default: $SOAK_ENVS/ADAPTER, or ~/.cache/soak/envs/ADAPTER]",
)
def env(name: str, folder: Path | None) -> None:
    """Make the virtual environment that an adapter needs, from its requirements.txt, with pip.

    Exit codes: 0 it is there and up to date, 2 no such adapter, or it could not be made.

    \b
    Examples:
      soak target env celery
      soak target env celery --dir envs/celery
    """
    from soak.runner.console import remark
    from soak.runner.targets.adapters import environment_of
    from soak.runner.targets.environment import is_up_to_date, make

    wanted = environment_of(name, folder)
    if is_up_to_date(wanted):
        tell(f"{wanted.folder}: is there and up to date")
    else:
        make(wanted, remark)
        tell(f"{wanted.folder}: made")
    if wanted != environment_of(name):
        tell(f"use it with: --option python={wanted.python}")


class _Told(Struct, frozen=True):
    """How a check is reported: to a page (None: to none), and to the terminal as JSON or in words."""

    page: Path | None
    as_json: bool

    def write(self, check: "TargetCheck") -> None:
        """Write the page, if there is to be one. Raises OutputError."""
        if self.page is None:
            return
        from soak.reports.pages.target_check import target_page
        from soak.runner.evidence.directory import write_whole

        write_whole(self.page, target_page(check))
        if not self.as_json:
            tell(f"  report: {self.page}")


def _check_class(name: str, patience_s: float | None, told: _Told) -> int:
    """Check a class, promise by promise."""
    from soak.reports.pages.target_check import Checked, TargetCheck
    from soak.runner.targets.caller import PATIENCE_S
    from soak.runner.targets.locate import find_class
    from soak.runner.targets.queue.contract_checks import check_class, suite

    kind = find_class(name)
    results = check_class(kind, patience_s=PATIENCE_S if patience_s is None else patience_s)
    counts, checks = _tell_each(results, told.as_json)
    counts["not run"] = len(suite(kind)[0]) - counts.total()
    checks += [Checked(each.name, "not run", "a call before it hung") for each in suite(kind)[0][len(checks) :]]
    if not told.as_json:
        tell(f"{name}: {_listed(counts) or 'nothing to check'}")
    told.write(TargetCheck(name, "promise", checks))
    return BROKEN if counts["failed"] else KEPT


def _check_file(path: Path, options: dict[str, str], patience_s: float | None, told: _Told) -> int:
    """Try a target file: step by step, or by a run where that tells more."""
    from soak.reports.pages.target_check import TargetCheck
    from soak.runner.profile import profiling_of
    from soak.runner.targets.adapters import refuse_without
    from soak.runner.targets.processes.trial import trial
    from soak.schemas.errors import UsageError
    from soak.schemas.target.load import load_target

    if patience_s is not None:
        raise UsageError("--patience applies to classes only (write timeout: and within: in the target file)")
    loaded = load_target(path, options)
    if check := profiling_of(loaded):
        return _tell_profile(path, loaded, check, told)
    refuse_without(loaded)
    counts, checks = _tell_each(trial(loaded), told.as_json)
    if not told.as_json:
        tell(f"{path}: {_listed(counts)}")
    told.write(TargetCheck(str(path), "step", checks))
    return BROKEN if counts["failed"] else KEPT


def _tell_profile(path: Path, loaded: "LoadedTarget", check: "Profiling", told: _Told) -> int:
    """Check a task system by a run, and tell what it keeps of its promises."""
    from soak.reports.pages.target_check import Checked, TargetCheck
    from soak.runner.console import remark
    from soak.runner.profile import as_data, in_words, profile

    remark(f"{path}: tasks are submitted, and things go wrong, for about half a minute")
    found = profile(loaded, check)
    tell(as_data(found) if told.as_json else in_words(found, str(path)))
    checks = [Checked(each.promise, each.status, each.detail) for each in found.promises]
    level = f"level {found.level}: {found.in_words}"
    told.write(TargetCheck(str(path), "promise", checks, level, found.tasks, found.laws, found.works))
    return KEPT if found.is_kept else BROKEN


def _tell_each(results: "Iterable[Result | Step]", as_json: bool) -> "tuple[Counter[str], list[Checked]]":
    """Tell of each result when it is there, or of all as JSON; how many there are by status, and each."""
    import json

    from msgspec import to_builtins

    from soak.reports.pages.target_check import Checked

    counts = Counter[str](ok=0, failed=0, skipped=0)
    found: list[dict[str, str]] = []
    for result in results:
        counts[result.status] += 1
        found.append(to_builtins(result))
        if not as_json:
            tell(f"  {result.status:8}{result.name}" + (f": {result.detail}" if result.detail else ""))
    if as_json:
        tell(json.dumps({"kept": not counts["failed"], "checks": found}, indent=2))
    return counts, [Checked(**each) for each in found]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {status}" for status, number in counts.items() if number)
