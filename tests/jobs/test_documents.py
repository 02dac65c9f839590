"""Workflows on the command line: from files, pictures and changes, with errors that say what to do."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import pytest

from graph.workflow import load
from jobs.documents import PNG, BadAssignment, BadDocument, assign, read_workflow

DOCUMENT = {"version": 1, "nodes": {"1": {"type": "T", "inputs": {"a": 1}}, "x.y": {"type": "T"}}, "ü": "€"}
TEXT = json.dumps(DOCUMENT, ensure_ascii=False).encode()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes) -> bytes:
    return PNG + b"".join([chunk(b"IHDR", bytes(13)), *chunks, chunk(b"IEND", b"")])


CARRIED = {
    "tEXt": chunk(b"tEXt", b"workflow\0" + json.dumps(DOCUMENT).encode()),
    "zTXt": chunk(b"zTXt", b"workflow\0\0" + zlib.compress(json.dumps(DOCUMENT).encode())),
    "iTXt": chunk(b"iTXt", b"workflow\0\0\0en\0\0" + TEXT),
    "iTXt compressed": chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(TEXT)),
}


def workflow_in(tmp_path: Path, data: bytes) -> object:
    path = tmp_path / "file"
    path.write_bytes(data)
    return read_workflow(str(path), io.BytesIO()).document


def test_a_json_file_and_standard_input(tmp_path: Path) -> None:
    assert workflow_in(tmp_path, TEXT) == DOCUMENT
    assert read_workflow("-", io.BytesIO(TEXT)).document == DOCUMENT


@pytest.mark.parametrize("kind", CARRIED)
def test_a_picture_that_carries_its_workflow(tmp_path: Path, kind: str) -> None:
    assert workflow_in(tmp_path, png(chunk(b"tEXt", b"Author\0me"), CARRIED[kind])) == DOCUMENT


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[" * 200_000, "nesting"),
        (b"\xff\xfe", "utf-8"),
        (b'{"version": 1}', "nodes"),
        (png(), "carries no workflow"),
        (png(CARRIED["tEXt"])[:-8], "cut short"),
        (png(CARRIED["tEXt"])[:60], "cut short"),
        (png(CARRIED["tEXt"].replace(b"version", b"Version")), "wrong checksum"),
        (png(chunk(b"zTXt", b"workflow\0\0not compressed")), "damaged"),
        (png(chunk(b"iTXt", b"workflow\0")), "damaged"),
        (png(chunk(b"tEXt", b"workflow\0{")), "JSON"),
    ],
)
def test_what_is_no_workflow_is_refused_with_the_reason(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(BadDocument, match=message):
        workflow_in(tmp_path, data)


def test_values_are_json_or_else_text() -> None:
    changed = assign(load(DOCUMENT), ["1.a=2.5", "1.b=a cat", "x.y.c=true", '1.d="7"', "1.e=", "1.f=x=y"])
    assert changed.nodes["1"]["inputs"] == {"a": 2.5, "b": "a cat", "d": "7", "e": "", "f": "x=y"}
    assert changed.nodes["x.y"]["inputs"] == {"c": True}
    assert DOCUMENT["nodes"]["1"]["inputs"] == {"a": 1}


@pytest.mark.parametrize("bad", ["1.a", "a=1", "=1", ".a=1", "1.=1", "2.a=1"])
def test_an_assignment_that_names_no_input_is_refused(bad: str) -> None:
    with pytest.raises(BadAssignment, match=r"--set"):
        assign(load(DOCUMENT), [bad])
