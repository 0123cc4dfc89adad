"""Scenarios to start from: those of the command line, and one for each system, from its room in the language."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from soak.schemas.errors import UsageError, quoted
from soak.schemas.language.registry import OURS, language_of, names
from soak.schemas.language.shape import did_you_mean

_FOLDER = Path(__file__).parent / "cli" / "templates"
_SCENARIO = "scenario.yaml"
_TITLE = re.compile(r"^title: (.+)$", re.MULTILINE)
_TRY = re.compile(r"^# Try: (.+)$", re.MULTILINE)
_SERVICE = re.compile(r"^(http:\n  url: )\S+", re.MULTILINE)
_PATH = re.compile(r"(request: \{path: )/\}")
_PLAIN_URL = re.compile(r"[!-z|~]+")

DEFAULT = next(iter(OURS))
"""What `soak init` writes when nothing is asked for."""


class Template(Struct, frozen=True):
    """A scenario to start from, and the files that go beside it."""

    name: str
    scenario: Path
    beside: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        """What it is, in a line."""
        found = _TITLE.search(self.scenario.read_text(encoding="utf-8"))
        return found[1] if found else ""

    def command(self, path: Path) -> str:
        """The command that runs its copy at `path`."""
        found = _TRY.search(self.scenario.read_text(encoding="utf-8"))
        return found[1].replace(_SCENARIO, str(path)) if found else f"soak run {path}"


def with_url(text: str, url: str) -> str | None:
    """The text of a scenario that asks the service at `url`, whose path its request takes; None if it asks none.

    Raises UsageError for what is not a URL.
    """
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_url = False
    if not is_url or "@" in parts.netloc or not _PLAIN_URL.fullmatch(url):
        raise UsageError(f"--url: {quoted(url)} is not a URL of a service (write http://host:port, or with a path)")
    if not _SERVICE.search(text):
        return None
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    text = _SERVICE.sub(lambda found: f"{found[1]}{parts.scheme}://{parts.netloc}", text, count=1)
    return _PATH.sub(lambda found: f"{found[1]}{path if path == '/' else json.dumps(path)}}}", text, count=1)


def templates() -> tuple[dict[str, Template], list[str]]:
    """Every template by name, those of the systems first; and why of each system that cannot be used."""
    found, broken = {}, []
    for system in names():
        try:
            if path := language_of(system).template:
                found[system] = Template(system, path)
        except UsageError as error:
            broken.append(str(error))
    for folder in sorted(_FOLDER.iterdir()):
        if (folder / _SCENARIO).exists():
            beside = (path for path in sorted(folder.iterdir()) if path.is_file() and path.name != _SCENARIO)
            found.setdefault(folder.name, Template(folder.name, folder / _SCENARIO, tuple(beside)))
    return found, broken


def find_template(name: str) -> Template:
    """The template of this name. Raises UsageError that lists them all, or says why a system has none."""
    known, broken = templates()
    if name in known:
        return known[name]
    why = "".join(f"; {each}" for each in broken if name in each)
    near = did_you_mean(name, list(known))
    raise UsageError(f"no template {quoted(name)}{why} ({near}{' ' if near.endswith('?') else '; '}soak init --list)")
