"""The queue of the example can be imported by every file here, whichever is collected first or alone."""

import sys
from pathlib import Path

EXAMPLES = str(Path(__file__).resolve().parents[3] / "docs" / "examples")
if EXAMPLES not in sys.path:
    sys.path.insert(0, EXAMPLES)
