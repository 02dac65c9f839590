from __future__ import annotations

import base64
import gzip
import hashlib
import re
from pathlib import Path

import pytest

from api.page import LANGUAGES
from tests.api.world import API, World

WEB = Path(__file__).parents[2] / "web"


def test_f04_the_page_allows_no_inline_script_and_no_frame(world: World) -> None:
    page = world.ask("GET", "/")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    (imports,) = re.findall(rb'<script type="importmap">(.*?)</script>', page.body)
    proof = base64.b64encode(hashlib.sha256(imports).digest()).decode()
    expected = {
        "default-src 'none'",
        f"script-src 'self' 'sha256-{proof}'",
        "style-src 'self'",
        "frame-ancestors 'none'",
    }
    assert expected <= set(policy.split("; "))
    assert "require-trusted-types-for 'script'" in policy
    again = world.ask("GET", "/", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status, again.headers["Content-Security-Policy"]) == (304, policy)


def test_a_module_is_sent_small_and_only_once(world: World) -> None:
    plain = world.ask("GET", "/web/main.js")
    assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert plain.headers["Cache-Control"] == "no-cache"
    zipped = world.ask("GET", "/web/main.js", headers={"Accept-Encoding": "gzip, br"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body
    assert len(zipped.body) < len(plain.body) / 5
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    known = {"Accept-Encoding": "gzip", "If-None-Match": zipped.headers["ETag"]}
    again = world.ask("GET", "/web/main.js", headers=known)
    assert (again.status, again.body) == (304, b"")


def test_a_change_of_a_module_is_seen_at_once(world: World) -> None:
    tag = world.ask("GET", "/web/main.js").headers["ETag"]
    path = world.folder / "page" / "main.js"
    path.write_text(path.read_text() + "// changed\n")
    assert world.ask("GET", "/web/main.js", headers={"If-None-Match": tag}).status == 200


def test_what_is_of_the_current_edition_is_never_asked_for_again(world: World) -> None:
    index = world.folder / "page" / "index.html"
    index.write_text('<script src="/web/main.js"></script>')
    (edition,) = re.findall(rb'src="/web/(\w+)/main.js"', world.ask("GET", "/").body)
    address = f"/web/{edition.decode()}/main.js"
    assert "immutable" in world.ask("GET", address).headers["Cache-Control"]
    (world.folder / "page" / "main.js").write_text("export const answer = 7;\n")
    (other,) = re.findall(rb'src="/web/(\w+)/main.js"', world.ask("GET", "/").body)
    assert other != edition
    old, current = world.ask("GET", address), world.ask("GET", address.replace(edition.decode(), other.decode()))
    assert (b"= 7;" in old.body, old.headers["Cache-Control"]) == (True, "no-cache")
    assert (b"= 7;" in current.body, "immutable" in current.headers["Cache-Control"]) == (True, True)


@pytest.mark.parametrize(("asked", "spoken"), [("zh-CN,zh;q=0.9", "zh"), ("en-GB", "en"), ("fr", "en"), ("", "en")])
def test_what_the_page_asks_for_first_is_named_with_it(world: World, asked: str, spoken: str) -> None:
    (world.folder / "page" / "index.html").write_text('<script src="/web/main.js"></script>')
    page = world.ask("GET", "/", headers={"Accept-Language": asked})
    (edition,) = re.findall(rb'src="/web/(\w+)/main.js"', page.body)
    links = [each.split("; ", 1) for each in page.headers["Link"].split(", ")]
    code = [f"</web/{edition.decode()}/{name}>" for name in ("main.js", f"strings/{spoken}.js")]
    assert [target for target, kind in links if kind == "rel=modulepreload"] == code
    data = [target[1:-1] for target, kind in links if kind == "rel=preload; as=fetch; crossorigin"]
    assert data == [f"{API}/{name}" for name in ("health", "nodes", "models")]
    assert {world.ask("GET", path).status for path in data} == {200}


def test_what_has_no_answer_yet_is_not_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.jobs.catalogue, "_version", "")
    assert world.ask("GET", f"{API}/nodes").status == 503
    assert "nodes" not in world.ask("GET", "/").headers["Link"]


def test_the_server_knows_the_languages_of_the_page() -> None:
    assert sorted(LANGUAGES) == sorted(each.name for each in (WEB / "strings").iterdir())


def test_a_folder_of_style_sheets_is_one(world: World) -> None:
    style = world.folder / "page" / "style"
    style.mkdir()
    (style / "b.css").write_text("b {}")
    (style / "a.css").write_text("a {}")
    (style / "c.txt").write_text("c {}")
    assert world.ask("GET", "/web/style.css").body == b"a {}\nb {}"
    for path in ("style.html", "style", "none.css", "../style.css"):
        assert world.ask("GET", f"/web/{path}").status == 404


def test_of_a_pack_only_its_folder_for_the_page_is_sent(world: World) -> None:
    assert world.ask("GET", f"{API}/extensions").json == {"packs": ["tint"]}
    sent = world.ask("GET", "/packs/tint/index.js")
    assert (sent.status, sent.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    known = {"If-None-Match": sent.headers["ETag"]}
    assert world.ask("GET", "/packs/tint/index.js", headers=known).status == 304
    for path in (
        "__init__.py",
        "../__init__.py",
        "..%2fsecret.js",
        "secret.js",
        "page.html",
        "none.js",
        "../../x/index.js",
    ):
        assert world.ask("GET", f"/packs/tint/{path}").status == 404, path


def test_every_answer_carries_the_security_headers(world: World) -> None:
    for path in ("/", "/web/main.js", "/api/v1/health", "/api/v1/none", "/none"):
        headers = world.ask("GET", path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_without_a_token_the_login_address_is_the_page(world: World) -> None:
    assert world.login == "/"
    assert world.ask("GET", "/login?code=x").headers["Location"] == "/"
