"""`soak import`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soak.runner.cli.options import json_option
from soak.runner.console import remark, tell

if TYPE_CHECKING:
    from soak.runner.importing.part import Imported


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="PART", help="Where to write it. [default: standard output]"
)
@click.option("--system", metavar="NAME", help="The system whose indicators are used. [default: queue]")
@click.option(
    "--whole",
    is_flag=True,
    help="Write a whole scenario: what the file does not say is from a template, to be changed.",
)
@click.option("--force", is_flag=True, help="Replace PART if it exists.")
@json_option
def command(path: Path, out: Path | None, system: str | None, whole: bool, force: bool, as_json: bool) -> int:
    """Write the part of a scenario that a file of another tool says: objectives, alerts, abort conditions, load.

    FILE holds alerting rules of Prometheus, OpenSLO documents, a configuration of Taurus, or options of k6 as JSON; which of
    them is seen from its content, and - is standard input. What could not be translated is listed with its line and why.
    Exit codes: 0 written, 2 the file is wrong or of none of these.

    \b
    Examples:
      soak import rules.yml -o imported.yaml && soak run scenario.yaml --overlay imported.yaml
      soak import taurus.yml --whole -o soak.yaml && soak run soak.yaml
      soak monitoring scenario.yaml && soak import monitoring/alert_rules.yaml
    """
    from soak.runner.evidence.directory import refuse_in_run, write_whole
    from soak.runner.importing.session import as_text, from_template, import_file
    from soak.runner.templates import DEFAULT, find_template
    from soak.schemas.errors import UsageError

    name = find_template(system or DEFAULT).name
    if out and out.exists() and not force:
        raise UsageError(f"{out}: already exists (choose another name, or add --force)")
    found = import_file(path, name)
    text = as_text(found, path, name, whole=whole)
    if out:
        refuse_in_run(out)
        write_whole(out, text.encode())
    if as_json:
        tell(_as_json(found))
    elif not out:
        tell(text, nl=False)
    _remark_on(found, from_template(found, name) if whole else {})
    if out and not as_json:
        counts = [f"{len(value)} {key}" for key, value in found.part.items() if isinstance(value, list | dict)]
        made = ", ".join(counts) or "nothing"
        tell(f"{out}: written, from {found.format}: {made}; not translated: {len(found.untranslated)}")
    return 0


def _remark_on(found: "Imported", template: Mapping[str, Any]) -> None:
    import json

    for problem in found.untranslated:
        remark(f"not translated: {problem}")
    for note in found.notes:
        remark(f"note: {note}")
    for key, value in template.items():
        remark(f"from the template, may decide the verdict: {key}: {json.dumps(value)}")


def _as_json(found: "Imported") -> str:
    import json
    from dataclasses import asdict

    lists = {"untranslated": found.untranslated, "notes": found.notes}
    said = {name: [asdict(each) for each in problems] for name, problems in lists.items()}
    return json.dumps({"format": found.format, "part": found.part, **said}, indent=2)
