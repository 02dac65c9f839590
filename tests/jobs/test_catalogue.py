"""The definitions kept for the next start: used while the sources are unchanged, never trusted when damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graph.files import NoFiles
from graph.node import collect
from graph.registry import Registry
from jobs.catalogue import Catalogue
from tests.jobs import nodes

BODY = json.dumps({"nodes": Registry(collect(nodes)).to_json(), "packs": {}}).encode()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "a.py").write_text("one")
    return tmp_path / "nodes"


def test_what_a_worker_sent_is_there_at_the_next_start(tmp_path: Path, source: Path) -> None:
    first = Catalogue(tmp_path / "c.json", [source], NoFiles())
    assert (first.known, first.version, len(first.registry)) == (False, "", 0)
    first.update(BODY)
    second = Catalogue(tmp_path / "c.json", [source], NoFiles())
    assert second.known
    assert second.version == first.version
    assert second.to_json() == first.to_json()
    assert set(second.registry) == {spec.id for spec in collect(nodes)}


def test_changed_sources_make_it_unknown(tmp_path: Path, source: Path) -> None:
    Catalogue(tmp_path / "c.json", [source], NoFiles()).update(BODY)
    (source / "a.py").write_text("two")
    assert not Catalogue(tmp_path / "c.json", [source], NoFiles()).known


@pytest.mark.parametrize("damage", [b"", b"{", b'{"key": 1}\n{}', b"\xff\xff"])
def test_a_damaged_file_is_forgotten(tmp_path: Path, source: Path, damage: bytes) -> None:
    path = tmp_path / "c.json"
    Catalogue(path, [source], NoFiles()).update(BODY)
    head = path.read_bytes().partition(b"\n")[0]
    path.write_bytes(damage or head + b'\n{"nodes": {"x": {}}, "packs": {}}')
    catalogue = Catalogue(path, [source], NoFiles())
    assert not catalogue.known
    catalogue.update(BODY)
    assert catalogue.known
