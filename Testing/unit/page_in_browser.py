"""A page opened in a real browser, which says what it shows and what became of what a user would do to it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --virtual-time-budget=5000 --dump-dom"
)


def opened(path: Path, page: str, hands: str = "</body>") -> tuple[str, str]:
    """`page` with the script `hands` at its end, opened from `path`: its body tag, and all of it as it then is."""
    path.write_text(page.replace("</body>", hands), encoding="utf-8")
    shown = subprocess.run(
        [_browser(), *_FLAGS.split(), f"--user-data-dir={path.parent / 'profile'}", path.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    ).stdout
    body = re.search(r"<body[^>]*>", shown)
    assert body is not None, "the browser gave no page"
    return body[0], shown


def _browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("CI"):
        pytest.fail("CI must open the report in a browser: install Chromium")
    pytest.skip("NO BROWSER: the report was not opened; install Chromium")
