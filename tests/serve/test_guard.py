"""Who may ask: attacks by name, by page, by size, without a token."""

from __future__ import annotations

import http.client
import socket

import pytest

from kinfold.serve.guard import CSP, Guard
from kinfold.serve.limits import Limits


@pytest.fixture(scope="module")
def guarded(city, start):
    """A server with a token, that others reach."""
    with start(city, host="0.0.0.0", token="letters8and9", upload_bytes=100_000) as asker:
        yield asker


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.7", "", "a@127.0.0.1", "[::1"]
)  # fmt: skip
def test_a_name_that_was_rebound_to_this_machine_is_refused(server, host) -> None:
    for path in ("/", "/api/health", "/api/photos/1/thumbnail"):
        answer = server.get(path, Host=host)
        assert answer.status == 403 and answer.error["code"] == "bad_host"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:{port}", "[::1]:{port}", "LOCALHOST"])
def test_its_own_names_are_answered(server, host) -> None:
    assert server.get("/api/health", Host=host.format(port=server.port)).status == 200


def test_two_names_at_once_are_refused(server) -> None:
    with socket.create_connection((server.host, server.port), timeout=10) as raw:
        raw.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert b" 40" in raw.recv(200).split(b"\r\n")[0]


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:1", "null", "file://"])
def test_pages_of_others_may_not_ask(server, origin) -> None:
    answer = server.post("/api/search", {"id": 1}, Origin=origin)
    assert answer.status == 403 and answer.error["code"] == "bad_origin"
    assert "access-control-allow-origin" not in answer.headers


def test_a_browser_that_loads_for_another_page_is_refused(server) -> None:
    for site in ("cross-site", "same-site"):
        answer = server.get("/api/photos/1/thumbnail", Sec_Fetch_Site=site)
        assert answer.status == 403
    assert server.get("/api/health", Sec_Fetch_Site="same-origin").status == 200


def test_its_own_page_may_ask(server) -> None:
    origin = f"http://127.0.0.1:{server.port}"
    answer = server.post("/api/search", {"id": 1, "rerank": None}, Origin=origin)
    assert answer.status == 200


def test_a_preflight_gets_no_leave(server) -> None:
    headers = {"Origin": "http://evil.example", "Access_Control_Request_Method": "POST"}
    answer = server("OPTIONS", "/api/search", **headers)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/", "/api/health", "/api/photos/1/thumbnail", "/api/nothing", "/page/x"]
)
def test_every_answer_tells_browsers_to_run_nothing_else(server, path) -> None:
    headers = server.get(path).headers
    assert headers["content-security-policy"] == CSP
    assert "unsafe" not in CSP and CSP.startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path", ["/", "/api/health", "/api/photos", "/page/index.html", "/api/openapi.json"]
)
def test_without_the_token_nothing_is_told(guarded, path) -> None:
    for headers in ({}, {"Authorization": "Bearer letters8and"}, {"Authorization": "Basic eDp5"},
                    {"Cookie": "kinfold_token=letters8and99"}, {"Cookie": "kinfold_token"}):  # fmt: skip
        answer = guarded.get(path, **headers)
        assert answer.status == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert "photos" not in answer.json


def test_the_token_opens_by_header_or_cookie(guarded) -> None:
    assert guarded.get("/api/health", Authorization="Bearer letters8and9").status == 200
    answer = guarded.get("/?token=letters8and9")
    assert answer.status == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert guarded.get("/api/health", Cookie=cookie.split(";")[0]).status == 200
    assert guarded.get("/?token=wrong").status == 401


def test_others_reach_it_by_an_address_and_not_by_a_name_of_theirs(guarded) -> None:
    key = {"Authorization": "Bearer letters8and9"}
    assert guarded.get("/api/health", Host="192.0.2.1:8000", **key).status == 200
    assert guarded.get("/api/health", Host="evil.example", **key).status == 403


def test_what_is_too_large_is_refused_announced_or_not(guarded) -> None:
    key = {"Authorization": "Bearer letters8and9"}
    connection = http.client.HTTPConnection(guarded.host, guarded.port, timeout=30)
    connection.putrequest("POST", "/api/search")
    for name, value in {
        **key,
        "Content-Length": "100001",
        "Content-Type": "application/json",
    }.items():
        connection.putheader(name, value)
    connection.endheaders()  # nothing of it has to be sent
    assert connection.getresponse().status == 413
    connection.close()
    pieces = (b"x" * 10_000 for _ in range(11))
    connection = http.client.HTTPConnection(guarded.host, guarded.port, timeout=30)
    connection.request(
        "POST",
        "/api/search",
        pieces,
        {**key, "Content-Type": "application/json"},
        encode_chunked=True,
    )
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(
    "path",
    ["/page/../limits.py", "/page/%2e%2e/limits.py", "/page/..%2flimits.py", "/page/..%5climits.py",
     "/page//etc/passwd", "/page/%00", "/api/photos/..%2f..%2fetc%2fpasswd", "/api/photos/1%2f..%2f2/thumbnail",
     "//etc/passwd", "/..//..//etc/passwd"],
)  # fmt: skip
def test_no_path_leads_out(server, path) -> None:
    with socket.create_connection((server.host, server.port), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := raw.recv(65536):
            answer += part
    assert answer.split(b" ")[1] in (b"400", b"404", b"422"), answer[:200]
    assert b"root:" not in answer and b"loopback" not in answer


def test_while_it_stops_nothing_new_is_answered() -> None:
    import asyncio

    sent = []

    async def send(message):
        sent.append(message)

    async def never(*_):
        raise AssertionError("it was asked")

    guard = Guard(never, Limits())
    guard.draining = True
    scope = {
        "type": "http",
        "path": "/api/health",
        "headers": [(b"host", b"localhost")],
        "method": "GET",
    }
    asyncio.run(guard(scope, never, send))
    assert sent[0]["status"] == 503 and (b"retry-after", b"5") in sent[0]["headers"]


def test_what_is_sent_too_slowly_is_given_up(city, start) -> None:
    with start(city, request_seconds=0.5) as asker:
        with socket.create_connection((asker.host, asker.port), timeout=20) as raw:
            head = "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
            raw.sendall(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
            assert b" 408 " in raw.recv(200)
        assert asker.get("/api/health").status == 200
