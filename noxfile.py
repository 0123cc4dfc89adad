"""The tests on every Python that we claim, lint and coverage. `nox` does all, `nox -s tests-3.13` one; `.ci/run` needs none."""

import os

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = "CI" in os.environ
INSTALL = ("-c", "constraints.txt", "-e", ".[test]")


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """All tests; `nox -s tests-3.13 -- tests/unit` some of them."""
    session.install(*INSTALL)
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Style, types and layers: the second command of CONTRIBUTING.md."""
    session.install(*INSTALL)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session(python="3.11")
def coverage(session: nox.Session) -> None:
    """What the tests run of our code, programs they start included; the least covered modules come first."""
    session.install(*INSTALL)
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", "--sort=cover", "--skip-covered")
