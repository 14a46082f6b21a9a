"""What an update did, as its caller is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Changes:
    """What an update did.

    kept : photos whose files were not seen, and that stay as they were
    failed : path and reason of each file that cannot be read, from this run or an earlier one
    notes : what else people should know: what was kept or repaired and why, and what to do, a line each
    seconds : spent in each stage, summed over threads
    """

    added: int = 0
    changed: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    kept: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    relearnt: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    total_seconds: float = 0.0

    @property
    def any(self) -> bool:
        """Whether there is something to tell: photos that came, changed, moved or left, or a note."""
        return bool(self.added or self.changed or self.moved or self.removed or self.notes)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        described = self.added + self.changed
        rate = described / self.total_seconds if self.total_seconds else 0.0
        return {
            "added": self.added,
            "changed": self.changed,
            "moved": self.moved,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "kept": self.kept,
            "failed": [{"path": path, "reason": reason} for path, reason in self.failed],
            "notes": self.notes,
            "relearnt": self.relearnt,
            "seconds": self.seconds,
            "total_seconds": round(self.total_seconds, 4),
            "photos_per_second": round(rate, 2),
        }


def photos(count: int) -> str:
    """So many photos, in words."""
    return f"{count} photo{'s' * (count != 1)}"
