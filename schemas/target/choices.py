"""Mappings of a target file in which one of several keys says of which kind they are, and the keys that go with it."""

from collections.abc import Mapping

PROBES = ("http", "tcp", "exec", "file", "log", "notify")
ACTIONS = ("http", "exec")

CHOICES: Mapping[str, tuple[str, ...]] = {
    "ready": PROBES,
    "live": PROBES,
    "find": ("pid_file", "command_line", "port"),
    "stop": ("signal", "exec"),
    "kill": ("of", "exec"),
    "metric": ("prometheus", "json", "log"),
    "ledger": ("jsonl", "sqlite"),
    "fault": ("begin", "sqlite"),
    **dict.fromkeys(("submit", "census"), ("command", "process")),
    **dict.fromkeys(("go", "disconnect", "begin", "end"), ACTIONS),
}
"""Keys of which there is one, by the kind of mapping: the key at which it is, or what it is where it has a name."""

_OF_A_PROBE = {"status": ("http",), "contains": ("http", "exec"), "fresh": ("file", "notify")}
_OF_A_METRIC = {
    "name": ("prometheus",),
    "labels": ("prometheus",),
    "at": ("json",),
    "pattern": ("log",),
    "sum": ("log",),
}
_OF_A_LEDGER = {"query": ("sqlite",), "first": ("jsonl",), "last": ("jsonl",)}

GOES_WITH: Mapping[tuple[str, str], tuple[str, ...]] = {
    **{(probe, key): with_ for probe in ("ready", "live") for key, with_ in _OF_A_PROBE.items()},
    **{("metric", key): with_ for key, with_ in _OF_A_METRIC.items()},
    **{("ledger", key): with_ for key, with_ in _OF_A_LEDGER.items()},
    ("fault", "end"): ("begin",),
    ("submit", "at_a_time"): ("command",),
    **{(kind, key): ("http",) for kind in ("go", "disconnect", "begin", "end") for key in ("method", "body")},
}
"""With which of them a key goes, by kind of mapping and key; all others go with any."""
