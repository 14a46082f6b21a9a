"""Makes an empty gallery, puts back its weights, and takes away one that holds nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.registry import resolve
from kinfold.features.models.load import in_files
from kinfold.features.preprocess import OWN, as_preprocessing
from kinfold.gallery import METHODS
from kinfold.gallery.describe import Describer
from kinfold.gallery.engines.keeping import KeepingEngine
from kinfold.gallery.lock import writer_lock
from kinfold.gallery.manifest import LOCAL_WEIGHTS, WEIGHTS
from kinfold.gallery.names import as_names
from kinfold.gallery.parts import read_model
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.settings import MOST_LOCAL_WEIGHTS, MOST_NETWORKS, Settings
from kinfold.gallery.store import PHOTOS, Store
from kinfold.gallery.vector_search import AUTO, FLAT
from kinfold.images.digest import content_digest
from kinfold.io.atomic import replace_file
from kinfold.local.extractors import packaged_weights

AnyPath = str | os.PathLike[str]


def create(
    folder: Path,
    weights: AnyPath | Sequence[AnyPath] | None,
    model: AnyPath | None,
    remake: bool,
    preprocess: Any,
    settings: Mapping[str, Any],
    local_weights: AnyPath | Sequence[AnyPath] = (),
) -> Store:
    """The store of a new gallery; see ``Gallery.create``. What may be wrong is found before anything is written."""
    chosen = _checked(settings)
    files, local = _files(weights, "weights"), _files(local_weights, "local_weights")
    _check_weights(chosen, len(files))
    chosen = replace(chosen, preprocess=_images(preprocess))
    local = local or packaged_weights(chosen.features)
    if len(local) > MOST_LOCAL_WEIGHTS:
        raise ValueError(f"local_weights: expected at most {MOST_LOCAL_WEIGHTS}, got {len(local)}")
    check_search(chosen)
    with in_files(files) as copied:
        return _created(folder, copied, local, chosen, model, remake, "pooling" in settings)


def _created(
    folder: Path,
    files: Sequence[Path],
    local: Sequence[AnyPath],
    chosen: Settings,
    model: AnyPath | None,
    remake: bool,
    pooled: bool,
) -> Store:
    """The store, made of files of weights.

    pooled : whether a pooling was asked for
    """
    store = Store(folder)
    old = store.exists()
    if old and not remake:
        raise GalleryError(f"{folder}: is a gallery already")
    for needed in [*files, *local, *([] if model is None else [model])]:
        if old and Path(needed).resolve().is_relative_to(folder.resolve()):
            raise ValueError(
                f"remake: {needed} lies in the gallery that is to be made anew; copy it first"
            )
    describer = Describer(chosen, files, local)
    chosen = replace(chosen, preprocess=describer.preprocess)
    if pooled and describer.pooled_codes:
        codes = ", ".join(describer.pooled_codes)
        raise ValueError(
            f"pooling: expected none, or flatten, as {codes} gives codes, got {chosen.pooling!r}"
        )
    learnt = None if model is None else _learnt_alike(Path(model), describer)
    try:
        if old:
            with writer_lock(folder):
                store.clear()
        manifest = store.create(chosen, beside=old)
        with writer_lock(folder), _undone(store):
            PhotoTable.create(folder / PHOTOS)
            sources = [*zip(WEIGHTS, files), *zip(LOCAL_WEIGHTS, local)]
            for part, source in ((part, Path(file)) for part, file in sources):
                name = store.add("parts", source.suffix, partial(_copy, source), label="weights-")
                manifest = manifest.with_parts(**{part: name})
            if learnt is not None:
                name = store.add("parts", ".kin", partial(_copy, learnt), label="model-")
                manifest = replace(manifest.with_parts(model=name), own_model=False)
            store.write(manifest)
    except OSError as error:
        raise GalleryError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return store


def restore_weights(store: Store, weights: Sequence[AnyPath]) -> None:
    """Put back weights that are missing or damaged; see ``Gallery.restore_weights``."""
    with in_files(weights) as files:
        _put_back(store, files)


def _put_back(store: Store, files: Sequence[Path]) -> None:
    manifest = store.read()
    parts = [*manifest.weights, *manifest.local_weights]
    for source in files:
        label = f"weights-{content_digest(source)}"
        name = next((part for part in parts if part.split(".")[0] == label), None)
        if name is None:
            raise ValueError(
                f"weights: {store.folder} was made with others than {source}; choose another gallery"
            )
        part = store.part(name)
        if not part.exists() or content_digest(part) != content_digest(source):
            with writer_lock(store.folder):
                _copy(source, part)


def _files(given: AnyPath | Sequence[AnyPath] | None, name: str) -> list[str]:
    """Paths of files, none where None."""
    listed = [given] if isinstance(given, (str, os.PathLike)) else given
    return list(as_names(() if listed is None else listed, name))


def _images(given: Any) -> tuple[Mapping[str, Any] | None, ...]:
    """How photos become images, of each network; None for what its model says."""
    listed = given if isinstance(given, (list, tuple)) else [] if given is None else [given]
    return tuple(None if one in (None, OWN) else as_preprocessing(one).to_dict() for one in listed)


def _checked(settings: Mapping[str, Any]) -> Settings:
    unknown = sorted(set(settings) - set(Settings.__dataclass_fields__))
    if unknown:
        raise ValueError(f"settings: expected those of Settings, got {', '.join(unknown)}")
    return Settings(**settings)


def _check_weights(settings: Settings, count: int) -> None:
    needs = not {"cnn", "regions"}.isdisjoint(settings.learnt_engines)
    if settings.layer is not None and not needs:
        raise ValueError(f"layer: the engine '{settings.engine}' uses no network")
    if needs and not 0 < count <= MOST_NETWORKS:
        raise ValueError(
            f"weights: the engine '{settings.engine}' needs a file of trained weights, "
            f"or up to {MOST_NETWORKS}, got {count}"
        )
    if not needs and count:
        engine = settings.engine
        raise ValueError(
            f"weights: the engine '{engine}' uses none; choose 'cnn' or '{engine}+cnn'"
        )


def gives_vectors(settings: Settings) -> bool:
    """Whether any engine gives photos vectors."""
    classes = [resolve(METHODS[name]) for name in settings.engines]
    return not all(issubclass(engine, KeepingEngine) for engine in classes)


def check_search(settings: Settings) -> None:
    """Raise ValueError where an index is to lie under vectors and no engine has any."""
    indexed = gives_vectors(settings) or "regions" in settings.engines
    if settings.search not in (FLAT, AUTO) and not indexed:
        raise ValueError(
            f"search: the engine '{settings.engine}' keeps photos in inverted files and has no vectors for "
            f"{settings.search}; expected {FLAT} or {AUTO}, or another engine"
        )


def _learnt_alike(path: Path, describer: Describer) -> Path:
    """The file of a model, itself or as a gallery, that was learnt for photos described like this."""
    file = _model_file(path)
    model = read_model(file)
    engines = set(describer.settings.learnt_engines)
    if model.fingerprint != describer.fingerprint or set(model.engines) != engines:
        raise GalleryError(f"{path}: was learnt for other settings, weights or engines")
    return file


def _model_file(path: Path) -> Path:
    if not path.is_dir():
        if not path.is_file():
            raise GalleryError(f"{path}: there is no such model or gallery")
        return path
    store = Store(path)
    manifest = store.read()
    if "model" not in manifest.parts:
        raise GalleryError(f"{path}: has no model yet")
    return store.part(manifest.parts["model"])


@contextmanager
def _undone(store: Store) -> Iterator[None]:
    """What fails in the block leaves nothing behind."""
    try:
        yield
    except BaseException:
        with suppress(OSError, FileFormatError):
            store.discard()
        raise


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file, replace_file(target, follow=False) as copy:
        shutil.copyfileobj(file, copy)
