"""YAML to plain data with a place for every value, and nothing guessed."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.schemas.errors import LONGEST_QUOTE, Mark, ScenarioError, UsageError, quoted, shortened, show_path
from soak.schemas.language.document import MAX_BYTES, Document, parse_document, read_document


def parse(text: str | bytes) -> Document:
    return parse_document(text, "file.yaml")


def refusal(text: str | bytes) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse(text)
    return str(caught.value)


# Values.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-0", 0),
        ("+5", 5),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("true", True),
        ("FALSE", False),
        ("72h", "72h"),
        ("10%", "10%"),
        ("1,000", "1,000"),
        ("'no'", "no"),
        ('"1e3"', "1e3"),
        ("'~'", "~"),
        ("nope", "nope"),
        ("a: b", {"a": "b"}),
        ("[1, [x]]", [1, ["x"]]),
        ("{010: {}}", {"010": {}}),
        ("|\n  text\n", "text\n"),
    ],
)
def test_a_value_is_what_it_says(text: str, value: object) -> None:
    document = parse(text)
    assert document.data == value
    assert type(document.data) is type(value)
    assert document.problems == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        *((word, "boolean") for word in ("y", "N", "yes", "No", "on", "OFF")),
        *((word, "base-60") for word in ("12:30:00", "1:30", "-1:30.5")),
        *((word, "number to some") for word in ("1e3", "1.5E-7", ".5e+2", "1_000", "1_000.5")),
        *((word, "octal") for word in ("010", "0x1F", "0o17", "0b11", "-0_7")),
        *((word, "not a finite") for word in (".inf", "-.INF", ".NaN")),
        *((word, "date") for word in ("2024-01-01", "2024-1-1 12:00:00", "2024-01-01T00:00:00Z")),
        *((word, "no value") for word in ("~", "null", "Null", "NULL")),
        ("9" * 301, "301 digits"),
        ("0." + "0" * 5000, "5,002 digits"),
        ("!!int '3'", "tag !!int"),
        ("!!python/object:os.system x", "tag !!python/object:os.system"),
        ("!own [1]", "tag !own"),
    ],
)
def test_a_trap_is_refused_and_never_guessed_at(text: str, what: str) -> None:
    problems = parse(f"[{text}]").problems
    assert [what in problem.what for problem in problems] == [True]


def test_what_is_the_authors_own_is_not_judged() -> None:
    document = parse("x-mine: {updated: 2024-01-01, agreed: no, owner: , size: 1e3}\n")
    assert document.problems == []
    assert document.data == {"x-mine": {"updated": "2024-01-01", "agreed": "no", "owner": None, "size": "1e3"}}


# JSON is YAML, but for letters that YAML reads as line breaks or not at all.
LETTERS = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Cn"))
JSON = st.recursive(
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-999, 999).map(lambda n: n / 8)
    | st.text(LETTERS, max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(LETTERS, max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_json_reads_back_as_it_was(data: object) -> None:
    document = parse(json.dumps(data, ensure_ascii=False))
    assert document.data == data
    assert document.problems == []


@given(JSON)
def test_every_value_has_a_place(data: object) -> None:
    document = parse(json.dumps(data, indent=1, ensure_ascii=False))

    def check(value: object, where: tuple[str | int, ...]) -> None:
        assert document.marks[where].line > 0
        for key, inner in (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        ):
            check(inner, (*where, key))

    check(document.data, ())


@given(st.text(max_size=60) | st.text("ab:-{}[],&*!|>'\"%@#~<\n\t 01", max_size=60) | st.binary(max_size=60))
def test_random_text_is_read_or_refused_in_one_line(text: str | bytes) -> None:
    try:
        parse(text)
    except ScenarioError as error:
        assert "\n" not in str(error) and str(error).endswith(")")


# Aliases and merges.


def test_an_alias_stands_where_its_anchor_does() -> None:
    document = parse("a: &a {b: 1}\nc: *a\n")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.mark(("c", "b")) == Mark("file.yaml", 1, 11)


@pytest.mark.parametrize(
    ("text", "merged"),
    [
        ("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}", {"a": 1, "b": 3}),
        ("x: &x {a: 1}\ny: {b: 3, <<: *x}", {"a": 1, "b": 3}),
        ("x: &x {a: 1, b: 1}\ny: {<<: [{a: 2}, *x]}", {"a": 2, "b": 1}),
        ("x: &x {a: 1, b: 1}\nz: &z {<<: *x, b: 2}\ny: {<<: *z}", {"a": 1, "b": 2}),
        ('y: {"<<": 1}', {"<<": 1}),
    ],
)
def test_merge_keys(text: str, merged: object) -> None:
    document = parse(text)
    assert isinstance(document.data, dict)
    assert document.data["y"] == merged
    assert document.problems == []


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {<<: *a}", "a: &a {b: &b {<<: [*a, *b]}}"])
def test_a_loop_ends(text: str) -> None:
    assert "the file expands to more than 40 levels" in refusal(text)


@pytest.mark.parametrize("text", ["[" * 300_000, "{a: " * 200_000, "- " * 400_000, "a: [" * 3 + "[" * 200_000])
def test_a_bottomless_file_is_refused(text: str) -> None:
    assert "the file expands to more than 40 levels" in refusal(text)


def test_a_bottomless_file_is_refused_at_the_level_too_many() -> None:
    """Whether the parser itself gives up, as some releases do at a thousand levels, or we stop it."""
    for levels in (41, 999, 1_001, 300_000):
        assert refusal("[" * levels).startswith("file.yaml:1:41: the file expands"), levels


def test_an_endless_list_is_refused() -> None:
    assert "the file expands to more than 10,000 values" in refusal("a: [" + "1, " * 30_000 + "]")
    assert "the file expands to more than 10,000 values" in refusal("a: &a {b: 1}\nc: {<<: [" + "*a, " * 11_000 + "]}")


# Text that is not YAML.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: 1\nb: Gr\xfc\xdfe\n", "file.yaml:2:6: byte 10 is not UTF-8 (save the file as UTF-8)"),
        ("a: 1\nb: ü\x00", "file.yaml:2:5: the control character U+0000 is not allowed (remove it)"),
        ("\udcff", "file.yaml: character 1 is not UTF-8 (write it as UTF-8)"),
        ("", "file.yaml:1:1: the file is empty (`soak init` writes a scenario to start from)"),
        ("a: 1\n\tb: 2", "file.yaml:2:1: not YAML: a tab cannot indent (write spaces)"),
        (
            "a: 1\n--- {b: 2}",
            "file.yaml:2:1: a second document starts here (keep one scenario in a file, without --- after it)",
        ),
    ],
)
def test_text_that_is_not_one_document(text: str | bytes, said: str) -> None:
    assert refusal(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {b: 1\nc: 2", "2:2: not YAML: the { of line 1, column 4 needs a comma or a } here"),
        ("a: [b: c: d]", "1:9: not YAML: the [ of line 1, column 4 needs a comma or a ] here"),
        ("a: 'it's'", "1:8: not YAML: this does not fit what precedes it"),
        (
            "a: 'b\nc: d\n",
            "3:1: not YAML: the quoted text that starts at line 1, column 4 is not closed (close it with ')",
        ),
        ('a: "\\d"', "1:5: not YAML: invalid escape sequence in double quotes"),
        ("a: @x", "1:4: not YAML: a value cannot start with '@' (put it in quotes)"),
        ("a: b: c", "1:5: not YAML: a key is not allowed here"),
        ("a: - b", "1:4: not YAML: a list cannot start here"),
        ("a: 1\nkey\nb: 2", "3:1: not YAML: the key of line 2, column 1 has no colon"),
        ("a:\n  b: 1\n c: 2", "3:2: not YAML: this does not fit what precedes it (check indentation,"),
        ("[", "2:1: not YAML: the file ends too early"),
        ("a: *b\n", "1:4: no anchor above has this name"),
        ("a: &x 1\nb: &x 2", "2:4: the anchor is already defined"),
        ("a: &x 1\nb: [*x, *y]", "2:9: no anchor above has this name"),
    ],
)
def test_text_that_is_not_yaml_is_refused_in_our_words(text: str, said: str) -> None:
    assert refusal(text).startswith(f"file.yaml:{said}")


def test_a_byte_order_mark_is_no_letter() -> None:
    document = parse("a: 1".encode("utf-8-sig"))
    assert (document.data, document.mark(("a",))) == ({"a": 1}, Mark("file.yaml", 1, 4))


# Files.


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * (2 * MAX_BYTES))
    for path, what in (
        (tmp_path, "is a directory"),
        (tmp_path / "none.yaml", "No such file"),
        (big, "larger than 1,000,000"),
    ):
        with pytest.raises(UsageError, match=what):
            read_document(path)


# Messages.


def test_a_path_is_written_as_a_person_would() -> None:
    assert show_path(("slos", 2, "objective")) == "slos[2].objective"
    assert show_path(("tiers", "p r", "a\nb")) == "tiers.'p r'.'a\\nb'"
    assert show_path(()) == ""


@given(st.text())
def test_quotes_stay_on_one_short_line(text: str) -> None:
    for shown in (quoted(text), shortened(text)):
        assert len(shown.splitlines()) <= 1
        assert "\0" not in shown
    assert len(shortened(text)) <= LONGEST_QUOTE + 1


def test_what_an_alias_repeats_is_told_once_in_file_order() -> None:
    mark = Mark("file.yaml", 3, 1)
    problems = [mark.problem((key,), "is wrong", "mend it") for key in ("b", "a")]
    error = ScenarioError([*problems, Mark("file.yaml", 2, 9).problem((), "is odd", "look")])
    assert str(error) == "file.yaml:2:9: is odd (look)\nfile.yaml:3:1: a: is wrong (mend it)"
