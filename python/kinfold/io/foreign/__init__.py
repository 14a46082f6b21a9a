"""Formats of other projects, read with care."""
