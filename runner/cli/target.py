"""`soak target`: tools for attaching your own queue or system."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option, patience_option
from soak.runner.console import tell

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
@patience_option
@json_option
def check(name: str, patience_s: float | None, as_json: bool) -> int:
    """Check a class or a target file. TARGET: MODULE:CLASS, the name of an entry point, or FILE.yaml.

    Of a class: whether it fulfils the contract, promise by promise. Of a target file: everything that it describes is started,
    probed, killed, looked for again, and stopped.

    Exit codes: 0 all is well, 3 something failed, 2 no such class or file, one that cannot be constructed, or is not valid.

    \b
    Examples:
      soak target check targets/my-pipeline.yaml
      soak target check my_package.my_queue:MyQueue
      soak run scenarios/72h.yaml --target my_package.my_queue:MyQueue --speed 60
    """
    import json
    from dataclasses import asdict

    from soak.runner.linux import refuse_elsewhere
    from soak.runner.targets.make import is_file

    if is_file(name):
        return _check_file(Path(name), patience_s, as_json=as_json)
    from soak.runner.targets.caller import PATIENCE_S
    from soak.runner.targets.locate import find_class
    from soak.runner.targets.queue.contract_checks import check_class, suite

    refuse_elsewhere("soak target check")
    patience_s = PATIENCE_S if patience_s is None else patience_s
    kind = find_class(name)
    counts = {"ok": 0, "failed": 0, "skipped": 0}
    if as_json:
        results = list(check_class(kind, patience_s=patience_s))
        kept = all(result.status != "failed" for result in results)
        tell(json.dumps({"kept": kept, "checks": [asdict(result) for result in results]}, indent=2))
        return KEPT if kept else BROKEN
    for result in check_class(kind, patience_s=patience_s):
        counts[result.status] += 1
        tell(f"  {result.status:8}{result.name}" + (f": {result.detail}" if result.detail else ""))
    left = len(suite(kind)[0]) - sum(counts.values())
    parts = [f"{number} {status}" for status, number in {**counts, "not run": left}.items() if number]
    tell(f"{name}: {', '.join(parts) or 'nothing to check'}")
    return BROKEN if counts["failed"] else KEPT


def _check_file(path: Path, patience_s: float | None, *, as_json: bool) -> int:
    """Try a target file, step by step."""
    import json
    from collections import Counter
    from dataclasses import asdict

    from soak.runner.linux import refuse_elsewhere
    from soak.runner.targets.processes.trial import FAILED, trial
    from soak.schemas.errors import UsageError
    from soak.schemas.target.load import load_target

    refuse_elsewhere("soak target check")
    if patience_s is not None:
        raise UsageError("--patience applies to classes only (write timeout: and within: in the target file)")
    loaded = load_target(path)
    steps = []
    for step in trial(loaded):
        steps.append(step)
        if not as_json:
            tell(f"  {step.status:8}{step.name}" + (f": {step.detail}" if step.detail else ""))
    counts = Counter(step.status for step in steps)
    failed = counts[FAILED]
    if as_json:
        tell(json.dumps({"kept": not failed, "checks": [asdict(step) for step in steps]}, indent=2))
    else:
        tell(f"{path}: {', '.join(f'{number} {status}' for status, number in counts.items())}")
    return BROKEN if failed else KEPT
