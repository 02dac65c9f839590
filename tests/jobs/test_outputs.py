"""Results: whole files under names counted up, never one over another, however many write at once."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph import Context
from jobs.outputs import OutputWriter
from tests.graph.lab import Lab, document, entry

WRITERS, EACH = 64, 5


@pytest.fixture
def writer(tmp_path: Path) -> OutputWriter:
    (tmp_path / "output").mkdir()
    (tmp_path / "temp").mkdir()
    return OutputWriter(tmp_path / "output", tmp_path / "temp")


def save(writer: OutputWriter, data: bytes = b"x", prefix: str = "weft", media_type: str = "image/png") -> str:
    return writer.save(data, prefix=prefix, media_type=media_type, width=1, height=1, temporary=False).name


def test_names_count_up_from_what_is_there(writer: OutputWriter, tmp_path: Path) -> None:
    (tmp_path / "output" / "weft-00041.png").touch()
    (tmp_path / "output" / "weft-other-00099.png").touch()
    assert [save(writer), save(writer, media_type="image/jpeg")] == ["weft-00042.png", "weft-00043.jpg"]
    assert save(writer, prefix="sets/one") == "sets/one-00001.png"


def test_a_name_that_appears_meanwhile_is_skipped(writer: OutputWriter, tmp_path: Path) -> None:
    save(writer)
    (tmp_path / "output" / "weft-00002.png").write_text("someone else's")
    assert save(writer) == "weft-00003.png"
    assert (tmp_path / "output" / "weft-00002.png").read_text() == "someone else's"


def test_temporary_files_go_elsewhere(writer: OutputWriter, tmp_path: Path) -> None:
    file = writer.save(b"x", prefix="p", media_type="text/plain", width=3, height=4, temporary=True)
    assert (file.folder, file.width, file.height, file.media_type) == ("temp", 3, 4, "text/plain")
    assert (tmp_path / "temp" / file.name).read_bytes() == b"x"


@pytest.mark.parametrize("prefix", ["", "../x", "/x", "a/../../x", "con", "x" * 250, ".x"])
def test_a_prefix_that_leaves_the_folder_is_refused(writer: OutputWriter, prefix: str) -> None:
    with pytest.raises(ValueError):
        save(writer, prefix=prefix)


def test_a_linked_folder_that_leaves_the_root_is_refused(writer: OutputWriter, tmp_path: Path) -> None:
    (tmp_path / "output" / "out").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="leaves"):
        save(writer, prefix="out/x")


def test_an_unknown_media_type_is_refused(writer: OutputWriter) -> None:
    with pytest.raises(ValueError, match="expected a media type"):
        save(writer, media_type="text/html")


def test_a_failing_disk_leaves_no_file(writer: OutputWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        save(writer)
    assert list((tmp_path / "output").iterdir()) == []


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        ("os.fsync", errno.ENOSPC, "the disk of {} is full; make room on it, then run again"),
        ("pathlib.Path.open", errno.ENOSPC, "the disk of {} is full; make room on it, then run again"),
        ("os.fsync", errno.EDQUOT, "the disk of {} is full; make room on it, then run again"),
        (
            "pathlib.Path.open",
            errno.EROFS,
            "the disk of {} can only be read; make it writable or start Weft with other folders, then run again",
        ),
        (
            "pathlib.Path.open",
            errno.EACCES,
            "Weft is not allowed to use {}; let the account it runs under read and write there, then run again",
        ),
    ],
)
def test_a_node_that_cannot_write_says_where_and_what_to_do(
    writer: OutputWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, says: str
) -> None:
    def refused(file: Path | int, *_: object) -> None:
        raise OSError(code, os.strerror(code), *([str(file)] if isinstance(file, Path) else []))

    monkeypatch.setattr(call, refused)
    outcome = Lab(context=Context(save=writer.save)).run(document(out=entry("Save", value=1)))
    assert outcome.error is not None
    assert outcome.error.message == says.format(tmp_path / "output")
    assert outcome.error.type in ("OSError", "PermissionError")


def test_many_threads_and_processes_get_distinct_names(writer: OutputWriter, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from jobs.outputs import OutputWriter;"
        f"o = OutputWriter(Path({str(tmp_path / 'output')!r}), Path({str(tmp_path / 'temp')!r}));"
        "facts = dict(prefix='weft', media_type='text/plain', width=1, height=1, temporary=False);"
        f"[o.save(b'p', **facts) for _ in range({EACH})]"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    threads = [
        threading.Thread(target=lambda: [save(writer, b"t", media_type="text/plain") for _ in range(EACH)])
        for _ in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait() for process in processes] == [0, 0]
    contents = [path.read_bytes() for path in (tmp_path / "output").iterdir()]
    assert len(contents) == (2 + WRITERS) * EACH
    assert sorted(contents) == [b"p"] * (2 * EACH) + [b"t"] * (WRITERS * EACH)


def test_pieces_become_one_file_and_what_breaks_off_leaves_none(writer: OutputWriter, tmp_path: Path) -> None:
    saved = writer.save(
        (bytes([n]) for n in range(3)),
        prefix="checkpoints/mix",
        media_type="application/x-safetensors",
        width=0,
        height=0,
        temporary=False,
    )
    assert saved.name == "checkpoints/mix-00001.safetensors"
    assert (tmp_path / "output" / saved.name).read_bytes() == b"\0\1\2"

    def broken() -> Iterator[bytes]:
        yield b"x"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        writer.save(broken(), prefix="mix", media_type="text/plain", width=0, height=0, temporary=False)
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["checkpoints"]
