"""Health and facts."""

from __future__ import annotations

import kinfold
from kinfold.serve.shapes import Health, Info


def test_health_counts_the_photos(server, city) -> None:
    health = Health.model_validate(server.get("/api/health").json)
    with kinfold.Gallery.open(city) as gallery:
        assert health.photos == len(gallery) == 12
    assert health.version == kinfold.__version__


def test_info_is_the_gallerys_and_what_is_offered_besides(server, city) -> None:
    told = server.get("/api/info").json
    Info.model_validate(told)
    with kinfold.Gallery.open(city) as gallery:
        facts = gallery.info()
    assert {name: told[name] for name in facts} == {**facts, "settings": told["settings"]}
    assert told["folders"] == [{"name": f"scene{n}/", "photos": 4} for n in range(3)]
    assert told["engines"] == ["tembedding"] and told["default_rerank"] == ["spatial", "diffusion"]
    assert "regions" not in told["rerank"] and "spatial" in told["rerank"]
