"""What requests need beside the scenario: secrets and rows of data files, read once by the runner and handed on to what sends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from soak.runner.secrets import secret_of
from soak.schemas.errors import UsageError, WordingError
from soak.schemas.files import Folders
from soak.schemas.language.csv_files import Table, read_data_file
from soak.schemas.language.http import Http
from soak.schemas.language.outlets import Secret
from soak.schemas.language.request_templates import references


@dataclass(frozen=True, slots=True)
class Inputs:
    """Secrets by the name of their variable, tables by the name of their data. `repr` shows no secret."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    tables: Mapping[str, Table] = field(default_factory=dict, repr=False)

    def as_data(self) -> dict[str, Any]:
        """It as plain data, to be handed to another process over a pipe: it holds secrets."""
        tables = {
            name: {"columns": [*each.columns], "rows": [[*row] for row in each.rows]}
            for name, each in self.tables.items()
        }
        return {"secrets": dict(self.secrets), "tables": tables}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> "Inputs":
        """What `as_data` gave."""
        tables = {
            name: Table(tuple(each["columns"]), tuple(tuple(row) for row in each["rows"]))
            for name, each in data["tables"].items()
        }
        return cls(dict(data["secrets"]), tables)


def of_any_request(http: Http) -> Http:
    """The settings with those data files only that a login, or headers of all requests, take values from."""
    login = http.login
    written: list[Any] = [http.headers]
    for each in (login.first, login.renew) if login else ():
        if each:
            request = each.request
            written += [request.path, request.headers, request.query, request.body, each.expected.json]
    used = {each.name for each in references(written) if each.column}
    return replace(http, data=tuple(each for each in http.data if each.name in used))


def read_inputs(http: Http, folders: Folders, folder: Path) -> Inputs:
    """What the requests of a scenario need; `folder`: where files of secrets are. Raises UsageError with all that is missing."""
    secrets, missing = {}, []
    for name, value in http.variables:
        if isinstance(value, Secret):
            try:
                secrets[name] = secret_of(value, folder, key := f"http.variables.{name}", "secret")
                if not secrets[name].isprintable():
                    missing.append(f"{key}: {value.place}: has a line break or is not text (put the secret there)")
            except UsageError as error:
                missing.append(str(error))
    tables = {}
    for each in http.data:
        try:
            tables[each.name] = table = read_data_file(each.file, folders)
            if not table.rows:
                raise WordingError(f"{each.file}: is a copy without rows", "run the original scenario")
        except WordingError as error:
            missing.append(f"http.data: {error}")
    if missing:
        raise UsageError("\n".join(missing))
    return Inputs(secrets, tables)
