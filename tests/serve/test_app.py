"""The API is what its schema says, and stays so: a change is a choice, to be committed with the file."""

from __future__ import annotations

import json
import os
from pathlib import Path

SCHEMA = Path(__file__).with_name("openapi.json")


def outline(schema):
    """What programs rely on, without what versions of FastAPI word or order otherwise."""
    routes = {
        f"{method.upper()} {path}": {
            "parameters": {
                p["name"]: (p["in"], p["required"]) for p in route.get("parameters", [])
            },
            "body": sorted(route.get("requestBody", {}).get("content", {})),
            "answers": {
                status: sorted(answer.get("content", {}))
                for status, answer in route["responses"].items()
            },
        }
        for path, methods in schema["paths"].items()
        for method, route in methods.items()
    }
    shapes = {
        name: {
            "required": sorted(shape.get("required", [])),
            "fields": sorted(shape.get("properties", {})),
        }
        for name, shape in schema["components"]["schemas"].items()
        if name not in ("HTTPValidationError", "ValidationError")
    }
    return json.loads(json.dumps({"routes": routes, "shapes": shapes}))


def test_the_schema_is_the_committed_one(server) -> None:
    """``KINFOLD_WRITE_SCHEMA=1`` writes it anew."""
    found = outline(server.get("/api/openapi.json").json)
    if os.environ.get("KINFOLD_WRITE_SCHEMA"):
        SCHEMA.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(SCHEMA.read_text())


def test_every_reference_of_the_schema_leads_somewhere(server) -> None:
    schema = server.get("/api/openapi.json").json
    text = json.dumps(schema)
    assert schema["openapi"].startswith("3.")
    wanted = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert wanted <= schema["components"]["schemas"].keys()


def test_the_page_and_its_files_are_served(server) -> None:
    page = server.get("/")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    assert server.get("/page/index.html").body == page.body
    assert server.get("/page/").status == 404
    assert server("POST", "/").status == 405
