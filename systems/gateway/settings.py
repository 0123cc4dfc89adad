"""The gateway's settings, from a JSON file. Times in seconds (`_s`) or milliseconds (`_ms`)."""

import os
from pathlib import Path

import msgspec

from soak.systems.gateway.defects import VARIABLE, Defect


class SettingsError(Exception):
    """The settings are wrong; the message says what and where."""


class Tenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Without `secret` it is `secret-NAME`; without `rate` (requests a second) there is no limit; 0 lets nothing through."""

    name: str
    secret: str = ""
    rate: float | None = None
    burst: float | None = None

    @property
    def password(self) -> str:
        """What it logs in with."""
        return self.secret or f"secret-{self.name}"


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One that may be called, and what a call costs in units; `ms`: how long it holds its connection before it appends."""

    name: str
    units: int = 1
    ms: float = 0.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One gateway."""

    directory: str = "."
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 2
    database: str = ""
    """`sqlite:///PATH` or `postgresql://…`; empty: `gateway.db` in the directory."""
    redis: str = ""
    tenants: tuple[Tenant, ...] = tuple(Tenant(name) for name in "ABCDE")
    tools: tuple[Tool, ...] = (
        Tool("search"),
        Tool("read_file"),
        Tool("write_file", 2),
        Tool("send_mail", 2),
        Tool("summarize", 5),
        Tool("report", 5),
        Tool("slow_report", 5, 300.0),
    )
    admin_token: str = "admin-token"
    token_s: float = 900.0
    rate: float | None = None
    """The limit of tenants that have none of their own, in requests a second."""
    burst: float | None = None
    """How many may come at once; without it, as many as in a second, at least one."""
    connections: int = 8
    """Connections to the database of each HTTP process."""
    fair: bool = True
    """Whether a tenant may hold at most a share of them, and tenants get one in turn."""
    at_most: int = 0
    """How many of them a tenant may hold; 0: half. Only where it is fair."""
    connection_within_s: float = 5.0
    """How long a request waits for one, before it is answered with 503."""
    statement_s: float = 5.0
    store_ms: float = 0.0
    """How long each request that counts against a rate holds its connection, before its own work."""
    chain_ms: float = 0.0
    """How much longer each append holds the lock of its tenant's chain."""
    lock_ttl_s: float = 30.0
    lock_within_s: float = 10.0
    """How long an append waits for the lock of its chain, before it is answered with 503."""
    outbox_rate: float | None = None
    """Messages of the outbox a second at most."""
    seal_every_s: float = 5.0
    clock_offset_s: float = 0.0
    grace_s: float = 10.0
    defects: frozenset[Defect] = frozenset()

    @property
    def path(self) -> Path:
        """Where all files are."""
        return Path(self.directory)

    @property
    def database_url(self) -> str:
        """Of the database, with its default."""
        return self.database or f"sqlite:///{self.path.absolute() / 'gateway.db'}"

    def has(self, defect: Defect) -> bool:
        """Whether a defect is planted."""
        return defect in self.defects


def read_settings(path: Path) -> Settings:
    """The settings of a file. Raises SettingsError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings)
    except OSError as error:
        raise SettingsError(f"{path}: {os.strerror(error.errno or 0)}") from None
    except msgspec.DecodeError as error:
        raise SettingsError(f"{path}: {error}") from None


def write_settings(settings: Settings, path: Path) -> None:
    """Write settings to a file, which only its owner may read: it has secrets."""
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(settings)) + b"\n")


def planted() -> frozenset[Defect]:
    """The defects that the environment names. Raises SettingsError."""
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    if unknown := [name for name in names if name not in set(Defect)]:
        raise SettingsError(f"{VARIABLE}: no defect {unknown[0]!r} (known: {', '.join(Defect)})")
    return frozenset(map(Defect, names))


def checked(settings: Settings) -> Settings:
    """The settings, if they can be run. Raises SettingsError."""
    names = [tenant.name for tenant in settings.tenants]
    problems = [
        (not names, "tenants: there is none"),
        (len(set(names)) < len(names), "tenants: a name is duplicated"),
        (
            not all(name and name.isprintable() and '"' not in name and "/" not in name for name in names),
            "tenants: a name is not valid",
        ),
        (settings.workers < 1, "workers: at least 1"),
        (settings.connections < 2, "connections: at least 2, of which a tenant may hold half"),
        (not 0 <= settings.at_most <= settings.connections, "at_most: from 0 to connections"),
        (settings.token_s <= 0, "token_s: more than 0"),
        (
            not settings.database_url.startswith(("sqlite:///", "postgresql://", "postgres://")),
            "database: sqlite:///PATH or postgresql://…",
        ),
        (
            bool(settings.redis) and not settings.redis.startswith(("redis://", "rediss://", "unix://")),
            "redis: redis://…",
        ),
    ]
    if wrong := [what for is_wrong, what in problems if is_wrong]:
        raise SettingsError("; ".join(wrong))
    return settings
