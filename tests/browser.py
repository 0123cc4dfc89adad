"""Chromium for tests that look at pages: installed or not, and started once for a module."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(
    not CHROMIUM and os.environ.get("SOAK_TEST_SERVERS") != "required", reason="Chromium is not installed"
)
WIDE, PHONE = 1280, 390


@contextmanager
def launched() -> Iterator[Any]:
    """A browser without a window; it is ended at the end. Skips where Playwright is not installed."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()
