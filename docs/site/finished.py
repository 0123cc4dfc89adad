"""What can be wrong with a built site: a link to a page or anchor that is not there, or a request to another host."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
"""Elements that a browser loads something for, without being asked."""


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = {"", "top"}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and not {"next", "prev", "canonical", "search", "index", "author"} & set(
            given.get("rel", "").split()
        ):
            self.loads.append(given.get("href", ""))
        elif tag in LOADS and LOADS[tag] in given:
            self.loads.append(given[LOADS[tag]])


def faults(site: Path) -> list[str]:
    """What is wrong, a line each: the page, and the link."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        here = path.relative_to(site).as_posix()
        found += [f"{here}: {link} leads nowhere" for link in page.links if not _leads(link, path, pages)]
        found += [f"{here}: {link} is loaded from elsewhere" for link in page.loads if _is_elsewhere(link)]
        found += [
            f"{here}: {link} is not there"
            for link in page.loads
            if not _is_elsewhere(link) and not _is_there(link, path)
        ]
    return found + list(_styles(site))


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _is_elsewhere(link: str) -> bool:
    parts = urlsplit(link)
    return bool(parts.netloc) or parts.scheme not in {"", "data"}


def _is_there(link: str, path: Path) -> bool:
    return link.startswith("data:") or (path.parent / unquote(urlsplit(link).path)).is_file()


def _leads(link: str, path: Path, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return parts.scheme in {"https", "http", "mailto"}
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    known = pages.get(target)
    return unquote(parts.fragment) in known.anchors if known else target.is_file()


def _styles(site: Path) -> Iterator[str]:
    """Style sheets that load something from elsewhere."""
    for path in sorted(site.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        if "url(http" in text or "url(//" in text or "@import" in text:
            yield f"{path.relative_to(site).as_posix()}: loads from elsewhere"
