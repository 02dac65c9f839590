"""The data folder: where it lies by default, and that one server has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.home import HomeLock, HomeTaken, default_home, server_of

HOME = Path("/home/me")


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {}, HOME / ".local/share/weft"),
        ("linux", {"XDG_DATA_HOME": "/data"}, Path("/data/weft")),
        ("linux", {"XDG_DATA_HOME": "relative"}, HOME / ".local/share/weft"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, HOME / "Library/Application Support/weft"),
        ("win32", {}, HOME / "AppData/Local/weft"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/weft")),
        ("linux", {"WEFT_HOME": "/portable", "XDG_DATA_HOME": "/data"}, Path("/portable")),
    ],
)
def test_the_default_follows_the_platform(platform: str, environ: dict[str, str], expected: Path) -> None:
    assert default_home(platform, environ, HOME) == expected


def test_a_second_server_is_told_who_has_the_folder(tmp_path: Path) -> None:
    assert server_of(tmp_path) is None
    lock = HomeLock(tmp_path)
    lock.tell("http://127.0.0.1:1")
    with pytest.raises(HomeTaken, match=rf"http://127.0.0.1:1 \(process {os.getpid()}\)"):
        HomeLock(tmp_path)
    assert server_of(tmp_path) == "http://127.0.0.1:1"
    lock.release()
    assert server_of(tmp_path) is None
    HomeLock(tmp_path).release()


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys, os; from pathlib import Path; from jobs.home import HomeLock;"
        f"lock = HomeLock(Path({str(tmp_path)!r})); lock.tell('x'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    assert server_of(tmp_path) is None
    HomeLock(tmp_path).release()
