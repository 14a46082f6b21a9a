"""What is in a gallery and how it was made, and whether it is sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError
from kinfold.features.preprocess import as_preprocessing
from kinfold.gallery.manifest import SEARCHES, WEIGHTS, Manifest
from kinfold.gallery.matches import read_matches
from kinfold.gallery.own import own_file
from kinfold.gallery.parts import model_of, read_near, read_parts
from kinfold.gallery.photo import Photo
from kinfold.gallery.places import Places, places_of
from kinfold.gallery.reader import Reader
from kinfold.gallery.segments import read_segment
from kinfold.gallery.store import MATCHES, Store
from kinfold.gallery.vector_search import FLAT, facts_of
from kinfold.io import kin


def info(reader: Reader, *, verify: bool) -> dict[str, Any]:
    """The facts; with ``verify``, every file is read and checked. See ``Gallery.info``."""
    store, table = reader.store, reader.table
    manifest = store.read()
    described, failed = table.described(), table.failed()
    facts: dict[str, Any] = {
        "gallery": str(store.folder),
        "photos_folder": manifest.photos,
        **({"other_folders": list(manifest.folders)} if manifest.folders else {}),
        "photos": len(described),
        "failed": [{"path": photo.path, "reason": photo.reason} for photo in failed],
        **_positions(described, reader.root),
        "segments": len(table.segments()),
        "bytes": store.size(),
        "own_model": manifest.own_model,
        "settings": {
            name: value
            for name, value in manifest.settings.to_dict().items()
            if name != "preprocess"  # told of each network
        },
    }
    if networks := _networks(manifest):
        facts["networks"] = networks
    if "graph" in manifest.parts:
        facts |= _headers(store, manifest)
    if own_file(store.folder / MATCHES):
        facts["pairs_verified"] = _pairs(store)
    if verify:
        _verify(reader, manifest)
        facts["verified"] = True
    return facts


def _networks(manifest: Manifest) -> dict[str, str]:
    """Of each network where it is cut, how it is pooled, and what images it is given."""
    count, settings = len(manifest.weights), manifest.settings
    if not count:
        return {}
    told = zip(settings.layers(count), settings.poolings(count), settings.images(count))
    return {
        f"network {number + 1}": f"layer {layer or 'its own'}, pooling {pooling}"
        + ("" if images is None else f"; {as_preprocessing(images)}")
        for number, (layer, pooling, images) in enumerate(told)
    }


def _positions(photos: Sequence[Photo], root: Path) -> dict[str, Any]:
    """How many photos have a position, and the table that says so, or what is wrong with it."""
    try:
        places = places_of(None, photos, root)
    except (FileFormatError, OSError) as error:
        places = Places(None, {}, photos, root)
        return {"with_position": places.with_position, "places": str(error)}
    table = {} if places.path is None else {"places": str(places.path)}
    return {"with_position": places.with_position, **table}


def _headers(store: Store, manifest: Manifest) -> dict[str, Any]:
    """What the headers of the parts tell."""
    facts: dict[str, Any] = {}
    headers = {
        name: kin.header(store.part(file))
        for name, file in manifest.parts.items()
        if name not in WEIGHTS
    }
    try:
        graph = headers["graph"].tensors
        facts["indexed"] = graph["starts"][1][0] - 1
        if "index" in headers:
            facts["dim"] = headers["index"].params["dim"]
            facts["search"] = FLAT
        for name, title in zip(SEARCHES, ("search", "search_of_regions")):
            if name in headers:
                size = store.part(manifest.parts[name]).stat().st_size
                found = facts_of(headers[name].params)
                facts[title] = found | {"bytes_per_photo": round(size / facts["indexed"], 1)}
        learnt = headers["model"].params
        facts["model_learnt_on"] = learnt["photos"]
        if brought := learnt.get("brought"):
            facts["brought"] = (
                f"{', '.join(brought)}: codebooks that Kinfold brings; whitenings are this gallery's"
            )
        if adapters := _adapters(store, manifest, headers["model"].params):
            facts["adapters"] = adapters
        facts["graph_edges"] = graph["neighbours"][1][0] // 2
    except (LookupError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{store.folder}: a part lacks {error}") from None
    return facts


def _pairs(store: Store) -> int:
    """How many pairs of photos are kept, as the header tells."""
    path = store.folder / MATCHES
    try:
        return kin.header(path).tensors["tried"][1][0]
    except LookupError as error:
        raise FileFormatError(f"{path}: lacks {error}") from None


def _adapters(store: Store, manifest: Manifest, params: dict[str, Any]) -> dict[str, str]:
    """What stands in the place of the networks' whitenings, of each network that has one."""
    if not any(params["engines"].get("cnn", {}).get("adapters", [])):
        return {}
    return {
        f"network {which + 1}": f"learnt from {adapter.pairs_:.0f} pairs; mAP of pairs held out {adapter.after_:.3f}, "
        f"whitened {adapter.before_:.3f}"
        for which, adapter in enumerate(model_of(store, manifest).adapters)
        if adapter is not None
    }


def _verify(reader: Reader, manifest: Manifest) -> None:
    store, table = reader.store, reader.table
    table.check()
    for name in sorted({*table.segments(), *manifest.segments}):
        read_segment(store.segment(name), verify=True)
    if "graph" in manifest.parts:
        read_near(store, manifest, read_parts(store, verify=True).fused)
    elif "model" in manifest.parts:
        model_of(store, manifest)
    read_matches(store)
    for photo in table.described():
        reader.segments.features(photo)
