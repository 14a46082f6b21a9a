"""What a gallery consists of, and how its manifest says so."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

from kinfold.base.errors import FileFormatError
from kinfold.gallery import METHODS
from kinfold.gallery.own import is_name
from kinfold.gallery.settings import MOST_LOCAL_WEIGHTS, MOST_NETWORKS, REMAKE, Settings

# The first version of those that are read lacks what was added.
FORMAT, OLDEST = 4, 3
_FIELDS = {
    "format",
    "library",
    "settings",
    "photos",
    "parts",
    "segments",
    "own_model",
    "added",
    "folders",
}
# What a manifest calls the weights of each network.
WEIGHTS = tuple(f"weights{i}" if i else "weights" for i in range(MOST_NETWORKS))
# The same of what finds local features: one network, and those that prepare for it.
LOCAL_WEIGHTS = tuple(
    f"localweights{i}" if i else "localweights" for i in range(MOST_LOCAL_WEIGHTS)
)
# The indexes under vectors, and under regions.
SEARCHES = ("search", "regionsearch")
# The parts that may be named; an engine's name stands for its inverted file.
_NAMES = (
    "model",
    "index",
    *SEARCHES,
    "near",
    "graph",
    "confidence",
    *WEIGHTS,
    *LOCAL_WEIGHTS,
    *METHODS,
)


@dataclass(frozen=True)
class Manifest:
    """What a gallery consists of.

    photos : the folder of photos
    folders : other folders of photos, by their whole paths
    parts : name -> file in ``parts``; a gallery that holds no photo has none but weights and a given model
    segments : files in ``segments`` that the index was made from
    own_model : whether the model was learnt on this gallery, so that it is learnt anew as it grows
    added : files in ``parts``, in order: the photos that came and went since index and inverted files were written
    """

    settings: Settings
    photos: str | None = None
    parts: dict[str, str] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    own_model: bool = True
    added: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    @property
    def weights(self) -> list[str]:
        """The file of each network's weights, in ``parts``."""
        return [self.parts[name] for name in WEIGHTS if name in self.parts]

    @property
    def local_weights(self) -> list[str]:
        """The files of the weights of what finds local features, in ``parts``."""
        return [self.parts[name] for name in LOCAL_WEIGHTS if name in self.parts]

    def without_index(self) -> Manifest:
        """What is left where no photo is: weights and model."""
        kept = ("model", *WEIGHTS, *LOCAL_WEIGHTS)
        parts = {name: file for name, file in self.parts.items() if name in kept}
        return replace(self, parts=parts, segments=(), added=())

    def without(self, *names: str) -> Manifest:
        """The same without some parts."""
        return replace(self, parts={n: file for n, file in self.parts.items() if n not in names})

    def with_parts(self, **parts: str) -> Manifest:
        """The same with other parts."""
        return replace(self, parts={**self.parts, **parts})

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        from kinfold import __version__

        return {
            "format": FORMAT,
            "library": __version__,
            "settings": self.settings.to_dict(),
            "photos": self.photos,
            "parts": self.parts,
            "segments": list(self.segments),
            "own_model": self.own_model,
            "added": list(self.added),
            "folders": list(self.folders),
        }

    @classmethod
    def from_dict(cls, data: Any) -> Manifest:
        """From JSON that somebody else may have written. Raises FileFormatError."""
        if not isinstance(data, dict):
            raise FileFormatError("expected a dictionary")
        version = data.get("format")
        if type(version) is not int:
            raise FileFormatError("expected a format version")
        if version > FORMAT:
            raise FileFormatError(
                f"is of format {version}; this kinfold reads {FORMAT}: a newer one is needed"
            )
        if version < OLDEST:
            raise FileFormatError(f"is of format {version}, this kinfold reads {FORMAT}; {REMAKE}")
        # Galleries of before have one folder.
        data = {"folders": [], **({"added": []} if version == OLDEST else {}), **data}
        if set(data) != _FIELDS:
            raise FileFormatError("expected other fields")
        parts, segments, photos = data["parts"], data["segments"], data["photos"]
        if not isinstance(parts, dict) or not set(parts) <= set(_NAMES):
            raise FileFormatError("parts: expected names of files")
        if not isinstance(segments, list):
            raise FileFormatError("segments: expected a list of files")
        if not isinstance(data["added"], list):
            raise FileFormatError("added: expected a list of files")
        for name in [*parts.values(), *segments, *data["added"]]:
            # A name is no path: a hostile manifest must not lead out of the folder.
            if not is_name(name):
                raise FileFormatError(f"expected the name of a file, got {name!r:.80}")
        if photos is not None and not _is_folder(photos):
            raise FileFormatError("photos: expected a folder by its whole path")
        if not isinstance(data["folders"], list) or not all(map(_is_folder, data["folders"])):
            raise FileFormatError("folders: expected folders by their whole paths")
        if not isinstance(data["own_model"], bool):
            raise FileFormatError("own_model: expected true or false")
        return cls(
            Settings.from_dict(data["settings"]),
            photos,
            dict(parts),
            tuple(segments),
            data["own_model"],
            tuple(data["added"]),
            tuple(data["folders"]),
        )


def _is_folder(path: object) -> bool:
    return isinstance(path, str) and os.path.isabs(path) and "\0" not in path
