"""The pages of the documentation site, gathered from the files of the repository without moving any.

Links between them go to what they name: another page, a heading, or a file of the repository, of which a page is made that
shows it. A link that leads nowhere is a problem; so is an anchor that no heading has.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
TOP = ("README", "ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "RELEASING", "SECURITY")
SHOWN_BYTES = 200_000
"""A file that is larger is offered, not shown."""

_LEXERS = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".sh": "sh", ".go": "go", ".js": "js"}
_LINK = re.compile(r"(\]\()([^)\s]+)((?:\s+\"[^\"]*\")?\))")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.I)


def sources(root: Path = ROOT) -> list[str]:
    """The Markdown files that become pages, from the top of the repository."""
    docs = [path.relative_to(root).as_posix() for path in sorted((root / "docs").rglob("*.md"))]
    return [*(f"{name}.md" for name in TOP), *(path for path in docs if not path.startswith("docs/examples/"))]


def on_site(path: str) -> str:
    """Where on the site a page or picture of the repository is."""
    inner = path.removeprefix("docs/site/").removeprefix("docs/")
    return inner if path.startswith("docs/") else path.lower()


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it: https://github.com/gjtorikian/html-pipeline (toc_filter)."""
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def outside_code(text: str) -> Iterator[tuple[int, str, bool]]:
    """The lines of a page: number, text, and whether it is prose."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        found = _FENCE.match(line)
        if found and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else found[1]
            yield number, line, False
        else:
            yield number, line, not fence and not line.startswith("    ")


def anchors(text: str) -> set[str]:
    """The anchors of a page; of headings that are the same, the later ones have a number."""
    found: dict[str, int] = {}
    for _, line, prose in outside_code(text):
        if prose and (heading := re.match(r"#{1,6} (.+)$", line)):
            name = slug(heading[1])
            found[name] = found.get(name, -1) + 1
    return {name if not number else f"{name}-{number}" for name, last in found.items() for number in range(last + 1)}


@dataclass(slots=True)
class Pages:
    """The pages as they are for the site; `problems`: links that lead nowhere, each with its file and line."""

    root: Path = ROOT
    made: dict[str, str] = field(default_factory=dict)
    """Pages by their path on the site."""

    copied: dict[str, Path] = field(default_factory=dict)
    """Pictures and large files by their path on the site."""

    problems: list[str] = field(default_factory=list)

    def gather(self) -> "Pages":
        """All pages, and all that they link to."""
        names = sources(self.root)
        for name in names:
            text = (self.root / name).read_text(encoding="utf-8")
            self.made[on_site(name)] = self._linked(name, text, set(names))
        return self

    def write(self, folder: Path) -> None:
        """The sources of the site, below a folder that is emptied first."""
        shutil.rmtree(folder, ignore_errors=True)
        for name, text in self.made.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for name, source in self.copied.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)

    def _linked(self, name: str, text: str, names: set[str]) -> str:
        lines = []
        for number, line, prose in outside_code(text):
            lines.append(
                _LINK.sub(lambda found, at=number: found[1] + self._target(name, at, found[2], names) + found[3], line)
                if prose
                else line
            )
        return "\n".join(lines) + "\n"

    def _target(self, name: str, number: int, link: str, names: set[str]) -> str:
        if _ELSEWHERE.match(link):
            return link
        path, _, anchor = link.partition("#")
        target = _joined(name, path) if path else name
        if not (self.root / target).exists():
            self.problems.append(f"{name}:{number}: {link} leads nowhere (correct the path)")
            return link
        if target in names:
            if anchor and anchor not in anchors((self.root / target).read_text(encoding="utf-8")):
                self.problems.append(f"{name}:{number}: {target} has no heading #{anchor} (correct the anchor)")
            return _relative(on_site(name), on_site(target)) + (f"#{anchor}" if anchor else "") if path else link
        return _relative(on_site(name), self._file(target))

    def _file(self, target: str) -> str:
        """The page of a file or folder of the repository, or the file itself."""
        path = self.root / target
        if path.is_dir():
            return self._folder(target)
        if path.suffix in {".png", ".svg", ".html"}:
            self.copied[on_site(target)] = path
            return on_site(target)
        if path.stat().st_size > SHOWN_BYTES:
            self.copied[f"files/{target}"] = path
            return f"files/{target}"
        page = f"files/{target}.md"
        if page not in self.made:
            text = path.read_text(encoding="utf-8").rstrip("\n")
            fence = "`" * (max((len(each) for each in re.findall(r"`+", text)), default=2) + 3)
            lexer = _LEXERS.get(path.suffix, "text")
            self.made[page] = f"{_APART}# {target}\n\n{fence}{lexer}\n{text}\n{fence}\n"
        return page

    def _text(self, target: str) -> str:
        """A file as it is, under a name that every browser shows as text."""
        name = f"files/{target}" if Path(target).suffix in {".svg", ".html"} else f"files/{target}.txt"
        self.copied[name] = self.root / target
        return name

    def _folder(self, target: str) -> str:
        page = f"files/{target}/index.md"
        if page not in self.made:
            self.made[page] = ""  # two folders may name each other
            files = [each for each in sorted((self.root / target).rglob("*")) if each.is_file() and _is_source(each)]
            rows = []
            for each in files:
                name = each.relative_to(self.root).as_posix()
                shown = each.relative_to(self.root / target).as_posix()
                rows.append(f"- [{shown}]({_relative(page, self._text(name))})")
            self.made[page] = f"{_APART}# {target}/\n\n" + "\n".join(rows) + "\n"
        return page


_APART = "---\norphan: true\nnosearch: true\n---\n\n"
"""Found by links only: searches are for explanations."""


def _is_source(path: Path) -> bool:
    return "__pycache__" not in path.parts and path.suffix not in {".pyc", ".png"}


def _joined(name: str, link: str) -> str:
    """A link of a file, from the top of the repository."""
    parts: list[str] = []
    for part in (PurePosixPath(name).parent / link).parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _relative(page: str, target: str) -> str:
    """From one page of the site to another."""
    here, there = PurePosixPath(page).parent.parts, PurePosixPath(target).parts
    common = 0
    while common < min(len(here), len(there) - 1) and here[common] == there[common]:
        common += 1
    return "/".join([".."] * (len(here) - common) + list(there[common:]))
