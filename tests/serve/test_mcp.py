"""The SDK's own client starts the real command, and asks each tool over standard input and output."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

mcp = pytest.importorskip("mcp")
pytest.importorskip("mcp.server.mcpserver")
PIL = pytest.importorskip("PIL.Image")

from kinfold.cli import main
from kinfold.serve.mcp import TOOLS

Ask = Callable[..., Awaitable[Any]]


def asked(city: Path, talk: Callable[[Any, Ask], Awaitable[None]]) -> None:
    """Talk with a server of the gallery, started as a program starts it."""
    command = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-m", "kinfold", "mcp", str(city)],
        cwd="/",
        env=dict(os.environ),
    )

    async def conversation() -> None:
        async with mcp.Client(command, read_timeout_seconds=60) as client:

            async def ask(tool: str, **arguments: Any) -> Any:
                return await client.call_tool(tool, arguments)

            await talk(client, ask)

    asyncio.run(conversation())


def facts_of(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content
    text, *_ = result.content
    assert json.loads(text.text) == json.loads(json.dumps(result.structured_content))
    return result.structured_content


def picture_of(result: Any) -> np.ndarray:
    image = result.content[1]
    assert image.type == "image" and image.mime_type == "image/jpeg"
    with PIL.open(io.BytesIO(base64.b64decode(image.data))) as opened:
        return np.asarray(opened.convert("RGB"))


def test_every_tool_over_stdio(city: Path, scenes: Path) -> None:
    async def talk(client: Any, ask: Ask) -> None:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(listed) == set(TOOLS)
        for tool in listed.values():
            assert tool.annotations.read_only_hint and not tool.annotations.destructive_hint
            assert tool.description and "self" not in tool.input_schema["properties"]

        info = facts_of(await ask("gallery_info", names=3))
        assert info["photos"] == 12 and len(info["shown"]) == 3
        name, id = info["shown"][0]["name"], info["shown"][0]["id"]

        by_name, by_id, by_path = [
            await ask("search_photos", photo=photo, top=5)
            for photo in (name, str(id), str(scenes / name))
        ]
        hits = facts_of(by_name)["hits"]
        assert [hit["rank"] for hit in hits] == [1, 2, 3, 4, 5]
        assert {hit["name"].split("/")[0] for hit in hits[:4]} == {"scene0"}
        assert facts_of(by_id)["hits"] == hits == facts_of(by_path)["hits"]
        assert picture_of(by_name).shape[1] > 900
        confirmed = [hit for hit in hits if hit["verified"] and not hit["is_query"]]
        assert confirmed and all(len(hit["place_found"]) >= 3 for hit in confirmed)

        boxed = facts_of(
            await ask("search_photos", photo=name, box=[20, 20, 200, 150], folder="scene0")
        )
        assert boxed["query"]["box"] == [20, 20, 200, 150]
        assert {hit["name"].split("/")[0] for hit in boxed["hits"]} == {"scene0"}

        other = confirmed[0]["name"]
        why = await ask("explain_match", photo=name, other=other)
        facts = facts_of(why)
        assert facts["hit"]["name"] == other and len(facts["matches"]) == facts["hit"]["inliers"]
        assert "agree on one transformation" in facts["said"]
        assert picture_of(why).shape[1] == 2 * 480 + 18
        stranger = facts_of(await ask("explain_match", photo=name, other="scene2/view0.jpg"))
        assert "does not confirm" in stranger["said"] and stranger["matches"] == []

        groups = await ask("list_groups")
        found = facts_of(groups)["groups"]
        assert len(found) == 3 == facts_of(groups)["all_groups"]
        assert all(len({p["name"].split("/")[0] for p in g["photos"]}) == 1 for g in found)
        assert picture_of(groups).shape[0] > 240
        assert len(facts_of(await ask("list_groups", most=1))["groups"]) == 1

        place = facts_of(await ask("locate", photo=name))
        assert place["located"] is False and place["reason"]

        for tool, arguments, words in (
            (
                "search_photos",
                {"photo": "nobody"},
                "photo: expected an id or a name in the gallery",
            ),
            ("search_photos", {"photo": "99"}, "photo: expected an id or a name in the gallery"),
            ("search_photos", {"photo": "/nowhere/x.jpg"}, "x.jpg"),
            ("search_photos", {"photo": name, "box": [0, 0, 2, 2]}, "box"),
            ("search_photos", {"photo": name, "top": 0}, "top: expected a whole number"),
            ("search_photos", {"photo": name, "folder": "none"}, "folder: expected one that holds"),
            ("search_photos", {"photo": "../city.kin/MANIFEST.json"}, "photo: expected"),
            ("explain_match", {"photo": name, "other": "/etc/hostname"}, "other: expected an id"),
        ):
            bad = await ask(tool, **arguments)
            assert bad.is_error, arguments
            assert words in bad.content[0].text and "Traceback" not in bad.content[0].text

    asked(city, talk)


def test_what_is_no_gallery_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mcp", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("kinfold: error: ") and told.out == ""
