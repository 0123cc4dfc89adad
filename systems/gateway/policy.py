"""What may be executed: a table of tools, and what no argument may contain."""

from collections.abc import Iterable

_DANGEROUS = frozenset({"drop_table", "delete_all", "shell", "exfiltrate", "grant_admin"})
_TRAVERSAL = ("../", "..\\\\", "/etc/passwd", "%2e%2e")
_INJECTION = (
    "ignore previous instructions",
    "ignore all previous",
    "disregard your instructions",
    "system prompt",
    "you are now",
)
_SQL = ("drop table", "union select", "; --", "' or '1'='1")


class Policy:
    """Decides by tool and arguments alone: the same request always gets the same answer."""

    def __init__(self, tools: Iterable[str]) -> None:
        self._tools = frozenset(tools)

    def denied(self, tool: str, args: str) -> str:
        """Why a call is denied; empty if it is allowed. `args`: as JSON."""
        if tool in _DANGEROUS:
            return "dangerous_tool"
        if tool not in self._tools:
            return "unknown_tool"
        text = args.lower()
        for reason, patterns in (
            ("path_traversal", _TRAVERSAL),
            ("prompt_injection", _INJECTION),
            ("sql_injection", _SQL),
        ):
            if any(pattern in text for pattern in patterns):
                return reason
        return ""
