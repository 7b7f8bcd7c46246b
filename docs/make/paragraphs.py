"""Paragraphs of docs/results.md."""

from __future__ import annotations

import textwrap


def paragraph(text: str) -> str:
    """In lines of the page's width; options of a command stay whole."""
    return textwrap.fill(" ".join(text.split()), 118, break_on_hyphens=False, break_long_words=False)
