"""A folder with the part of soak that programs of a system use, to put on the PYTHONPATH of another interpreter."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

_PACKAGE = '''"""What programs of a system under test need of soak: kit, body and contract."""

import os
import sys

# Where the whole of soak is installed, too, it is found behind these modules.
__path__ += [
    found
    for found in (os.path.join(each, "soak") for each in sys.path)
    if found not in __path__ and os.path.isdir(found)
]
'''
_MODULES = ("kit.py", "serving.py", "body.py", "contract.py")


def write_kit(directory: Path) -> Path:
    """Write the package `soak` with only these modules into a new `directory`, which is returned. Raises OSError."""
    package = directory / "soak"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(_PACKAGE, encoding="utf-8")
    for name in _MODULES:
        with as_file(files("soak") / name) as path:
            shutil.copyfile(path, package / name)
    return directory
