"""Safetensors: what is read, and everything that is refused."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from diffusion.header import LONGEST_HEADER, MOST_TENSORS, BadWeights, read_header
from diffusion.weights import Weights


def entry(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def packed(header: Any, data: bytes = bytes(8)) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


class Attack:
    """Unpickling an instance creates a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self.canary,)


REFUSED = {
    "empty file": b"",
    "seven bytes": bytes(7),
    "length beyond the file": struct.pack("<Q", 1000) + b"{}",
    "length 2^63": struct.pack("<Q", 2**63) + b"{}",
    "length 2^64-1": struct.pack("<Q", 2**64 - 1) + b"{}",
    "length over the limit": struct.pack("<Q", LONGEST_HEADER + 1) + b"{}",
    "length 0": struct.pack("<Q", 0),
    "no JSON": packed(b"{nonsense"),
    "no UTF-8": packed(b'{"\xff\xfe": 1}'),
    "200,000 deep": packed(b"[" * 200_000),
    "number of 5000 digits": packed(b'{"a": ' + b"9" * 5000 + b"}"),
    "offset true": packed({"a": entry("U8", (1,), (False, True))}),
    "a list": packed([entry()]),
    "no tensors": packed({}, b""),
    "too many tensors": packed({str(n): 0 for n in range(MOST_TENSORS + 1)}),
    "name twice": packed(b'{"a": %b, "a": %b}' % ((json.dumps(entry()).encode(),) * 2)),
    "metadata no object": packed({"__metadata__": [], "a": entry()}),
    "metadata no text": packed({"__metadata__": {"k": 1}, "a": entry()}),
    "entry no object": packed({"a": 1}),
    "entry without offsets": packed({"a": {"dtype": "F32", "shape": [2]}}),
    "three offsets": packed({"a": entry(offsets=(0, 4, 8))}),
    "offsets of text": packed({"a": entry(offsets=("0", "8"))}),
    "unknown dtype": packed({"a": entry("F33")}),
    "dtype no text": packed({"a": {"dtype": 1, "shape": [2], "data_offsets": [0, 8]}}),
    "negative size": packed({"a": entry(shape=(-2,))}),
    "two negative sizes": packed({"a": entry(shape=(-2, -1))}),
    "size no integer": packed({"a": entry(shape=(2.0,))}),
    "size true": packed({"a": entry(shape=(True, 2))}),
    "size NaN": packed(b'{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}'),
    "product overflows 64 bits": packed({"a": entry(shape=(2**33, 2**33))}),
    "nine dimensions": packed({"a": entry(shape=(1,) * 8 + (2,))}),
    "sizes of 4000 digits": packed({"a": entry(shape=(10**3999, 10**3999))}),
    "offset of 4000 digits": packed({"a": entry(offsets=(10**3999, 10**3999 + 8))}),
    "name of a megabyte": packed({"a" * 2**20: entry("F33")}),
    "dtype of a megabyte": packed({"a": entry("F" * 2**20)}),
    "dtype of other width": packed({"a": entry("F16")}),
    "offsets backwards": packed({"a": entry(offsets=(8, 0))}),
    "offset negative": packed({"a": entry(offsets=(-8, 0))}),
    "offset 2^63": packed({"a": entry(offsets=(2**63, 2**63 + 8))}),
    "past the end": packed({"a": entry(shape=(4,), offsets=(0, 16))}),
    "overlap": packed({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)),
    "same bytes twice": packed({"a": entry(), "b": entry()}),
    "gap": packed({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20)),
    "gap at the start": packed({"a": entry(offsets=(4, 12))}, bytes(12)),
    "bytes after the end": packed({"a": entry()}, bytes(9)),
    "truncated data": packed({"a": entry()}, bytes(7)),
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(100),
    "gzip": b"\x1f\x8b\x08" + bytes(100),
    "GGUF": b"GGUF" + bytes(100),
    "web page": b"<!DOCTYPE html><html></html>",
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\n",
    "pickle, protocol 0": pickle.dumps({"a": 1}, protocol=0),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(REFUSED[case])
    with pytest.raises(BadWeights, match=r"x\.safetensors: ") as refused:
        read_header(path)
    assert refused.value.path == path
    assert len(str(refused.value)) < 300
    with pytest.raises(BadWeights):
        Weights.open(path)


@pytest.mark.parametrize(
    "name", ["model.ckpt", "model.safetensors", "model.SAFETENSORS", "model.bin", "model.pt", "model"]
)
@pytest.mark.parametrize("protocol", [*range(pickle.HIGHEST_PROTOCOL + 1), "torch zip", "stored zip"])
def test_a_pickle_never_runs_under_any_name(name: str, protocol: int | str, tmp_path: Path) -> None:
    path, canary = tmp_path / name, tmp_path / "canary"
    if protocol == "torch zip":
        torch.save(Attack(canary), path)
    elif protocol == "stored zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Attack(canary)))
    else:
        assert isinstance(protocol, int)
        path.write_bytes(pickle.dumps(Attack(canary), protocol=protocol))
    with pytest.raises(BadWeights):
        Weights.open(path)
    assert not canary.exists()


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match="expected a file"):
        read_header(tmp_path)
    with pytest.raises(BadWeights, match="no such file"):
        read_header(tmp_path / "absent.safetensors")


def test_a_header_is_refused_by_its_length_alone(tmp_path: Path) -> None:
    """A sparse file with a header of 100 MB: nothing past the first 8 bytes is touched."""
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 100_000_000))
        file.truncate(200_000_000)
    with pytest.raises(BadWeights, match="no length of a header"):
        read_header(path)


TENSORS = {
    "a.float32": torch.randn(3, 5),
    "a.float16": torch.randn(4).half(),
    "a.bfloat16": torch.randn(2, 2).bfloat16(),
    "b.e4m3": torch.randn(3).to(torch.float8_e4m3fn),
    "b.e5m2": torch.randn(5).to(torch.float8_e5m2),
    "b.int64": torch.arange(3),
    "b.bool": torch.tensor([True, False]),
    "b.scalar": torch.tensor(2.5),
    "b.empty": torch.empty(0, 4),
}


def test_every_tensor_comes_back_as_it_was_written(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "x.safetensors", {"who": "me"})
    weights = Weights.open(tmp_path / "x.safetensors")
    assert weights.header.metadata == {"who": "me"}
    assert weights.keys() == TENSORS.keys()
    for name, expected in TENSORS.items():
        assert weights[name].dtype == expected.dtype
        assert weights.shapes[name] == tuple(expected.shape) == tuple(weights[name].shape)
        assert torch.equal(weights[name].double(), expected.double())


def test_a_prefix_is_cut_off(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "x.safetensors")
    part = Weights.open(tmp_path / "x.safetensors").with_prefix("a.")
    assert set(part) == set(part.shapes) == {"float32", "float16", "bfloat16"}
    assert part.dtypes == {torch.float32, torch.float16, torch.bfloat16}
    assert torch.equal(part["float32"], TENSORS["a.float32"])


def test_unaligned_tensors_are_read(tmp_path: Path) -> None:
    values = torch.randn(2)
    data = b"\x01" + values.numpy().tobytes()
    header = {"odd": entry("U8", (1,), (0, 1)), "float": entry(offsets=(1, 9))}
    raw = json.dumps(header).encode()
    (tmp_path / "x.safetensors").write_bytes(packed(raw + b" " * (-len(raw) % 8), data))
    assert torch.equal(Weights.open(tmp_path / "x.safetensors")["float"], values)


def test_a_write_never_reaches_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(4)}, path)
    before = path.read_bytes()
    Weights.open(path)["a"].zero_()
    assert path.read_bytes() == before


def test_scaled_float8_is_multiplied_out(tmp_path: Path) -> None:
    weight, scale = torch.randn(4, 4).to(torch.float8_e4m3fn), torch.tensor(0.37)
    tensors = {
        "m.fc.weight": weight,
        "m.fc.scale_weight": scale,
        "m.fc.scale_input": torch.tensor(1.0),
        "m.fc.bias": torch.randn(4),
        "m.scaled_fp8": torch.empty(0).to(torch.float8_e4m3fn),
    }
    save_file(tensors, tmp_path / "x.safetensors")
    part = Weights.open(tmp_path / "x.safetensors").with_prefix("m.")
    assert set(part) == {"fc.weight", "fc.bias"}
    assert torch.equal(part["fc.weight"], weight.float() * scale)
    assert torch.equal(part["fc.bias"], tensors["m.fc.bias"])


def test_a_scale_is_one_number(tmp_path: Path) -> None:
    save_file({"a.weight": torch.ones(4, 1), "a.scale_weight": torch.ones(1, 4)}, tmp_path / "x.safetensors")
    with pytest.raises(BadWeights, match=r"scale of tensor 'a\.weight': expected one number, got \[1, 4\]"):
        Weights.open(tmp_path / "x.safetensors")["a.weight"]


def test_identity_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(4)}, path)
    first = read_header(path).identity
    assert read_header(path).identity == first
    path.unlink()
    save_file({"a": torch.zeros(4)}, path)
    assert read_header(path).identity != first
