from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.api.world import API, Answer, World, png, workflow

PNG = {"Content-Type": "image/png"}


def upload(world: World, name: str, content: bytes) -> Answer:
    return world.ask("POST", f"{API}/files?name={quote(name)}", content, PNG)


def test_an_upload_comes_back_as_it_was(world: World) -> None:
    answer = upload(world, "äpfel (1).png", png(9, 5))
    assert answer.status == 201
    told = answer.json
    assert (told["name"], told["media_type"], told["width"], told["height"]) == ("äpfel (1).png", "image/png", 9, 5)
    assert answer.headers["Location"] == told["url"]
    back = world.ask("GET", told["url"])
    assert (back.status, back.body, back.headers["Content-Type"]) == (200, png(9, 5), "image/png")
    assert back.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert back.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_an_uploaded_name_can_be_used_in_a_workflow(world: World) -> None:
    name = upload(world, "used.png", png()).json["name"]
    shown = {"type": "test.Show", "inputs": {"value": {"node": "3", "output": "str"}}}
    nodes = {"3": {"type": "test.Picture", "inputs": {"image": name}}, "4": shown}
    world.run(workflow("x", **nodes))


def test_c10_an_upload_replaces_nothing(world: World) -> None:
    first = upload(world, "same.png", png(4, 4)).json["name"]
    second = upload(world, "same.png", png(5, 5)).json["name"]
    again = upload(world, "same.png", png(4, 4)).json["name"]
    assert (first, again) == ("same.png", "same.png")
    assert second != first
    assert world.ask("GET", f"{API}/files/input/{first}").body == png(4, 4)
    assert world.ask("GET", f"{API}/files/input/{second}").body == png(5, 5)


def test_content_decides_the_ending_of_a_name(world: World) -> None:
    assert upload(world, "page.html", png(3, 3)).json["name"] == "page.png"
    assert upload(world, "noending", png(3, 3)).json["name"] == "noending.png"


def test_a_form_uploads_too(world: World) -> None:
    def form(field: str) -> Answer:
        head = f'--b\r\nContent-Disposition: form-data; name="{field}"; filename="form.png"\r\n\r\n'
        body = head.encode() + png(6, 6) + b"\r\n--b--\r\n"
        return world.ask("POST", f"{API}/files", body, {"Content-Type": "multipart/form-data; boundary=b"})

    assert (form("file").status, form("file").json["name"]) == (201, "form.png")
    assert form("other").json["code"] == "bad_form"


def test_ranges_and_revalidation(world: World) -> None:
    content = png(64, 64)
    url = upload(world, "ranged.png", content).json["url"]
    whole = world.ask("GET", url)
    tag = whole.headers["ETag"]
    assert not tag.startswith("W/")
    assert whole.headers["Accept-Ranges"] == "bytes"
    for asked, start, stop in (("0-9", 0, 10), ("10-", 10, None), ("-7", -7, None), ("5-100000", 5, None)):
        part = world.ask("GET", url, headers={"Range": f"bytes={asked}"})
        assert (part.status, part.body) == (206, content[start:stop])
        first = start % len(content) if start < 0 else start
        assert part.headers["Content-Range"] == f"bytes {first}-{first + len(part.body) - 1}/{len(content)}"
    for asked in ("bytes=100000-", "bytes=9-2", "bytes=a-b", "bytes=0-1,3-4"):
        assert world.ask("GET", url, headers={"Range": asked}).status == 416
    assert world.ask("GET", url, headers={"If-None-Match": tag}).status == 304
    assert world.ask("GET", url, headers={"If-None-Match": '"other"'}).status == 200
    assert world.ask("GET", url, headers={"Range": "bytes=0-9", "If-Range": tag}).status == 206
    assert world.ask("GET", url, headers={"Range": "bytes=0-9", "If-Range": '"old"'}).status == 200
    head = world.ask("HEAD", url)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(content)))


@pytest.mark.parametrize("ending", ["svg", "html", "xml", "pdf", "py", "png"])
def test_c11_what_is_no_picture_is_a_download_whatever_its_name(world: World, ending: str) -> None:
    (world.folder / "data" / "output" / f"stored.{ending}").write_bytes(b"<script>alert(1)</script>")
    answer = world.ask("GET", f"{API}/files/output/stored.{ending}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == f"attachment; filename*=UTF-8''stored.{ending}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_c13_a_strange_name_stays_one_header_line(world: World) -> None:
    name = "it's ü 100% (ok), fine;.png"
    answer = world.ask("GET", upload(world, name, png(7, 7)).json["url"])
    expected = "inline; filename*=UTF-8''it%27s%20%C3%BC%20100%25%20%28ok%29%2C%20fine%3B.png"
    assert answer.headers.get_all("Content-Disposition") == [expected]


@pytest.mark.skipif(os.name == "nt", reason="Windows asks for a privilege to make symbolic links")
def test_c05_a_link_out_of_a_folder_is_not_followed(world: World, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    output = world.folder / "data" / "output"
    (output / "link.png").symlink_to(tmp_path / "secret.png")
    (output / "folder").symlink_to(tmp_path)
    try:
        assert world.ask("GET", f"{API}/files/output/link.png").status == 404
        assert world.ask("GET", f"{API}/files/output/folder/secret.png").status == 404
    finally:
        (output / "link.png").unlink()
        (output / "folder").unlink()


def test_models_are_listed_by_folder(world: World) -> None:
    folder = world.folder / "models" / "checkpoints" / "sub"
    folder.mkdir(parents=True)
    (folder / "apple.safetensors").write_bytes(b"weights")
    (folder / "notes.txt").write_bytes(b"notes")
    assert world.ask("GET", f"{API}/models").json["checkpoints"] == ["sub/apple.safetensors"]


def test_a_model_is_found_by_its_content_where_its_name_is_not_here(world: World) -> None:
    folder = world.folder / "models" / "loras"
    folder.mkdir(parents=True)
    for name, value in (("one", 1), ("other", 2)):
        head = json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
        (folder / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + bytes([value]))
    (folder / "lies.safetensors").write_bytes(bytes(len((folder / "one.safetensors").read_bytes())))
    known = world.ask("GET", f"{API}/models/loras/other.safetensors").json
    assert known["size"] == (folder / "other.safetensors").stat().st_size
    asked = f"{API}/models/loras/sub/renamed.safetensors?size={known['size']}&hash={known['hash']}"
    assert world.ask("GET", asked).json == known
    assert world.ask("GET", asked.replace(f"hash={known['hash']}", "hash=00")).status == 204
    assert world.ask("GET", asked.replace("/loras/", "/vae/")).status == 204
    for path in ("loras/renamed.safetensors", "loras/lies.safetensors", "input/x.safetensors"):
        assert world.ask("GET", f"{API}/models/{path}").status == 204


def test_the_catalogue_lists_the_uploads_there_are_now(world: World) -> None:
    """And is sent again only for that."""
    known = {"If-None-Match": world.ask("GET", f"{API}/nodes").headers["ETag"]}
    same = world.ask("GET", f"{API}/nodes", headers=known)
    assert (same.status, same.body) == (304, b"")
    name = upload(world, "choice.png", png(2, 2)).json["name"]
    catalogue = world.ask("GET", f"{API}/nodes", headers=known).json
    widget = catalogue["nodes"]["test.Picture"]["inputs"][0]["widget"]
    assert name in widget["options"]
    assert json.dumps(catalogue["version"])
