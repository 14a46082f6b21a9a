"""Kinfold's indexes as other libraries know theirs. Each file needs the library that it is named for."""

from __future__ import annotations
