"""The page that a person reads after a registration, and the pictures on it."""

from .report import write_report

__all__ = ["write_report"]
