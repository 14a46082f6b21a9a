"""What is counted."""

from __future__ import annotations


def test_requests_are_counted_by_route_and_not_by_what_was_asked_with(city, start) -> None:
    with start(city) as asker:
        for id in (1, 2, 99):
            asker.get(f"/api/photos/{id}")
        asker.get("/api/secret/words")
        asker.get("/api/health", Host="evil.example")
        text = asker.get("/api/metrics").body.decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    counted = {name: float(value) for name, value in lines.items() if "requests_total" in name}
    by_status = {
        s: sum(v for n, v in counted.items() if f'status="{s}"' in n) for s in (200, 403, 404)
    }
    assert by_status == {200: 2, 403: 1, 404: 2}
    assert "secret" not in text and "99" not in "".join(counted)
    assert float(lines["kinfold_photos"]) == 12 and float(lines["kinfold_search_held"]) == 0
    assert len([n for n in counted if 'status="200"' in n]) == 1
