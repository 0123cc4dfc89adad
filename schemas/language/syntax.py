"""Explains text that is not YAML, or too large, independently of the parser's messages.

Messages of parsers differ between releases; kinds and marks of errors, and the characters at them, do not.
"""

import yaml

from soak.schemas.errors import Mark, Problem, ScenarioError, quoted

MAX_NODES = 10_000
MAX_DEPTH = 40

_AROUND = "check indentation, quotes and brackets here and just above"
_CLOSINGS = {"{": "}", "[": "]"}
_STARTS_NOTHING = "@`%"


def check_extent(text: str, source: str) -> None:
    """Raise ScenarioError if `text` is more than one document, too deep or too long, or has a wrong anchor.

    The composer recurses in C, where a depth that Python would refuse ends the process.
    """
    depth = nodes = documents = 0
    anchors: set[str] = set()
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > MAX_DEPTH or nodes > 2 * MAX_NODES:
            raise ScenarioError([too_large(start(event, source), depth)])
        if documents > 1:
            what, remedy = "a second document starts here", "keep one scenario in a file, without --- after it"
            raise ScenarioError([start(event, source).problem((), what, remedy)])
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            _check_anchor(event, anchors, source)


def _check_anchor(event: yaml.NodeEvent, anchors: set[str], source: str) -> None:
    alias = isinstance(event, yaml.AliasEvent)
    if alias and event.anchor not in anchors:
        what, remedy = "no anchor above has this name", "write the anchor, such as &retries, before its aliases"
    elif not alias and event.anchor in anchors:
        what, remedy = "the anchor is already defined", "give each anchor its own name"
    else:
        anchors.add(str(event.anchor))
        return
    raise ScenarioError([start(event, source).problem((), what, remedy)])


def start(node: yaml.Node | yaml.Event, source: str) -> Mark:
    """Start of a node or an event."""
    mark = node.start_mark
    return Mark(source, mark.line + 1, mark.column + 1) if mark else Mark(source)


def too_large(mark: Mark, depth: int) -> Problem:
    """The problem of a file that is too deep, or else too long."""
    limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_NODES:,} values"
    return mark.problem((), f"the file expands to more than {limit}", "use fewer aliases and less nesting")


def syntax_problem(text: str, source: str, error: yaml.YAMLError) -> Problem:
    """Why `text` is not YAML, of which the parser raised `error`."""
    around = _mark_of(error, "context_mark", source)
    here = _mark_of(error, "problem_mark", source) or around
    if here is None:
        what = "not YAML: contains a character that YAML does not allow"
        return Mark(source).problem((), what, "remove it, or write it as an escape such as \\u00e9 in double quotes")
    lines = text.splitlines()
    bottomless = _where_too_deep(lines, here)
    if bottomless:
        return too_large(Mark(source, *bottomless), MAX_DEPTH + 1)
    what, remedy = _said(isinstance(error, yaml.scanner.ScannerError), lines, here, around)
    return here.problem((), f"not YAML: {what}", remedy)


def _mark_of(error: yaml.YAMLError, name: str, source: str) -> Mark | None:
    mark = getattr(error, name, None)
    return Mark(source, mark.line + 1, mark.column + 1) if mark else None


def _where_too_deep(lines: list[str], end: Mark) -> tuple[int, int] | None:
    """Line and column of the bracket before `end` that opens one level too many; some parsers refuse that themselves."""
    depth = 0
    for number, line in enumerate(lines[: end.line], start=1):
        for column, letter in enumerate(line, start=1):
            if (number, column) > (end.line, end.column):
                return None
            depth += (letter in "[{") - (letter in "]}")
            if depth > MAX_DEPTH:
                return number, column
    return None


def _said(scanning: bool, lines: list[str], here: Mark, around: Mark | None) -> tuple[str, str]:
    """What is wrong and what to write, from the character at which the parser stopped and the one where the context began."""
    letter, opening = _letter(lines, here), _letter(lines, around)
    since = f"line {around.line}, column {around.column}" if around else ""
    if letter == "\t":
        return "a tab cannot indent", "write spaces"
    if not scanning and opening in _CLOSINGS:
        closing = _CLOSINGS[opening]
        return (
            f"the {opening} of {since} needs a comma or a {closing} here",
            f"quote text that contains any of , : {{ }} [ ] in quotes, and close each {opening}",
        )
    if scanning and opening in {"'", '"'}:
        if letter == "\\":
            return "invalid escape sequence in double quotes", "double the backslash, or use single quotes"
        return f"the quoted text that starts at {since} is not closed", f"close it with {opening}"
    if scanning and letter and letter in _STARTS_NOTHING:
        return f"a value cannot start with {quoted(letter)}", "put it in quotes"
    if scanning and letter == ":":
        return "a key is not allowed here", "quote text that contains a colon, and check indentation"
    if scanning and letter == "-":
        return "a list cannot start here", "start it on a line of its own, or put the text in quotes"
    if scanning and around and opening.isalnum():
        return f"the key of {since} has no colon", "write a colon and a space after it, or check indentation"
    if here.line > len(lines):
        return "the file ends too early", _AROUND
    return "this does not fit what precedes it", _AROUND


def _letter(lines: list[str], mark: Mark | None) -> str:
    """The character at a mark; empty at the end of a line."""
    line = lines[mark.line - 1 : mark.line] if mark else []
    return line[0][mark.column - 1 : mark.column] if mark and line else ""
