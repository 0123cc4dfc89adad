"""Every command that the documentation shows exists, with its options; those that need nothing but a checkout are run."""

import re
from pathlib import Path

import click
import pytest
from documented import PAGES, ROOT, Shown, shown

from soak.runner.cli import cli, run_command

ALL = [each for page in PAGES for each in shown(page)]
QUICK = {"plan", "validate", "run", "verify", "init", "schema", "monitoring", "slis"}
"""What takes seconds where nothing real is started."""

REAL = {"--target", "--replay", "--dask", "--locust-master"}
SIMULATED = [
    "README.md",
    "docs/attach-your-orchestrator.md",
    "docs/editors.md",
    "docs/http.md",
    "docs/monitoring.md",
    "docs/pipeline.md",
    "docs/resilience.md",
]
LONG = re.compile("scenarios/(pipeline|gateway)/")
"""What tests/acceptance/test_scenarios.py runs anyway, in seconds each."""

CODES = {0, 3, 4, 5}
"""Of what ran to its end, whatever the verdict."""


def mistakes(words: tuple[str, ...]) -> str:
    """What is wrong with a command before any file is looked at: no such command, no such option, or a value amiss."""
    if words[0] in {"--help", "--version"}:
        return ""
    context = click.Context(cli, info_name="soak")
    try:
        _, command, rest = cli.resolve_command(context, list(words))
        while isinstance(command, click.Group):
            context = click.Context(command, info_name=command.name, parent=context)
            _, command, rest = command.resolve_command(context, rest)
        assert command is not None
        context = click.Context(command, info_name=command.name, parent=context)
        given, left, _ = command.make_parser(context).parse_args(list(rest))
        if left:
            return f"unexpected {left[0]!r}"
        for param in command.get_params(context):
            value = given.get(param.name)
            if not isinstance(value, str | tuple | bool | list):
                if param.required:
                    return f"{param.name} is missing"
            elif isinstance(param.type, click.Choice | click.IntRange | click.FloatRange):
                param.type_cast_value(context, value)
    except click.UsageError as error:
        return error.format_message()
    return ""


def test_commands_are_found_on_the_pages() -> None:
    assert len(ALL) > 150
    assert {each.words[0] for each in ALL} >= QUICK - {"slis"}


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)])
def test_a_command_that_is_shown_exists_with_its_options(page: str) -> None:
    assert [f"{each}: {what}" for each in shown(page) if (what := mistakes(each.words))] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rum scenarios/72h.yaml", "rum"),
        ("run scenarios/72h.yaml --sped 60", "--sped"),
        ("run", "scenario is missing"),
        ("target chek x:y", "chek"),
        ("verify a b", "'b'"),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(words: str, said: str) -> None:
    assert said in mistakes(tuple(words.split()))


def test_files_of_the_checkout_that_commands_name_are_there() -> None:
    ours = re.compile(r"(scenarios|gates|docs|tests)/[\w./-]+\.\w+")
    named = [(each, word) for each in ALL for word in each.words if ours.fullmatch(word)]
    assert len(named) > 60
    assert [str(each) for each, word in named if not (ROOT / word).exists()] == []


def runnable(each: Shown) -> bool:
    """Whether a command needs nothing but a checkout, and a second."""
    long = each.words[0] == "run" and LONG.match(each.words[1])
    return each.words[0] in QUICK and not REAL & set(each.words) and "FILE" not in each.words and not long


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("page", SIMULATED)
def test_what_is_simulated_runs_in_the_order_of_the_page(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three days of load are shortened to an hour: what is tried is the command, and what it makes for the next one."""
    for name in ("scenarios", "gates", "docs", "schemas"):
        (tmp_path / name).symlink_to(ROOT / name)
    for example in (ROOT / "docs" / "examples").glob("*.*"):
        (tmp_path / example.name).symlink_to(example)
    monkeypatch.chdir(tmp_path)
    ran = 0
    for each in filter(runnable, shown(page)):
        files = [Path(word) for word in each.words[1:2] if not word.startswith("-") and "." in word]
        if each.words[0] not in {"init", "schema"} and any(not path.exists() for path in files):
            continue  # made by a real run, or the reader's own
        if each.words[0] == "verify" and not Path(each.words[1]).exists():
            continue
        short = ["--duration", "1h"] if each.words[:2] == ("run", "scenarios/72h.yaml") else []
        assert run_command([*each.words, *short]) in CODES, f"{each}: {capsys.readouterr().err}"
        ran += 1
    assert ran
