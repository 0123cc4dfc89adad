"""PostgreSQL by psycopg 3: each statement and each wait for a lock within a time limit that the server keeps."""

import select
from collections.abc import Sequence
from functools import cache
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from soak.systems.gateway.database import Connection, Record, Statement, StoreError, percent_style

_CONNECT_WITHIN_S = 3


class PostgresConnection:
    """One connection. After an error outside a transaction it can be used again, unless it is broken."""

    for_update = " FOR UPDATE"

    def __init__(self, url: str, statement_s: float) -> None:
        options = f"-c statement_timeout={round(1000 * statement_s)} -c lock_timeout={round(1000 * statement_s)}"
        try:
            info = make_conninfo(url, options=options, connect_timeout=_CONNECT_WITHIN_S)
            self._raw: psycopg.Connection[Any] = psycopg.connect(info, autocommit=True)
        except psycopg.Error as error:
            raise StoreError(_words(error)) from None
        self._incoming = select.poll()
        self._incoming.register(self._raw.fileno(), select.POLLIN)

    def rows(self, text: str, *values: object) -> list[Record]:
        """The rows of a statement."""
        try:
            return self._raw.execute(percent_style(text), values).fetchall()
        except psycopg.Error as error:
            raise StoreError(_words(error)) from None

    def change(self, text: str, *values: object) -> int:
        """How many rows a statement changed."""
        try:
            return self._raw.execute(percent_style(text), values).rowcount
        except psycopg.Error as error:
            raise StoreError(_words(error)) from None

    def change_all(self, changes: Sequence[Statement]) -> None:
        """Several statements, as one: a round trip and a plan for each would take twice as long."""
        self.change(_as_one(tuple(text for text, _ in changes)), *(value for _, values in changes for value in values))

    def begin(self) -> None:
        """Begin to write."""
        self.change("BEGIN")

    def commit(self) -> None:
        """Write."""
        self.change("COMMIT")

    def rollback(self) -> None:
        """Forget what was changed."""
        try:
            self._raw.execute("ROLLBACK")
        except psycopg.Error:
            self._raw.close()

    def close(self) -> None:
        """Close it."""
        self._raw.close()

    @property
    def broken(self) -> bool:
        """Whether it cannot be used any more: to one that is idle, a server says something only when it ends it."""
        return self._raw.closed or bool(self._incoming.poll(0))


class Postgres:
    """A server's database."""

    serial = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"

    def __init__(self, url: str, statement_s: float) -> None:
        self._url, self._statement_s = url, statement_s

    def connect(self) -> Connection:
        """A new connection."""
        return PostgresConnection(self._url, self._statement_s)


@cache
def _as_one(texts: tuple[str, ...]) -> str:
    first = ", ".join(f"change_{number} AS ({text})" for number, text in enumerate(texts[:-1]))
    return f"WITH {first} {texts[-1]}" if first else texts[-1]


def _words(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
