"""`soak slis`."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option
from soak.runner.console import hand_over


@click.command("slis")
@click.option(
    "--scenario", type=click.Path(path_type=Path), help="List those of this scenario, including the ones it defines."
)
@json_option
def command(scenario: Path | None, as_json: bool) -> int:
    """List the service-level indicators: name, unit and meaning.

    \b
    Example:
      soak slis
    """
    from soak.schemas.language.load import load
    from soak.schemas.language.slis import CATALOGUE

    catalogues = {"queue": load(scenario).scenario.slis} if scenario else CATALOGUE
    rows = [(system, sli) for system, slis in catalogues.items() for sli in slis.values()]
    if as_json:
        import json

        listed = [
            {
                "name": s.name,
                "system": system,
                "unit": s.unit.value,
                "base_unit": s.unit.symbol,
                "better": s.better.value,
                "description": s.description,
            }
            for system, s in rows
        ]
        hand_over(json.dumps(listed, indent=2))
        return 0
    width = max(len(sli.name) for _, sli in rows)
    unit_width = max(len(sli.unit.value) for _, sli in rows)
    for _, sli in rows:
        hand_over(f"{sli.name:{width}}  {sli.unit.value:{unit_width}}  {sli.description}")
    return 0
