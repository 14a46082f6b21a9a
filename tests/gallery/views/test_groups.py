"""Groups of a gallery's photos: who belongs together, by which pairs, and what is a duplicate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kinfold import Gallery, KNNGraph
from kinfold.base.errors import GalleryError
from kinfold.gallery.matches import candidates
from kinfold.graph.communities import communities, connected_components, members
from kinfold.report.groups import groups_page

from ..conftest import SCENES, VIEWS, texture, view, write_photo


def test_every_scene_is_a_group(indexed: Path) -> None:
    with Gallery.open(indexed) as gallery:
        groups = gallery.groups(verbose=False)
        assert len(groups) == SCENES
        for group in groups:
            scenes = {Path(photo.path).parts[0] for photo in group.photos}
            assert len(scenes) == 1 and len(group.photos) == VIEWS
            assert len(group.links) == VIEWS - 1 <= len(group.pairs)
            listed = [group.representative.id]
            for photo, link in zip(group.photos[1:], group.links):
                assert photo.id in (link.first, link.second) and link in group.pairs
                assert {link.first, link.second} - {photo.id} <= set(listed)
                listed.append(photo.id)
                ours, theirs = link.matches[:, :2], link.matches[:, 2:]
                image = np.column_stack([ours, np.ones(len(ours))]) @ link.matrix.T
                assert np.abs(image[:, :2] / image[:, 2:] - theirs).max() < 25
                turned = link.turned()
                np.testing.assert_allclose(
                    turned.turned().matrix, link.matrix, rtol=1e-6, atol=1e-6
                )
            strength = {photo.id: 0 for photo in group.photos}
            for pair in group.pairs:
                strength[pair.first] += pair.inliers
                strength[pair.second] += pair.inliers
                assert pair.inliers == len(pair.matches) >= 12
            assert strength[group.representative.id] == max(strength.values())
        again = gallery.groups(verbose=False)
        assert json.dumps([g.to_dict() for g in again]) == json.dumps([g.to_dict() for g in groups])
        assert gallery.groups(least_inliers=100_000, verbose=False) == []
        with pytest.raises(ValueError, match="^least_inliers: expected"):
            gallery.groups(least_inliers=0)


def test_groups_are_components_of_the_reciprocal_graph_confirmed(indexed: Path) -> None:
    with Gallery.open(indexed) as gallery:
        state = gallery.parts
        place = {int(id): at for at, id in enumerate(state.ids)}
        graph = state.graph
        assert graph.reciprocal
        groups = gallery.groups(bridge=0, verbose=False)
        confirmed = [
            sorted((place[pair.first], place[pair.second]))
            for group in groups
            for pair in group.pairs
        ]
        # Only edges of the graph are looked at, and of those that are confirmed the components are the groups.
        edges = {tuple(edge) for edge in candidates(graph).tolist()}
        assert {tuple(pair) for pair in confirmed} <= edges
        n = len(graph)
        both = np.array(confirmed + [pair[::-1] for pair in confirmed])
        both = both[np.lexsort((both[:, 1], both[:, 0]))]
        starts = np.searchsorted(both[:, 0], np.arange(n + 1))
        kept = KNNGraph.from_rows(
            starts, both[:, 1].astype(np.int32), np.ones(len(both), np.float32)
        )
        parts = {tuple(part.tolist()) for part in members(connected_components(kept))}
        assert parts == {tuple(sorted(place[p.id] for p in group.photos)) for group in groups}
        # A group lies within one component of the whole graph; communities keep what is confirmed together.
        components = connected_components(graph)
        assert all(len(set(components[list(part)])) == 1 for part in parts)
        labels = communities(graph)
        assert np.mean([labels[a] == labels[b] for a, b in confirmed]) > 0.9


def test_duplicates_and_photos_without_features(tmp_path: Path) -> None:
    import cv2

    photos = tmp_path / "photos"
    for scene in range(4):
        write_photo(photos / f"scene{scene}.jpg", texture(scene))
    small = cv2.resize(texture(0), (240, 240), interpolation=cv2.INTER_AREA)
    write_photo(photos / "scene0_small.jpg", small)
    write_photo(photos / "scene0_view.jpg", view(0, 1))
    write_photo(photos / "grey.jpg", np.full((200, 200, 3), 128, np.uint8))
    with Gallery.create(tmp_path / "g.kin", codewords=4, visual_words=64) as gallery:
        with pytest.raises(GalleryError, match="holds no photos yet"):
            gallery.groups(verbose=False)
        gallery.update(photos, verbose=False)
        [group] = gallery.groups(verbose=False)
        assert {photo.path for photo in group.photos} == {
            "scene0.jpg", "scene0_small.jpg", "scene0_view.jpg",
        }  # fmt: skip
        near = [pair for pair in group.pairs if pair.near_duplicate]
        names = {photo.id: photo.path for photo in group.photos}
        assert [{names[p.first], names[p.second]} for p in near] == [
            {"scene0.jpg", "scene0_small.jpg"}
        ]
        title, content, facts = gallery.groups_content([group])
        page = groups_page(title, content, facts)
        assert page.count("duplicate</span>") == 1 and "scene0_view.jpg" in page
        # A photo that is gone since is in no group.
        (photos / "scene0_small.jpg").unlink()
        gallery.update(photos, verbose=False)
        [group] = gallery.groups(verbose=False)
        assert len(group.photos) == 2
