"""Builds the documentation site: `python docs/site/build.py FOLDER`. Exit code 1 if a link is broken or a page asks another host.

Needs `pip install -c constraints.txt -r docs/requirements.txt .`; the folder can be opened in a browser without a server,
but the search has excerpts only with one: `python -m http.server -d FOLDER`.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from command_page import page
from finished import faults
from pages import ROOT, Pages
from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent


def build(out: Path) -> int:
    """The site in a folder that is replaced; its exit code."""
    pages = Pages().gather()
    if pages.problems:
        sys.stderr.writelines(f"{each}\n" for each in pages.problems)
        return 1
    pages.made["commands.md"] = page()
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "source")
        pages.write(source)
        for name in ("conf.py", "scorer.js"):
            shutil.copy(HERE / name, source)
        shutil.copytree(HERE / "_static", source / "_static")
        shutil.rmtree(out, ignore_errors=True)
        code = build_main(
            ["-q", "-W", "--keep-going", "-j", "2", "-d", str(Path(scratch, "trees")), str(source), str(out)]
        )
    if code:
        return 1
    shutil.copytree(
        ROOT / "schemas", out / "schemas", ignore=lambda folder, names: [n for n in names if not n.endswith(".json")]
    )
    found = faults(out)
    sys.stderr.writelines(f"{each}\n" for each in found)
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(build(Path(sys.argv[1])))
