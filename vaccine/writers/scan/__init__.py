"""Source trees → writers, by rules that are data."""

from vaccine.writers.scan.scanner import scan

__all__ = ["scan"]
