"""The gallery: pictures of all jobs found by what they were made of, and pictures in small."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from api.thumbs import SIDE
from tests.api.world import API, World, png, workflow


def painted(prompt: str, seed: int = 0) -> dict[str, Any]:
    paint = {"type": "test.Paint", "inputs": {"prompt": prompt, "seed": seed}}
    show = {"type": "test.Show", "inputs": {"value": {"node": "1", "output": "str"}}}
    return {"version": 1, "nodes": {"1": paint, "2": show}}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("gallery")) as world:
        for prompt, seed in (
            ("a red Apple", 1),
            ("a pear, ripe", 22),
            ("熊猫 in the snow", 3),
            ("an apple and a pear", 4),
        ):
            world.run(painted(prompt, seed))
        world.run(workflow("no prompt"))
        yield world


def found(world: World, query: str) -> list[str]:
    answer = world.ask("GET", f"{API}/results?{query}")
    assert answer.status == 200, answer.body
    return [prompt for each in answer.json["results"] for prompt in each["prompts"]]


def test_a_result_that_is_deleted_is_gone_for_every_job_that_had_it(tmp_path: Path) -> None:
    with World(tmp_path) as world:

        def paint() -> str:
            outputs = world.ask("GET", f"{API}/jobs/{world.run(painted('a plum', 5))}").json["outputs"]
            return outputs["2"][0]["url"]

        picture = paint()
        assert paint() == picture
        file = world.folder / "data" / "output" / "out put" / "é-00001.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(8, 8))
        assert len(found(world, "q=plum")) == 2
        assert world.ask("DELETE", picture).status == 204
        assert found(world, "q=plum") == []
        assert world.ask("GET", picture).status == 404
        assert world.ask("DELETE", picture).status == 404
        assert not file.exists()
        for name in ("..%2f..%2fjobs.db", "%2e%2e/jobs.db", "nothing.png"):
            assert world.ask("DELETE", f"{API}/files/output/{name}").status == 404


def test_newest_first_with_what_they_were_made_of(gallery: World) -> None:
    results = gallery.ask("GET", f"{API}/results").json["results"]
    assert [each["prompts"] for each in results][:2] == [[], ["an apple and a pear"]]
    assert results[1]["seeds"] == [4]
    assert results[1]["pictures"] == [
        {
            "node": "2",
            "url": f"{API}/files/output/{quote('out put/é-00001.png')}",
            "media_type": "image/png",
            "width": 8,
            "height": 8,
        }
    ]


@pytest.mark.parametrize(
    ("query", "prompts"),
    [
        ("q=apple", ["an apple and a pear", "a red Apple"]),
        ("q=APPLE+pear", ["an apple and a pear"]),
        (f"q={quote('熊猫')}", ["熊猫 in the snow"]),
        ("q=22", ["a pear, ripe"]),
        ("q=test.Paint", []),
        ("q=%25", []),
        ("q=%22", []),
        ("until=0", []),
        ("since=9999999999999", []),
    ],
)
def test_search(gallery: World, query: str, prompts: list[str]) -> None:
    assert found(gallery, query) == prompts


def test_letters_that_were_sent_escaped_are_found(gallery: World) -> None:
    body = json.dumps({"workflow": painted("ein Bär", 5)}).encode()
    assert b"\\u00e4" in body
    id = gallery.send_json("POST", f"{API}/jobs", body).json["id"]
    gallery.ask("GET", f"{API}/jobs/{id}", headers={"Prefer": "wait=20"})
    assert found(gallery, f"q={quote('BÄR')}") == found(gallery, f"q={quote('bär')}") == ["ein Bär"]


def test_pages_follow_each_other_without_gap_or_overlap(gallery: World) -> None:
    every = [each["job"] for each in gallery.ask("GET", f"{API}/results?limit=200").json["results"]]
    paged: list[str] = []
    cursor = ""
    while True:
        page = gallery.ask("GET", f"{API}/results?limit=2&cursor={cursor}").json
        paged += [each["job"] for each in page["results"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert paged == every


@pytest.mark.parametrize("query", ["limit=x", "cursor=-1", "since=1e3", f"q={'x' * 600}", "q=" + "+".join("a" * 20)])
def test_what_is_no_query_is_refused(gallery: World, query: str) -> None:
    assert gallery.ask("GET", f"{API}/results?{query}").json["code"] == "bad_query"


def stored(world: World, folder: str, name: str, data: bytes) -> str:
    path = world.folder / ("models" if folder == "checkpoints" else "data") / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return f"{API}/thumbnails/{folder}/{quote(name)}"


def encoded(format: str, size: tuple[int, int] = (600, 300), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, (200, 30, 60, 128)[: len(mode)]).save(file, format)
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_in_small(gallery: World, format: str) -> None:
    address = stored(gallery, "output", f"large.{format.lower()}", encoded(format))
    answer = gallery.ask("GET", address)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(answer.body)) as small:
        assert small.size == (SIDE, SIDE // 2)
    assert gallery.ask("GET", address).body == answer.body
    assert gallery.ask("GET", address, headers={"If-None-Match": answer.headers["ETag"]}).status == 304


def test_transparency_stays_and_a_changed_file_is_made_anew(gallery: World) -> None:
    address = stored(gallery, "input", "clear.png", encoded("PNG", mode="RGBA"))
    first = gallery.ask("GET", address)
    with Image.open(io.BytesIO(first.body)) as small:
        assert small.mode == "RGBA"
    stored(gallery, "input", "clear.png", encoded("PNG", (90, 90)))
    second = gallery.ask("GET", address, headers={"If-None-Match": first.headers["ETag"]})
    assert second.status == 200
    with Image.open(io.BytesIO(second.body)) as small:
        assert small.size == (90, 90)


def test_what_is_no_picture_is_refused(gallery: World) -> None:
    assert gallery.ask("GET", stored(gallery, "output", "text.png", b"<svg onload=alert(1)>")).status == 415
    assert gallery.ask("GET", stored(gallery, "output", "cut.png", png(64, 64)[:60])).status == 415
    assert gallery.ask("GET", stored(gallery, "output", "bomb.png", png(16_000, 6_000))).status == 413
    assert gallery.ask("GET", f"{API}/thumbnails/output/none.png").status == 404
    assert gallery.ask("GET", f"{API}/thumbnails/output/..%2F..%2Fjobs.sqlite").status == 404
    assert gallery.ask("GET", f"{API}/thumbnails/secret/none.png").status == 404


def test_damaged_pictures_do_no_harm(gallery: World) -> None:
    chance = random.Random(5)
    for number in range(40):
        data = bytearray(encoded(chance.choice(["PNG", "JPEG", "WEBP", "GIF"]), (64, 64)))
        for _ in range(chance.randint(1, 20)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        assert gallery.ask("GET", stored(gallery, "temp", f"{number}.bin", bytes(data))).status in (200, 413, 415)


def test_the_picture_beside_a_model(gallery: World, tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    model = len(header).to_bytes(8, "little") + header + bytes(4)
    address = stored(gallery, "checkpoints", "style.safetensors", model)
    assert gallery.ask("GET", address).status == 204
    (gallery.folder / "models" / "checkpoints" / "style.png").write_bytes(encoded("PNG", (32, 32)))
    assert gallery.ask("GET", address).status == 200
    secret = tmp_path / "secret.png"
    secret.write_bytes(encoded("PNG"))
    link = stored(gallery, "checkpoints", "other.safetensors", model)
    (gallery.folder / "models" / "checkpoints" / "other.png").symlink_to(secret)
    assert gallery.ask("GET", link).status == 204


def test_the_tokens_of_a_prompt(gallery: World) -> None:
    answer = gallery.send_json("POST", f"{API}/tokens", {"text": "a red"})
    assert answer.json == {"chunks": [[{"text": "a", "weight": 1.0}, {"text": "red", "weight": 1.0}]]}
    assert gallery.send_json("POST", f"{API}/tokens", {"text": 5}).status == 400
