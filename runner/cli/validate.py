"""`soak validate`."""

from pathlib import Path

import click

from runner.cli.options import json_option
from runner.console import remark, tell
from schemas.errors import Problem, ScenarioError, UsageError


@click.command("validate")
@click.argument("scenarios", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SCENARIO...")
@json_option
def command(scenarios: tuple[Path, ...], as_json: bool) -> int:
    """Check scenario files and list everything that is wrong, each with file, line, column and what to write.

    \b
    Example:
      soak validate scenarios/*.yaml
    """
    problems = [problem for path in scenarios for problem in _problems(path)]
    if as_json:
        import json
        from dataclasses import asdict

        tell(json.dumps({"valid": not problems, "problems": [asdict(problem) for problem in problems]}, indent=2))
    else:
        for problem in problems:
            remark(str(problem))
        for path in scenarios:
            if not any(problem.source == str(path) for problem in problems):
                tell(f"{path}: valid")
    return 2 if problems else 0


def _problems(path: Path) -> list[Problem]:
    from schemas.load import load

    try:
        load(path)
    except ScenarioError as error:
        return list(error.problems)
    except UsageError as error:
        what, _, remedy = str(error).removeprefix(f"{path}: ").removesuffix(")").partition(" (")
        return [Problem(str(path), 0, 0, "", what, remedy)]
    return []
