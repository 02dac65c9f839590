"""Content hashes: right after every kind of change, remembered across processes, and not trusted too early."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from jobs.hashes import SETTLED_NS, Hashes


@pytest.fixture
def hashes(tmp_path: Path):
    memory = Hashes(tmp_path / "hashes.db")
    yield memory
    memory.close()


def age(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file count as unchanged for long enough."""
    later = time.time_ns() + 2 * SETTLED_NS
    monkeypatch.setattr(time, "time_ns", lambda: later)


def test_equal_content_has_equal_hashes(hashes: Hashes, tmp_path: Path) -> None:
    for name, text in (("a", "same"), ("b", "same"), ("c", "other")):
        (tmp_path / name).write_text(text)
    a, b, c = (hashes.of(tmp_path / name) for name in "abc")
    assert a == b != c


def test_a_file_replaced_with_equal_name_size_and_mtime_has_another_hash(
    hashes: Hashes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    path.write_text("one")
    stat = path.stat()
    age(path, monkeypatch)
    before = hashes.of(path)
    path.write_text("two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert hashes.of(path) != before


def test_a_settled_file_is_read_once(hashes: Hashes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model"
    path.write_text("x")
    age(path, monkeypatch)
    first = hashes.of(path)
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("the file was read again"))
    assert hashes.of(path) == first
    other = Hashes(tmp_path / "hashes.db")
    assert other.of(path) == first
    other.close()


def test_a_file_changed_just_now_is_not_remembered(hashes: Hashes, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_text("one")
    first = hashes.of(path)
    stat = path.stat()
    path.write_text("two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert hashes.of(path) != first


def test_a_damaged_memory_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "hashes.db").write_bytes(b"\xff" * 4096)
    (tmp_path / "model").write_text("x")
    memory = Hashes(tmp_path / "hashes.db")
    assert len(memory.of(tmp_path / "model")) == 40
    memory.close()
