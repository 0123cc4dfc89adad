"""The page of the dashboard: one file with its styles and scripts, in the look of all pages."""

from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from soak.reports.look.page import TEMPLATES, Head, base, notice, prepare, script

_FOLDER = Path(__file__).parent


def page(paths: list[Path]) -> bytes:
    """The page that shows the runs in these directories. What it shows of them comes later, as messages."""
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        loader=jinja2.FileSystemLoader([_FOLDER, TEMPLATES]),
    )
    prepare(environment)
    head = Head("Dashboard", kicker="soak")
    given = {
        **base(head),
        "script": script(),
        "notice": notice(),
        "live": Markup((_FOLDER / "dashboard.js").read_text(encoding="utf-8")),
        "reports": [path / "report.html" for path in paths],
    }
    return environment.get_template("dashboard.html.j2").render(given).encode()
