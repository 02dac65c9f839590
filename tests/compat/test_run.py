"""The command line takes a picture made by ComfyUI and paints what the document one would write by hand paints."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.command import weft
from tests.compat.drawings import Json, text_to_image
from tests.compat.test_convert import BY_HAND


def picture(path: Path, **texts: Json) -> str:
    info = PngInfo()
    for keyword, document in texts.items():
        info.add_text(keyword, json.dumps(document))
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return str(path)


def painted(folder: Path, file: str) -> bytes:
    done = weft("run", file, "--data", str(folder.parent / "data"), "--out", str(folder), "--cache-disk", "0")
    assert done.returncode == 0, done.stderr.decode()
    (path,) = done.stdout.decode().split()
    return Image.open(path).tobytes()


def test_the_same_seed_paints_the_same(tmp_path: Path) -> None:
    drawn, api = text_to_image()
    by_hand = tmp_path / "by-hand.json"
    by_hand.write_text(json.dumps({"version": 1, "nodes": BY_HAND}))
    expected = painted(tmp_path / "a", str(by_hand))
    assert painted(tmp_path / "b", picture(tmp_path / "drawn.png", prompt={"1": {}}, workflow=drawn)) == expected
    assert painted(tmp_path / "c", picture(tmp_path / "api.png", prompt=api)) == expected


def test_what_has_no_counterpart_is_said_and_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.json"
    file.write_text(json.dumps({"1": {"class_type": "Pack Glow", "inputs": {}}}))
    done = weft("validate", str(file), "--data", str(tmp_path / "data"))
    assert done.returncode == 4
    assert b"1 of 1 nodes have no counterpart here and are kept as they are: Pack Glow." in done.stderr
    assert b"Pack Glow" in done.stdout
