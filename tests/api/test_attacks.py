"""The attack list, case by case: the exact answer, nothing run, nothing written, server alive."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api.media import MAX_METADATA
from api.routes import ROUTES
from compat.protocol import peer_routes
from tests.api.conftest import TOKEN
from tests.api.world import API, World, png, png_chunk, workflow

EVERY = (*ROUTES, *peer_routes())
EVIL = "https://evil.example"
JOBS = f"{API}/jobs"
GOOD = json.dumps({"workflow": workflow("attack")}).encode()
JSON = {"Content-Type": "application/json"}
DOCUMENT = json.dumps(workflow("x")).encode()


@dataclass(frozen=True)
class Attack:
    """One request and the status it must get; "{port}" in a header is the server's port."""

    case: str
    status: int
    method: str = "POST"
    path: str = JOBS
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Callable[[], bytes] | None = GOOD


def post(case: str, status: int, body: bytes | Callable[[], bytes] = GOOD, **headers: str) -> Attack:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Attack(case, status, headers={**JSON, **named}, body=body)


def get(case: str, status: int, path: str, **headers: str) -> Attack:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Attack(case, status, "GET", path, named, None)


def upload(case: str, status: int, name: str, body: bytes | Callable[[], bytes]) -> Attack:
    return Attack(case, status, "POST", f"{API}/files?name={name}", {"Content-Type": "image/png"}, body)


def job_of(nodes: object, **more: object) -> bytes:
    return json.dumps({"workflow": {"version": 1, "nodes": nodes}, **more}).encode()


def text_from(source: str) -> dict[str, object]:
    return {"type": "test.Words", "inputs": {"text": {"node": source, "output": "str"}}}


def chain(length: int, end: str) -> bytes:
    """A chain of texts whose first reads from `end`."""
    nodes: dict[str, object] = {str(i): text_from(str(i - 1) if i else end) for i in range(length)}
    nodes["show"] = {"type": "test.Show", "inputs": {"value": {"node": str(length - 1), "output": "str"}}}
    return job_of(nodes)


def many_inputs() -> bytes:
    links = {str(i): {"node": "1", "output": "str"} for i in range(200_000)}
    return job_of({"1": {"type": "test.Words", "inputs": links}})


def many_targets() -> bytes:
    return GOOD[:-1] + b', "targets": ' + json.dumps([f"t{i}" for i in range(50_000)]).encode() + b"}"


def image_job(name: object) -> bytes:
    picture = {"type": "test.Picture", "inputs": {"image": name}}
    return job_of({"1": picture, "2": {"type": "test.Show", "inputs": {"value": {"node": "1", "output": "str"}}}})


def prefix_job(prefix: object) -> bytes:
    document = workflow("attack")
    document["nodes"]["2"]["inputs"]["prefix"] = prefix
    return json.dumps({"workflow": document}).encode()


def with_value(text: bytes) -> bytes:
    return GOOD.replace(b'"attack"', text)


def deep(levels: int) -> bytes:
    return with_value(b"[" * levels + b"]" * levels)


ORIGINS = [
    post("A01", 403, Origin=EVIL),
    Attack("A02", 415, headers={"Content-Type": "text/plain"}),
    Attack("A02-no-type", 415),
    Attack("A03", 403, headers={"Content-Type": "text/plain", "Origin": "null"}),
    post("A04", 403, Sec_Fetch_Site="cross-site"),
    post("A04-same-site", 403, Sec_Fetch_Site="same-site"),
    Attack("A05", 415, headers={"Content-Type": "application/x-www-form-urlencoded"}),
    post("A06", 421, Host="evil.example:{port}", Origin="http://evil.example:{port}"),
    post("A07", 421, Host="0.0.0.0:{port}", Origin=EVIL),
    post("A08", 403, Origin="http://127.0.0.1:3000"),
    post("A09", 421, Host="localhost.evil.example"),
    post("A09-trailing-dot", 421, Host="localhost.:{port}"),
    post("A10-zone", 400, Host="[::1%eth0]"),
    post("A10-user", 400, Host="user@127.0.0.1"),
    post("A10-empty", 400, Host=""),
    Attack("A11", 403, path=f"{JOBS}/0/cancel", headers={"Origin": "null"}, body=None),
    Attack("A12-delete", 403, "DELETE", JOBS, {"Origin": "null"}, None),
    Attack("A12-patch", 403, "PATCH", JOBS, {"Origin": "null"}, None),
    Attack("A12-delete-own", 405, "DELETE", JOBS, {}, None),
    get("A13", 421, JOBS, Host="evil.example"),
    get("A13-page", 421, "/", Host="evil.example"),
    Attack("A15", 403, "OPTIONS", JOBS, {"Origin": EVIL, "Access-Control-Request-Method": "POST"}, None),
    get("A16", 200, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document"),
    get("A17-image", 403, JOBS, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="image"),
    get("A17-script", 403, f"{API}/nodes", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors"),
    get("A17-frame", 403, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="iframe"),
    get("A17-cors", 403, JOBS, Origin=EVIL),
    get("A14-evil", 403, f"{API}/events", Origin=EVIL, Upgrade="websocket", Connection="Upgrade"),
    get("A14-null", 403, f"{API}/events", Origin="null", Upgrade="websocket", Connection="Upgrade"),
    get("A14-rebound", 421, f"{API}/events", Host="evil.example", Origin="http://evil.example"),
]

PATHS = [
    *(
        get(f"C01-{index}", 404, path)
        for index, path in enumerate(
            (
                "/../../etc/passwd",
                "/web/../../etc/passwd",
                "/web/%2e%2e/%2e%2e/etc/passwd",
                "/web/%252e%252e/etc/passwd",
                "/web/%c0%ae%c0%ae/etc/passwd",
                "/web/..%5c..%5cetc%5cpasswd",
                "/web/..;/etc/passwd",
                "/web//etc/passwd",
                "/web/secret.py",
                f"{API}/files/output/..%2f..%2fjobs.sqlite",
                f"{API}/files/output/../jobs.sqlite",
                f"{API}/files/input/%00",
                f"{API}/files/temp/C:%5cWindows%5cwin.ini",
                f"{API}/templates/..%2fsecret.py",
            )
        )
    ),
    get("C01-workflow", 400, f"{API}/workflows/..%2f..%2fetc%2fpasswd"),
    Attack("C01-put", 400, "PUT", f"{API}/workflows/..%2fout", JSON, json.dumps(workflow("x")).encode()),
    Attack("C01-put-name", 400, "PUT", f"{API}/workflows/a%00b", JSON, json.dumps(workflow("x")).encode()),
    *(
        Attack(f"C01-{method}-{path}", status, method, f"{API}/{path}", headers, body)
        for method, path, status, headers, body in (
            ("PUT", "workflows/..%2fout/draft", 400, JSON, DOCUMENT),
            ("PUT", "workflows/a%00b/draft", 400, JSON, DOCUMENT),
            ("PUT", "workflows/a%2f.b/draft", 400, JSON, DOCUMENT),
            ("PUT", "workflows/a/draft?base=../../x", 400, JSON, DOCUMENT),
            ("PUT", "workflows/a?label=%00", 400, JSON, DOCUMENT),
            ("PUT", "workflows/a?label=" + "x" * 300, 400, JSON, DOCUMENT),
            ("PUT", "workflows/a/draft", 400, JSON, b"[]"),
            ("GET", "workflows/..%2f..%2fetc%2fpasswd/draft", 400, {}, None),
            ("GET", "workflows/..%2f..%2fetc/revisions", 400, {}, None),
            ("GET", "workflows/a/revisions/..%2f..%2fx", 404, {}, None),
            ("PATCH", "workflows/a/revisions/..%2f..%2fx", 404, JSON, b'{"label": "x"}'),
            ("PATCH", "workflows/a/revisions/x", 400, JSON, b'{"label": 7}'),
            ("POST", "workflows/a/revisions/..%2fx/restore", 404, {}, None),
            ("POST", "workflows/..%2fa/rename", 400, JSON, b'{"name": "b"}'),
            ("POST", "workflows/a/rename", 400, JSON, b'{"name": 7}'),
            ("DELETE", "workflows/..%2fa", 400, {}, None),
            ("DELETE", "workflows/..%2fa/draft", 400, {}, None),
            ("DELETE", "trash/..%2f..%2fworkflows", 404, {}, None),
            ("DELETE", "trash/..", 404, {}, None),
            ("POST", "trash/..%2fx/restore", 404, JSON, b'{"name": "b"}'),
            ("POST", "trash/x/restore", 400, JSON, b'{"name": "b", "to": "/"}'),
        )
    ),
    Attack("C15", 400, body=job_of({}, id="../../x"), headers=JSON),
    post("C02", 422, image_job("../../../../etc/hostname")),
    *(
        post(f"C03-{index}", 422, image_job(name))
        for index, name in enumerate(
            ("/etc/hostname", "C:\\x", "\\\\host\\share\\x", "file:///x", "~user/x", "none.png", "", 7, None, {}, ["a"])
        )
    ),
    *(
        post(f"C04-{index}", 422, prefix_job(prefix))
        for index, prefix in enumerate(("../../x", "/abs/x", "a/../../x", "C:\\x", "a\0b", "x/", "CON", "x" * 300, 3))
    ),
    *(
        upload(f"C07-{index}", 400, name, png())
        for index, name in enumerate(
            ("..%2fx.png", "a%00.png", "x" * 5000, "CON.png", "%2fetc%2fx.png", "a%0d%0ab.png", "a.png.", "a:stream",
             "a%e2%80%aegnp.exe", ".hidden.png", "a%2fb.png", "..", "%20a.png", "aux")
        )
    ),
    *(
        upload(f"C08-{name}", 415, f"x.{name}", content)
        for name, content in (
            ("py", b"import os"),
            ("html", b"<!doctype html><script>alert(1)</script>"),
            ("svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
            ("xml", b"<?xml version='1.0'?><x/>"),
            ("pdf", b"%PDF-1.7"),
            ("js", b"alert(1)"),
        )
    ),
    upload("C09-text", 415, "x.png", b"just text"),
    upload("C09-polyglot", 415, "x.png", png() + b"<html><script>alert(1)</script>"),
    upload("C09-empty", 415, "x.png", b""),
    Attack("C08-type", 415, "POST", f"{API}/files?name=x.svg", {"Content-Type": "image/svg+xml"}, png()),
    Attack("C14", 400, "POST", f"{API}/files", {"Content-Type": "multipart/form-data"}, b"{"),
]  # fmt: skip

RESOURCES = [
    upload("D01-square", 413, "x.png", lambda: png(20_000, 20_000)),
    upload("D01-line", 413, "x.png", lambda: png(65_535, 1)),
    upload("D01-frames", 413, "x.png", lambda: png(512, 512, png_chunk(b"acTL", b"\0\0\x27\x10\0\0\0\0"))),
    upload("D01-profile", 413, "x.png", lambda: png(8, 8, png_chunk(b"iCCP", bytes(MAX_METADATA + 1)))),
    upload("D01-text", 413, "x.png", lambda: png(8, 8, png_chunk(b"zTXt", bytes(MAX_METADATA + 1)))),
    post("D03-deep", 400, lambda: deep(200_000)),
    post("D03-deep-100", 400, lambda: deep(100)),
    post("D03-large", 413, lambda: with_value(b'"' + b"x" * (33 << 20) + b'"')),
    post("D03-text", 422, lambda: with_value(b'"' + b"x" * (2 << 20) + b'"')),
    post("D03-keys", 400, b'{"workflow": {}, "workflow": {}}'),
    post("D03-nan", 400, with_value(b"NaN")),
    post("D03-infinity", 400, with_value(b"-Infinity")),
    post("D03-1e400", 400, with_value(b"1e400")),
    post("D03-digits", 400, with_value(b"1" + b"0" * 5000)),
    post("D04-nodes", 422, lambda: chain(100_000, "0")),
    post("D04-links", 422, many_inputs),
    post("D04-unknown-types", 422, lambda: job_of({str(i): {"type": f"test.Word{i}"} for i in range(20_000)})),
    post("D04-gone", 422, lambda: job_of({str(i): text_from(f"gone{i}") for i in range(20_000)})),
    post("D04-cycles", 422, lambda: job_of({str(i): text_from(str(i // 2 * 2 + 1 - i % 2)) for i in range(20_000)})),
    post("D04-targets", 422, many_targets),
    post("D04-long-id", 400, lambda: job_of({"i" * 1_000_000: text_from("gone")})),
    post("D04-cycle", 422, chain(10, "9")),
    post("D04-self", 422, chain(1, "0")),
    post("D04-missing", 422, chain(3, "gone")),
    post("D04-port", 422, GOOD.replace(b'"output": "str"', b'"output": "none"')),
    post("D04-no-sink", 422, job_of({"1": {"type": "test.Words", "inputs": {"text": "a"}}})),
    post("D05-null-node", 400, job_of({"1": None})),
    post("D05-string", 400, b'"workflow"'),
    post("D05-string-workflow", 400, b'{"workflow": "text"}'),
    post("D05-list", 400, b"[]"),
    post("D05-utf8", 400, b'{"workflow": "\xff\xfe"}'),
    post("D05-cut", 400, GOOD[:-5]),
    post("D05-empty", 400, b" "),
    post("D05-no-members", 400, b" { } "),
    post("D05-comma", 400, GOOD[:-1] + b",}"),
    post("D05-two-commas", 400, GOOD[:-1] + b', , "targets": null}'),
    post("D05-no-colon", 400, b'{"workflow" {}}'),
    post("D05-number-key", 400, b'{7: {}}'),
    post("D05-more", 400, GOOD + b" {}"),
    post("D05-bom", 400, b"\xef\xbb\xbf" + GOOD),
    post("D05-targets", 400, GOOD[:-1] + b', "targets": [1]}'),
    post("D05-version", 400, b'{"workflow": {"version": "1", "nodes": {}}}'),
    post("D05-member", 400, GOOD[:-1] + b', "extra": 1}'),
    Attack("C17-gzip", 415, headers={**JSON, "Content-Encoding": "gzip"}),
    Attack("cancel-body", 413, path=f"{JOBS}/0/cancel", headers=JSON, body=b"{" + b" " * 200 + b"}"),
]  # fmt: skip


@pytest.mark.parametrize("attack", [*ORIGINS, *PATHS, *RESOURCES], ids=lambda attack: attack.case)
def test_attack(world: World, attack: Attack) -> None:
    before = world.state()
    headers = {name: value.format(port=world.port) for name, value in attack.headers.items()}
    body = attack.body() if callable(attack.body) else attack.body
    answer = world.ask(attack.method, attack.path, body, headers)
    assert answer.status == attack.status, answer.body[:500]
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if answer.status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert {"type", "title", "status", "code", "detail"} <= answer.json.keys()
        assert len(answer.body) < 100_000
    assert world.state() == before
    assert world.ask("GET", f"{API}/health").status == 200


POST_JOBS = "POST /api/v1/jobs HTTP/1.1\r\nContent-Type: application/json\r\n"
HERE = "127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("request_line", "hosts"),
    [
        pytest.param("GET / HTTP/1.1", [HERE, HERE], id="A10-two-hosts"),
        pytest.param("GET / HTTP/1.1", [], id="A10-no-host"),
        pytest.param("GET http://evil.example/ HTTP/1.1", [HERE], id="A10-absolute"),
        pytest.param("OPTIONS * HTTP/1.1", [HERE], id="A10-asterisk"),
        pytest.param("CONNECT evil.example:80 HTTP/1.1", [HERE], id="A10-authority"),
        pytest.param(POST_JOBS + "Transfer-Encoding: chunked", [HERE], id="bad-chunks"),
        pytest.param(POST_JOBS + "Content-Length: 1\r\nContent-Length: 2", [HERE], id="two-lengths"),
    ],
)
def test_a_request_no_client_library_would_send_is_400(world: World, request_line: str, hosts: list[str]) -> None:
    lines = [request_line, *(f"Host: {host.format(port=world.port)}" for host in hosts), "Connection: close"]
    answer = world.send_raw("\r\n".join([*lines, "", "zz\r\nnot a chunk"]).encode())
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), answer[:200]
    assert world.ask("GET", f"{API}/health").status == 200


SOUND = b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
WEIGHTS = {
    "D10-length": struct.pack("<Q", 2**63) + SOUND,
    "D10-truncated": struct.pack("<Q", len(SOUND)) + SOUND[:20],
    "D10-past-the-end": struct.pack("<Q", len(SOUND)) + SOUND,
    "D10-no-json": struct.pack("<Q", 8) + b"not json",
    "D10-size": struct.pack("<Q", len(SOUND)) + SOUND.replace(b"[1]", b"[2]") + bytes(4),
    "D10-empty": b"",
    "E01-pickle": b"\x80\x04\x95\x1f\x00\x00\x00cposix\nsystem\n.",
    "E01-zip": b"PK\x03\x04" + bytes(64),
    "E01-7z": b"7z\xbc\xaf\x27\x1c" + bytes(64),
}


@pytest.mark.parametrize("case", WEIGHTS)
@pytest.mark.parametrize("ending", ["safetensors", "SAFETENSORS"])
def test_weights_that_lie_are_refused_before_anything_runs(world: World, case: str, ending: str) -> None:
    folder = world.folder / "models" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{case}.{ending}").write_bytes(WEIGHTS[case])
    before = world.state()
    nodes = {
        "1": {"type": "test.Weights", "inputs": {"checkpoint": f"{case}.{ending}"}},
        "2": {"type": "test.Show", "inputs": {"value": {"node": "1", "output": "str"}}},
    }
    answer = world.ask("POST", JOBS, job_of(nodes), JSON)
    assert (answer.status, answer.json["node"], answer.json["port"]) == (422, "1", "checkpoint")
    assert world.state() == before


def test_a_chunked_body_is_counted_as_it_comes(world: World) -> None:
    before = world.state()
    chunk = b"80000\r\n" + b" " * 0x80000 + b"\r\n"
    head = f"POST {API}/jobs HTTP/1.1\r\nHost: {world.authority}\r\nContent-Type: application/json\r\n"
    answer = world.send_raw(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 65 + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert world.state() == before


@pytest.mark.parametrize("route", [route for route in EVERY if not route.open], ids=lambda r: f"{r.method} {r.path}")
def test_b01_every_route_asks_for_the_token(guarded: World, route: object) -> None:
    path = route.template.replace("{", "").replace("}", "")  # type: ignore[attr-defined]
    for query in ("", f"?token={TOKEN}", f"?code={TOKEN}"):
        answer = guarded.ask(route.method, path + query)  # type: ignore[attr-defined]
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert TOKEN.encode() not in answer.body


def test_b01_so_does_a_path_that_is_no_route(guarded: World) -> None:
    assert guarded.ask("GET", f"{API}/secret").status == 401


@pytest.mark.parametrize("credential", ["", "Bearer", "Bearer wrong", "Basic YTpi", f"Bearer {TOKEN}x", f"{TOKEN}"])
def test_b03_a_wrong_token_is_401(guarded: World, credential: str) -> None:
    assert guarded.ask("GET", f"{API}/health", headers={"Authorization": credential}).status == 401


def test_the_token_opens_every_kind_of_route(guarded: World) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.ask("GET", "/", headers=headers).status == 200
    assert guarded.ask("GET", f"{API}/jobs", headers=headers).status == 200
    assert guarded.send_json("POST", JOBS, {"workflow": workflow("x")}, headers).status == 202


def test_b09_the_printed_address_opens_a_session_once(guarded: World) -> None:
    fixed = {"Cookie": "weft_session=chosen-by-an-attacker"}
    opened = guarded.ask("GET", guarded.login, headers=fixed)
    assert (opened.status, opened.headers["Location"]) == (303, "/")
    cookie, *attributes = opened.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert "chosen-by-an-attacker" not in cookie
    assert guarded.ask("GET", f"{API}/jobs", headers={"Cookie": cookie}).status == 200
    assert guarded.ask("GET", guarded.login).status == 401
    claim, _, signature = cookie.rpartition(".")
    later = claim.rpartition(".")[0] + ".99999999999." + signature
    for forged in (claim, f"{claim}.{'0' * 64}", later, "weft_session=", "weft_session=a.b.c", fixed["Cookie"]):
        assert guarded.ask("GET", f"{API}/jobs", headers={"Cookie": forged}).status == 401


def test_b09_a_cookie_does_not_admit_another_site(guarded: World) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": EVIL}
    assert guarded.send_json("POST", JOBS, {"workflow": workflow("x")}, headers).status == 403


def test_b08_a_forwarded_address_changes_nothing(guarded: World) -> None:
    assert guarded.ask("GET", f"{API}/health", headers={"X-Forwarded-For": "127.0.0.1"}).status == 401


def test_a_bind_to_everywhere_answers_to_digits_and_not_to_foreign_names(guarded: World) -> None:
    token = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.ask("GET", f"{API}/health", headers={**token, "Host": "192.168.7.9:8188"}).status == 200
    for host in ("evil.example", "0.0.0.0:8188", "[::]:8188"):
        assert guarded.ask("GET", f"{API}/health", headers={**token, "Host": host}).status == 421


def test_a18_no_get_changes_anything(world: World) -> None:
    id = world.run(workflow("still life"))
    before = world.state()
    for route in EVERY:
        if route.method == "GET":
            path = route.template.replace("{id}", id).replace("{name}", "default").replace("{path}", "main.js")
            path = path.replace("{revision}", "0" * 40)
            for _ in range(2):
                assert world.ask("GET", path).status < 500
    assert world.state() == before


def test_d06_slow_clients_hold_up_nobody(world: World) -> None:
    async def crowd() -> float:
        halves = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(200)]
        for index, (_, writer) in enumerate(halves):
            body = b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{" if index % 2 else b""
            writer.write(f"POST {JOBS} HTTP/1.1\r\nHost: {world.authority}\r\n".encode() + body)
        begin = time.perf_counter()
        answer = await asyncio.to_thread(world.ask, "GET", f"{API}/health")
        took = time.perf_counter() - begin
        assert answer.status == 200
        for _, writer in halves:
            writer.transport.abort()
        return took

    assert asyncio.run(crowd()) < 5


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of this process from /proc")
def test_d07_a_reader_that_never_reads_costs_one_preview_and_holds_up_nobody(world: World) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    id = world.hold()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", world.port))
        handshake = f"GET {API}/events?job={id} HTTP/1.1\r\nHost: {world.authority}\r\nUpgrade: websocket\r\n"
        keys = "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        deaf.sendall((handshake + keys).encode())
        assert deaf.recv(12) == b"HTTP/1.1 101"
        before = resident()
        world.call(world.worker.flood(previews=2000, size=1 << 16))
        assert world.ask("POST", f"{API}/jobs/{id}/cancel").status == 202
        assert world.ask("GET", f"{API}/jobs/{id}", headers={"Prefer": "wait=20"}).json["state"] == "cancelled"
        assert resident() - before < 64 << 20


def test_c01_a_path_of_many_slashes_names_nothing(world: World) -> None:
    for path in ("//evil.example/", "//etc/passwd", "/api/v1//jobs", f"{JOBS}/", "/%2f", "/web/./main.js", "/."):
        assert world.ask("GET", path).status == 404


NASTY = (
    "%00",
    "%ff%fe",
    "%ed%a0%80",
    "-1",
    "9" * 30,
    "1e9",
    "%0d%0aX:%20y",
    "x" * 5000,
    "%22",
    "..",
    "null",
    "%F0%9F%8D%8E",
)


@pytest.mark.parametrize("value", NASTY, ids=range(len(NASTY)))
def test_no_value_in_a_path_or_query_is_a_fault_of_the_server(world: World, value: str) -> None:
    before = world.state()
    for route in EVERY:
        path = re.sub(r"\{[a-z]+\}", lambda _: value, route.template)
        query = "&".join(f"{each.name}={value}" for each in route.parameters if each.where == "query")
        answer = world.ask(route.method, f"{path}?{query}", b"[]" if route.body else None, JSON if route.body else {})
        assert answer.status < 500, (route.path, answer.body)
    assert world.state() == before
