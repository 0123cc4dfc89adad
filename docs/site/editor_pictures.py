"""Draws docs/images/editor-*.svg: what a YAML language server answers on a scenario, asked over its protocol.

`npm install yaml-language-server` somewhere, then `python docs/site/editor_pictures.py SERVER`: its program in node_modules/.bin.
The texts in the pictures are the answers of the server; the window around them is drawn here.
"""

import json
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "schemas" / "scenario.schema.json"
IMAGES = ROOT / "docs" / "images"
TEXT = """\
# yaml-language-server: $schema=scenario.schema.json
version: 1
name: checkout
system: queue
duration: 8h
workload:
  arrivals: {rate: 12/min}
queue:
  workers: 6
  l
"""
WRONG = TEXT.replace("  l\n", "").replace("workers: 6", "workers: six").replace("duration: 8h", "duration: 8 hours")
CHARACTER, LINE, LEFT, TOP = 8.4, 22, 58, 46
INK, SOFT, PAPER, BOX, BAD, KEY, NOTE = "#1f2328", "#57606a", "#ffffff", "#f0f3f6", "#b42318", "#0b5cad", "#4f6b3a"


class Server:
    """A language server on standard input and output: https://microsoft.github.io/language-server-protocol/."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen([program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._number = 0
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self.say("initialized", {})

    def say(self, method: str, params: Any, **more: Any) -> None:
        """A notification."""
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def ask(self, method: str, params: Any) -> Any:
        """A request, and its answer."""
        self._number += 1
        self.say(method, params, id=self._number)
        while True:
            found = self._read()
            if found.get("id") == self._number and "method" not in found:
                return found.get("result")
            self._heed(found)

    def diagnosed(self, uri: str) -> list[dict[str, Any]]:
        """What is wrong with a document, once the server has said so."""
        while not self.diagnostics.get(uri):
            self._heed(self._read())
        return self.diagnostics[uri]

    def end(self) -> None:
        """The process is gone afterwards."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        length = 0
        while (line := self._process.stdout.readline().strip()) or not length:
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        found: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return found

    def _heed(self, found: dict[str, Any]) -> None:
        if found.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[found["params"]["uri"]] = found["params"]["diagnostics"]
        elif "id" in found and "method" in found:  # it asks for settings, which are all its own
            answer = (
                [None] * len((found.get("params") or {}).get("items", ()))
                if "configuration" in found["method"]
                else None
            )
            body = json.dumps({"jsonrpc": "2.0", "id": found["id"], "result": answer}).encode()
            assert self._process.stdin
            self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self._process.stdin.flush()


def _opened(server: Server, folder: Path, text: str) -> str:
    path = folder / f"{len(text)}.yaml"
    path.write_text(text)
    (folder / "scenario.schema.json").write_text(SCHEMA.read_text(encoding="utf-8"))
    document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
    server.say("textDocument/didOpen", {"textDocument": document})
    return path.as_uri()


def _at(uri: str, line: int, character: int) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}


def _picture(name: str, text: str, boxes: list[str], below: int) -> None:
    rows = text.splitlines()
    height = TOP + LINE * len(rows) + below
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" width="760" height="{height}" role="img" '
        'font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">',
        f'<rect width="760" height="{height}" rx="6" fill="{PAPER}"/><rect width="760" height="28" rx="6" fill="{BOX}"/>',
        f'<text x="16" y="19" fill="{SOFT}" font-size="12">checkout.soak.yaml</text>',
    ]
    for number, row in enumerate(rows):
        y = TOP + LINE * number + 15
        parts.append(f'<text x="38" y="{y}" fill="{SOFT}" text-anchor="end" font-size="12">{number + 1}</text>')
        key, colon, rest = row.partition(":")
        line = f'<tspan fill="{NOTE}">{escape(row)}</tspan>'
        if not row.startswith("#"):
            line = f'<tspan fill="{KEY}">{escape(key)}</tspan>{escape(colon + rest)}'
        parts.append(f'<text x="{LEFT}" y="{y}" fill="{INK}" xml:space="preserve">{line}</text>')
    (IMAGES / f"editor-{name}.svg").write_text("\n".join([*parts, *boxes, "</svg>"]) + "\n", encoding="utf-8")


def _box(x: float, y: float, width: float, lines: list[tuple[str, str]]) -> list[str]:
    """A box of lines, each with its colour."""
    size = f'width="{width}" height="{LINE * len(lines) + 12}"'
    parts = [f'<rect x="{x}" y="{y}" {size} rx="4" fill="{BOX}" stroke="{SOFT}" stroke-width=".6"/>']
    for number, (line, colour) in enumerate(lines):
        parts.append(
            f'<text x="{x + 10}" y="{y + 21 + LINE * number}" fill="{colour}" font-size="13">{escape(line)}</text>'
        )
    return parts


def _squiggle(found: dict[str, Any]) -> str:
    start, end = found["range"]["start"], found["range"]["end"]
    x, y = LEFT + CHARACTER * start["character"], TOP + LINE * start["line"] + 19
    steps = max(2, int(CHARACTER * (end["character"] - start["character"]) / 4))
    points = " ".join(f"{x + 4 * step:.0f},{y + (step % 2) * 3}" for step in range(steps + 1))
    return f'<polyline points="{points}" fill="none" stroke="{BAD}" stroke-width="1.3"/>'


def draw(program: str) -> None:
    """All three pictures."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program)
        try:
            uri = _opened(server, Path(folder), TEXT)
            last = len(TEXT.splitlines()) - 1
            offered = server.ask("textDocument/completion", _at(uri, last, 3))["items"]
            items = sorted((each["label"], each.get("documentation") or "") for each in offered)
            items = [each for each in items if each[0].startswith("l")] + [
                each for each in items if not each[0].startswith("l")
            ]
            shown = [(label, KEY) for label, _ in items[:7]]
            about = items[0][1] if isinstance(items[0][1], str) else items[0][1]["value"]
            y = TOP + LINE * (last + 1) + 4
            boxes = _box(LEFT + 16, y, 210, shown) + _box(
                LEFT + 234, y, 450, [(line, INK) for line in wrap(about, 54)][:7]
            )
            _picture("completion", TEXT, boxes, LINE * 7 + 30)
            told = server.ask("textDocument/hover", _at(uri, 4, 2))["contents"]
            words = (told["value"] if isinstance(told, dict) else str(told)).replace("\\", "")
            lines = [(line, INK) for part in words.splitlines() for line in wrap(part.strip("# "), 78)][:9]
            _picture(
                "hover",
                TEXT.replace("  l\n", ""),
                _box(LEFT + 16, TOP + LINE * 5 + 2, 670, lines),
                max(20, LINE * (len(lines) - 4) + 40),
            )
            found = server.diagnosed(_opened(server, Path(folder), WRONG))
            rows = len(WRONG.splitlines())
            said = [
                (f"{each['range']['start']['line'] + 1}: {' '.join(each['message'].split())}", BAD) for each in found
            ]
            lines = [(line, colour) for text, colour in said for line in wrap(text, 82)]
            boxes = [*map(_squiggle, found), *_box(LEFT - 44, TOP + LINE * rows + 10, 730, lines)]
            _picture("diagnostics", WRONG, boxes, LINE * len(lines) + 40)
        finally:
            server.end()


if __name__ == "__main__":
    draw(sys.argv[1])
