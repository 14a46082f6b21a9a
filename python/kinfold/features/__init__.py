"""Pixels to global descriptors by networks."""

METHODS: dict[str, str] = {}
