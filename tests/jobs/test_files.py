"""The one way from a client's name to a file: what is refused, what is found, and that nothing outside is reached."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.files import PART, BadName, FileStore, NoSuchFile, parts_of, publish, remove_leftovers, replace_file
from jobs.hashes import Hashes

BAD = [
    "",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a/./b",
    "a//b",
    "a/",
    "C:\\x",
    "C:x",
    "\\\\host\\share",
    "a\\b",
    "a\0b",
    "a\nb",
    "x.",
    "x ",
    " x",
    "a /b",
    ".hidden",
    ".git/config",
    "con",
    "CON.png",
    "lpt1",
    "a/nul.txt",
    "x:stream",
    "what?",
    "a*",
    "é" * 128,
    "x" * 256,
    "\ud800",
]


@pytest.fixture
def store(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    for root in (first, second):
        (root / "checkpoints" / "sub").mkdir(parents=True)
    (first / "checkpoints" / "a.safetensors").write_text("first a")
    (second / "checkpoints" / "a.safetensors").write_text("second a")
    (second / "checkpoints" / "sub" / "b.safetensors").write_text("second b")
    (second / "checkpoints" / "notes.txt").write_text("no weights")
    (tmp_path / "secret").write_text("secret")
    hashes = Hashes(tmp_path / "hashes.db")
    yield FileStore([first, second], tmp_path / "data", hashes)
    hashes.close()


@pytest.mark.parametrize("name", BAD)
def test_names_that_can_name_nothing_are_refused(store: FileStore, name: str) -> None:
    for ask in (store.path, store.open, store.fingerprint):
        with pytest.raises(BadName):
            ask("checkpoints", name)


@given(st.text(max_size=40))
def test_an_accepted_name_stays_below_its_folder(name: str) -> None:
    try:
        parts = parts_of(name)
    except BadName:
        return
    path = os.path.normpath(os.path.join("/root", *parts))  # noqa: PTH118
    assert path.startswith("/root/")
    assert path == "/root/" + name


def test_the_first_root_that_has_a_name_wins(store: FileStore) -> None:
    assert store.names("checkpoints") == ["a.safetensors", "sub/b.safetensors"]
    assert store.path("checkpoints", "a.safetensors").read_text() == "first a"
    with store.open("checkpoints", "sub/b.safetensors") as file:
        assert file.read() == b"second b"


def test_what_is_not_there_is_said_to_be_not_there(store: FileStore) -> None:
    with pytest.raises(NoSuchFile, match=r"no file 'c\.safetensors' in 'checkpoints'"):
        store.path("checkpoints", "c.safetensors")
    with pytest.raises(NoSuchFile):
        store.path("checkpoints", "sub")
    with pytest.raises(BadName, match="the folders are"):
        store.path("elsewhere", "x")


@pytest.mark.parametrize("through", ["file", "folder"])
def test_a_link_that_leaves_the_root_is_no_file(store: FileStore, tmp_path: Path, through: str) -> None:
    folder = tmp_path / "first" / "checkpoints"
    name = "x.safetensors"
    if through == "file":
        (folder / name).symlink_to(tmp_path / "secret")
    else:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / name).write_text("secret")
        (folder / "out").symlink_to(tmp_path / "outside")
        name = f"out/{name}"
    with pytest.raises(NoSuchFile):
        store.open("checkpoints", name)
    assert name not in store.names("checkpoints")


def test_a_link_inside_the_root_is_followed(store: FileStore, tmp_path: Path) -> None:
    folder = tmp_path / "first" / "checkpoints"
    (folder / "alias.safetensors").symlink_to(folder / "a.safetensors")
    with store.open("checkpoints", "alias.safetensors") as file:
        assert file.read() == b"first a"
    assert "alias.safetensors" in store.names("checkpoints")


def test_an_upload_is_there_whole_and_never_replaces_another(store: FileStore) -> None:
    def upload(data: bytes) -> str:
        incoming = store.receive()
        incoming.write(data)
        assert store.names("input") == before
        return incoming.keep("x.png")

    before: list[str] = []
    assert upload(b"one") == "x.png"
    before = ["x.png"]
    assert upload(b"one") == "x.png"
    assert upload(b"two") == "x-2.png"
    before = ["x-2.png", "x.png"]
    assert upload(b"three") == "x-3.png"
    assert store.path("input", "x.png").read_bytes() == b"one"


def test_a_discarded_upload_leaves_nothing(store: FileStore) -> None:
    incoming = store.receive()
    incoming.write(b"half")
    incoming.discard()
    assert list(store.root("input").iterdir()) == []


def test_leftovers_are_removed_and_nothing_else(store: FileStore, tmp_path: Path) -> None:
    hour, day = 3600, 24 * 3600
    ages = {
        f"output/.half{PART}": 2 * hour,
        f"output/.now{PART}": 0,
        "output/old.png": 90 * day,
        "temp/old.png": 2 * day,
        "temp/new.png": 2 * hour,
    }
    for name, age in ages.items():
        path = tmp_path / "data" / name
        path.write_text("x")
        os.utime(path, (time.time() - age,) * 2)
    remove_leftovers(tmp_path / "data")
    left = {name for name in ages if (tmp_path / "data" / name).exists()}
    assert left == {f"output/.now{PART}", "output/old.png", "temp/new.png"}


def test_publishing_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    part, target = tmp_path / ".part", tmp_path / "target"
    part.write_text("later")
    target.write_text("earlier")
    assert not publish(part, target)
    assert (part.read_text(), target.read_text()) == ("later", "earlier")
    target.unlink()
    assert publish(part, target)
    assert (part.exists(), target.read_text()) == (False, "later")


def test_replacing_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "document"
    replace_file(path, b"one")

    def full(_descriptor: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        replace_file(path, b"two")
    assert [entry.name for entry in tmp_path.iterdir()] == ["document"]
    assert path.read_bytes() == b"one"
