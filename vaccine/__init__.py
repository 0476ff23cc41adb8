"""Vaccine: rows that should be one row, found, resolved and guarded; every step can be undone."""

__version__ = "0.1.0"
