"""Picture files in and out: exact values, orientation, transparency, deep and damaged files."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import pytest
import torch
from PIL import Image as Pictures
from PIL import ImageCms
from torch import Tensor

from graph import NO_CONTEXT
from nodes.image import load_image, save_image
from nodes.pictures import MEDIA_TYPES, MOST_PIXELS, encode, encode_jpeg, encode_png, grid
from nodes.types import Image

RAMP = torch.arange(256).view(1, 16, 16).expand(3, -1, -1) / 255


def loaded(path: Path) -> tuple[Tensor, Tensor]:
    image, mask = load_image(path)
    assert image.dtype == mask.dtype == torch.float32
    assert image.shape == (1, 3, *mask.shape[1:])
    return image, mask


def test_every_level_survives_saving_and_loading(tmp_path: Path) -> None:
    path = tmp_path / "ramp.png"
    path.write_bytes(encode_png(RAMP, {}))
    image, mask = loaded(path)
    assert torch.equal(image[0], RAMP)
    assert not mask.any()


def test_values_are_rounded_to_the_nearest_level_and_clamped() -> None:
    values = torch.tensor([-1.0, 0.0, 0.49 / 255, 0.51 / 255, 127.4 / 255, 127.6 / 255, 1.0, 3.0])
    data = encode_png(values.view(1, 1, 8).expand(3, -1, -1), {})
    with Pictures.open(io.BytesIO(data)) as picture:
        assert list(picture.getchannel("G").tobytes()) == [0, 0, 0, 1, 127, 128, 255, 255]


def test_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        encode_png(RAMP * float("nan"), {})


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    upright = Pictures.new("RGB", (40, 20), "white")
    upright.paste("red", (0, 0, 20, 20))
    exif = Pictures.Exif()
    exif[0x0112] = 6
    upright.transpose(Pictures.Transpose.ROTATE_90).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    image, _ = loaded(tmp_path / "photo.jpg")
    assert image.shape == (1, 3, 20, 40)
    assert image[0, :, 10, 5].tolist() == pytest.approx([1, 0, 0], abs=0.05)
    assert image[0, :, 10, 35].tolist() == pytest.approx([1, 1, 1], abs=0.05)


def test_transparency_is_the_mask(tmp_path: Path) -> None:
    picture = Pictures.new("RGBA", (2, 1), (255, 0, 0, 255))
    picture.putpixel((1, 0), (0, 255, 0, 51))
    picture.save(tmp_path / "clear.png")
    image, mask = loaded(tmp_path / "clear.png")
    assert mask[0, 0].tolist() == pytest.approx([0, 0.8])
    assert image[0, :, 0, 1].tolist() == [0, 1, 0]

    palette = Pictures.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 255, 9, 9, 9])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "palette.png", transparency=1)
    image, mask = loaded(tmp_path / "palette.png")
    assert mask[0, 0].tolist() == [0, 1]
    assert image[0, :, 0, 0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_every_kind_of_pixel(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("picture.tiff" if mode in ("CMYK", "F", "1") else "picture.png")
    Pictures.new(mode, (5, 3), 0).save(path)
    image, _ = loaded(path)
    assert image.shape == (1, 3, 3, 5)
    assert torch.equal(image, torch.full_like(image, 1.0 if mode == "CMYK" else 0.0))


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    gray = Pictures.frombytes("I;16", (3, 1), struct.pack("<3H", 0, 32768, 65535))
    gray.save(tmp_path / "gray.png")
    image, _ = loaded(tmp_path / "gray.png")
    assert image[0, 0, 0].tolist() == pytest.approx([0, 32768 / 65535, 1])
    (tmp_path / "colour.png").write_bytes(png(1, 1, 16, 2, struct.pack(">B3H", 0, 65535, 32896, 0)))
    image, _ = loaded(tmp_path / "colour.png")
    assert image[0, :, 0, 0].tolist() == pytest.approx([1, 0.5, 0], abs=0.003)


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [2**13 + 1, 2**14, 2**20])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(png(side, side, 8, 2, b""))
    with pytest.raises(ValueError, match=f"bomb.png: expected at most {MOST_PIXELS} pixels"):
        load_image(tmp_path / "bomb.png")


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    for name, data in (("empty.png", b""), ("text.png", b"hello"), ("vector.png", b"%!PS-Adobe-3.0 EPSF-3.0\n")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=rf"^{name}: expected a picture file \(PNG, JPEG"):
            load_image(tmp_path / name)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "tiff", "bmp"])
def test_damage_is_reported_as_such_wherever_it_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"whole.{suffix}"
    Pictures.frombytes("RGB", (24, 24), bytes(range(256)) * 6 + bytes(192)).save(path)
    whole = path.read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 60)):
        for data in (whole[:position], whole[:position] + b"\xff\x00\xff" + whole[position + 3 :]):
            path.write_bytes(data)
            try:
                image, _ = load_image(path)
            except ValueError as error:
                assert str(error).startswith(path.name)  # noqa: PT017
            else:
                assert image.isfinite().all()


def test_grid_is_read_row_by_row() -> None:
    batch = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 3, 2, 4)
    picture = grid(batch)
    assert picture.shape == (3, 4, 12)
    assert picture[0, ::2, ::4].tolist() == [[0, 1, 2], [3, 4, 0]]
    assert torch.equal(grid(batch[1:2]), batch[1])


def test_jpeg_has_the_width_asked_for() -> None:
    for size in ((16, 16), (512, 256), (1, 300)):
        data = encode_jpeg(torch.rand(3, *size), 256)
        with Pictures.open(io.BytesIO(data)) as picture:
            assert picture.width == 256
            assert picture.height == max(1, round(256 * size[0] / size[1]))


def test_saving_needs_a_run() -> None:
    with pytest.raises(RuntimeError, match="run it in a workflow"):
        save_image(Image(RAMP[None]), ctx=NO_CONTEXT)


@pytest.mark.parametrize(
    ("format", "quality", "error"), [("webp", 100, 0), ("webp", 90, 6), ("jpeg", 95, 2), ("avif", 95, 6)]
)
def test_other_formats_come_back_and_carry_the_workflow(tmp_path: Path, format: str, quality: int, error: int) -> None:
    smooth = torch.stack([RAMP[0], RAMP[0].T, 1 - RAMP[0]])
    document = {"version": 1, "note": "größer 🙂"}
    path = tmp_path / f"x.{format}"
    path.write_bytes(encode(smooth, format, quality, document))
    image, mask = loaded(path)
    assert float((image[0] - smooth).abs().mean()) * 255 <= error + 1e-3
    assert not mask.any()
    with Pictures.open(path) as picture:
        assert Pictures.MIME[picture.format or ""] == MEDIA_TYPES[format]
        assert json.loads(picture.getexif()[0x010E]) == document


def test_a_jpeg_leaves_out_a_workflow_it_has_no_room_for(tmp_path: Path) -> None:
    document = {"note": "x" * 70_000}
    (tmp_path / "x.jpg").write_bytes(encode(RAMP, "jpeg", 90, document))
    with Pictures.open(tmp_path / "x.jpg") as picture:
        assert not picture.getexif()
    with Pictures.open(io.BytesIO(encode(RAMP, "webp", 90, document))) as picture:
        assert json.loads(picture.getexif()[0x010E]) == document
    with pytest.raises(ValueError, match="format: expected one of png, webp, jpeg, avif, got 'gif'"):
        encode(RAMP, "gif", 90, {})


def swapped_profile() -> bytes:
    """sRGB with the primaries of red and green exchanged, and under another name."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    tags = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = (tags[name] + 4 for name in (b"rXYZ", b"gXYZ"))
    profile[red : red + 8], profile[green : green + 8] = profile[green : green + 8], profile[red : red + 8]
    return (
        bytes(profile)
        .replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))
        .replace(b"sRGB built", b"test built")
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_of_another_space_are_brought_to_srgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.png"
    picture = Pictures.new("RGBA" if mode == "RGBA" else "RGB", (4, 2), (200, 30, 60, 51)[: 4 if mode == "RGBA" else 3])
    (picture.quantize() if mode == "P" else picture).save(path, icc_profile=swapped_profile())
    image, mask = loaded(path)
    assert image[0, :, 1, 2].mul(255).tolist() == pytest.approx([30, 200, 60], abs=1.5)
    assert mask[0, 1, 2].item() == pytest.approx(0.8 if mode == "RGBA" else 0.0)


def test_a_profile_that_says_srgb_or_nothing_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    for profile in (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"no profile at all", b""):
        Pictures.new("RGB", (4, 2), (200, 30, 60)).save(path, icc_profile=profile)
        image, _ = loaded(path)
        assert image[0, :, 0, 0].mul(255).tolist() == pytest.approx([200, 30, 60], abs=1e-3)
