"""`soak target`: tools for attaching your own queue or system."""

import click

from soak.runner.cli.options import json_option, patience_option
from soak.runner.console import tell

KEPT, BROKEN = 0, 3


@click.group("target")
def command() -> None:
    """Attach your own queue or system: write one class, check it, soak it.

    \b
    Example:
      soak target check my_package.my_queue:MyQueue
    """


@command.command("check")
@click.argument("name", metavar="MODULE:CLASS")
@patience_option
@json_option
def check(name: str, patience_s: float | None, as_json: bool) -> int:
    """Check that a class fulfils the contract, promise by promise. MODULE:CLASS may also be the name of an entry point.

    Exit codes: 0 it does, 3 it does not, 2 no such class, or it cannot be constructed.

    \b
    Examples:
      soak target check my_package.my_queue:MyQueue
      soak run scenarios/72h.yaml --target my_package.my_queue:MyQueue --speed 60
    """
    import json
    from dataclasses import asdict

    from soak.runner.linux import refuse_elsewhere
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
