"""What is on disk comes back equal, in another process too, or not at all."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from graph.context import OutputFile
from graph.keys import Record
from graph.ledger import Account
from graph.storage import PlainStorage
from graph.tiers.contents import System
from graph.tiers.disk import Disk
from graph.tiers.packing import SMALL
from graph.tiers.tier import Result
from tests.graph.tiers.faults import Faulty

VALUES: Mapping[bytes, dict[str, object]] = {
    b"none": {},
    b"numbers": {"a": 1, "b": True, "c": 1.0, "d": -0.0, "e": float("inf"), "f": 2**200, "g": -(2**63)},
    b"texts": {"a": "", "b": "é\ud800", "c": b"\0\xff", "d": None},
    b"nested": {"a": [1, (2, [3.5, {}]), {"k": b"x", "l": ()}], "files": [OutputFile("a.png", "image/png", 1, 2)]},
    b"large": {"a": b"0123456789" * 5000},
    b"shares": {"a": b"0123456789" * 5000, "b": b"another" * 5000},
    b"text": {"a": "long" * 5000},
}


def result(outputs: dict[str, object], size: int = 100, seconds: float = 1.0) -> Result:
    return Result(outputs, size, seconds)


def put(disk: Disk, key: bytes, made: Result) -> None:
    disk.remember(None, Record(key, {}, made.seconds), made)


@contextmanager
def opened(folder: Path, budget: int = 1 << 20, edition: str = "e", system: System | None = None) -> Iterator[Disk]:
    disk = Disk(folder, Account(budget), PlainStorage(), edition, system)
    try:
        yield disk
    finally:
        disk.close()


def exact(value: object) -> str:
    return repr(value)


def books_agree(disk: Disk, folder: Path) -> None:
    """The account says what rows and files say."""
    with sqlite3.connect(folder / "index.db") as db:
        results = db.execute("SELECT coalesce(sum(size), 0) FROM results").fetchone()[0]
        contents = dict(db.execute("SELECT hash, size FROM contents WHERE data IS NULL").fetchall())
        inline = db.execute("SELECT coalesce(sum(size), 0) FROM contents WHERE data IS NOT NULL").fetchone()[0]
    db.close()
    files = {path.parent.name + path.stem: path.stat().st_size for path in folder.glob("contents/*/*")}
    assert {hash.hex(): size for hash, size in contents.items()} == files
    assert disk.report()["used"] == results + inline + sum(contents.values())


def test_values_come_back_equal_in_another_process(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        for key, outputs in VALUES.items():
            put(disk, key, result(outputs))
            assert disk.get(key) == result(outputs), "what waits can be read"
    with opened(tmp_path) as disk:
        for key, outputs in VALUES.items():
            found = disk.get(key)
            assert found is not None
            assert exact(dict(found.outputs)) == exact(outputs)
            assert (found.size, found.seconds) == (100, 1.0)
        books_agree(disk, tmp_path)
    assert len(list(tmp_path.glob("contents/*/*"))) == 3, "an equal content is there once, small ones have no file"


def test_another_edition_sees_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        put(disk, b"k", result({"a": 1}))
        disk.remember(b"s", Record(b"k", {"a": b"p" * 16}, 1.0))
    with opened(tmp_path, edition="other") as disk:
        assert disk.get(b"k") is None
        assert disk.fresh().records == {}
    with opened(tmp_path) as disk:
        assert disk.hit(b"k")
        assert set(disk.fresh().records) == {b"k"}


def test_processes_share_results_and_records(tmp_path: Path) -> None:
    with opened(tmp_path) as one, opened(tmp_path) as two:
        assert two.fresh().records == {}
        put(one, b"k", result(VALUES[b"large"]))
        one.remember(b"s", Record(b"k", {"a": b"p" * 16}, 2.5))
        one.flush()
        fresh = two.fresh()
        assert fresh.structures == {b"s": b"k"}
        assert list(fresh.records) == [b"k"]
        assert two.fresh().records == {}, "told once"
        assert one.fresh().records == {}, "one's own are no news"
        found = two.get(b"k")
        assert found is not None
        assert found.outputs == VALUES[b"large"]


def test_what_is_made_faster_than_read_is_not_written(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        put(disk, b"cheap", result(VALUES[b"large"], 50_000, 1e-6))
        put(disk, b"dear", result(VALUES[b"large"], 50_000, 0.1))
        put(disk, b"small", result({"a": 1}, 28, 1e-6))
        disk.flush()
        assert [disk.hit(key) for key in (b"cheap", b"dear", b"small")] == [False, True, True]


def test_what_is_alive_stays_away_and_says_so(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        put(disk, b"k", result({"a": [1, threading.Lock()]}))
        disk.flush()
        assert not disk.hit(b"k")
        assert "lock" in (disk.why_alive(b"k") or "")
    with opened(tmp_path) as disk:
        assert "lock" in (disk.why_alive(b"k") or "")
        assert disk.why_alive(b"other") is None


class Trap:
    """Nobody may look into it."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError("trapped")


def test_what_cannot_be_looked_into_costs_no_other_result(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        put(disk, b"k", result({"a": Trap()}))
        put(disk, b"l", result({"a": 1}))
        disk.flush()
        assert (disk.hit(b"k"), disk.hit(b"l"), disk.failures) == (False, True, 1)
        put(disk, b"m", result({"a": 2}))
        disk.flush()
        assert disk.hit(b"m")


def test_bytes_stay_within_the_budget_and_the_dear_stay(tmp_path: Path) -> None:
    """Never above the budget; while a result is written its part comes on top, one value."""
    rng = random.Random(5)
    budget = 200_000
    with opened(tmp_path, budget) as disk:
        put(disk, b"dear", result({"a": rng.randbytes(20_000)}, 20_000, 1000.0))
        for i in range(60):
            put(disk, b"%d" % i, result({"a": rng.randbytes(rng.randrange(1, 60_000))}, 30_000, 1.0))
            if i % 5 == 4:
                disk.flush()
                assert disk.report()["used"] <= budget
                assert sum(path.stat().st_size for path in tmp_path.glob("contents/*/*")) <= budget
        books_agree(disk, tmp_path)
        assert disk.hit(b"dear")
        assert disk.hit(b"59")
        assert not disk.hit(b"0")
        put(disk, b"huge", result({"a": rng.randbytes(budget)}, budget, 1.0))
        disk.flush()
        assert not disk.hit(b"huge")
        assert disk.hit(b"dear")


def test_what_was_read_lately_stays_longer(tmp_path: Path) -> None:
    with opened(tmp_path, 100_000) as disk:
        for i in range(20):
            put(disk, b"%d" % i, result({"a": b"%02d" % i * 10_000}, 20_000, 1.0))
            disk.flush()
            assert disk.get(b"0") is not None
        assert not disk.hit(b"1")


def test_a_dropped_result_takes_its_files_along(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        for key in (b"large", b"shares"):
            put(disk, key, result(VALUES[key]))
        disk.flush()
        disk.drop(b"shares")
        assert disk.get(b"large") == result(VALUES[b"large"])
        books_agree(disk, tmp_path)
        disk.drop(b"large")
        assert list(tmp_path.glob("contents/*/*")) == []


def test_clear_removes_everything(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        for key, outputs in VALUES.items():
            put(disk, key, result(outputs))
            disk.remember(b"s" + key, Record(key, {}, 1.0))
        disk.flush()
        disk.clear()
        assert not any(disk.hit(key) for key in VALUES)
        books_agree(disk, tmp_path)
        assert disk.report()["used"] == 0
    with opened(tmp_path) as disk:
        assert disk.fresh() == ({}, {})


def entries(folder: Path) -> list[tuple[str, bytes]]:
    """Places where a stored result can be damaged: files, contents and rows of the index."""
    with sqlite3.connect(folder / "index.db") as db:
        rows = [("results", key) for (key,) in db.execute("SELECT key FROM results")]
        rows += [("contents", hash) for (hash,) in db.execute("SELECT hash FROM contents WHERE data IS NOT NULL")]
    db.close()
    return [*rows, *(("file", str(path).encode()) for path in sorted(folder.glob("contents/*/*")))]


def flip(folder: Path, entry: tuple[str, bytes], rng: random.Random) -> None:
    kind, name = entry
    if kind == "file":
        path = Path(name.decode())
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        return
    column, key = ("body", "key") if kind == "results" else ("data", "hash")
    with sqlite3.connect(folder / "index.db") as db:
        data = bytearray(db.execute(f"SELECT {column} FROM {kind} WHERE {key} = ?", (name,)).fetchone()[0])
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        db.execute(f"UPDATE {kind} SET {column} = ? WHERE {key} = ?", (bytes(data), name))
    db.close()


@pytest.mark.parametrize("seed", range(5))
def test_every_flipped_bit_is_noticed_and_its_result_dropped(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with opened(tmp_path) as disk:
        for key, outputs in VALUES.items():
            put(disk, key, result(outputs))
        put(disk, b"little", result({"a": b"little" * 10}))
        disk.flush()
        for entry in entries(tmp_path):
            flip(tmp_path, entry, rng)
            found = {key: disk.get(key) for key in VALUES}
            disk.get(b"little")
            assert disk.damaged, entry
            for key, outputs in VALUES.items():
                kept = found[key]
                assert kept is None or exact(dict(kept.outputs)) == exact(outputs)
                put(disk, key, result(outputs))
            put(disk, b"little", result({"a": b"little" * 10}))
            disk.damaged = 0
            disk.flush()
            assert all(disk.hit(key) for key in VALUES), "made again, it is written again"
            books_agree(disk, tmp_path)


def test_a_cut_or_missing_file_is_a_miss(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        for key in (b"large", b"text"):
            put(disk, key, result(VALUES[key]))
        disk.flush()
        one, two = tmp_path.glob("contents/*/*")
        one.unlink()
        two.write_bytes(two.read_bytes()[:-1])
        assert [disk.get(key) for key in (b"large", b"text")] == [None, None]
        books_agree(disk, tmp_path)


def test_a_damaged_index_is_started_anew(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        put(disk, b"k", result(VALUES[b"large"]))
    for path in tmp_path.glob("index.db*"):
        path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with opened(tmp_path) as disk:
        disk.flush()
        assert disk.get(b"k") is None
        put(disk, b"k", result(VALUES[b"large"]))
    with opened(tmp_path) as disk:
        assert disk.hit(b"k")


@pytest.mark.parametrize("while_open", [True, False])
def test_a_damaged_page_of_the_index_costs_what_was_stored_and_no_more(tmp_path: Path, while_open: bool) -> None:
    def damage() -> None:
        with (tmp_path / "index.db").open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(8192)
            file.write(b"\xff" * (size - 8192))

    with opened(tmp_path) as disk:
        for number in range(200):
            put(disk, b"%d" % number, result({"a": b"%d" % number * 300}))
        disk.flush()
        with sqlite3.connect(tmp_path / "index.db") as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        if while_open:
            damage()
            for number in range(200):
                found = disk.get(b"%d" % number) if disk.hit(b"%d" % number) else None
                assert found is None or found.outputs == {"a": b"%d" % number * 300}
            assert disk.fresh() is not None
            assert disk.fact("costs") is None
            put(disk, b"k", result(VALUES[b"large"]))
            disk.flush()
            assert disk.failures > 0
    if not while_open:
        damage()
    with opened(tmp_path) as disk:
        while not disk.tidied:
            time.sleep(0.001)
        put(disk, b"k", result(VALUES[b"large"]))
        disk.flush()
        assert disk.get(b"k") == result(VALUES[b"large"])
        books_agree(disk, tmp_path)


def test_what_a_dead_writer_left_is_swept(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        put(disk, b"k", result(VALUES[b"large"]))
    (tmp_path / "contents" / "00").mkdir()
    stray, old, young = (tmp_path / "contents" / name for name in ("00/11.safetensors", "old.part", "young.part"))
    for path in (stray, old, young):
        path.write_bytes(b"x")
    past = time.time() - 3600
    os.utime(old, (past, past))
    with opened(tmp_path) as disk:
        assert disk.hit(b"k")
    assert [path.exists() for path in (stray, old, young)] == [False, False, True]


def scenario(folder: Path, system: Faulty) -> None:
    """Fill a small disk twice over, with results that share contents; whatever fails fails silently."""
    disk = Disk(folder, Account(150_000), PlainStorage(), "e", system)
    disk.flush()
    while not disk.tidied:
        time.sleep(0.001)
    system.armed = True
    for round in range(2):
        for key, outputs in VALUES.items():
            put(disk, key, result(outputs))
            disk.remember(b"s" + key, Record(key, dict.fromkeys(outputs, b"p" * 16), 1.0))
        put(disk, b"%d" % round, result({"a": b"%d" % round * 60_000}, 100, 0.1))
        disk.flush()
    disk.drop(b"large")
    system.armed = False
    check(disk)
    if not system.dead:
        disk.close()


def check(disk: Disk) -> None:
    try:
        for key, outputs in VALUES.items():
            found = disk.get(key)
            assert found is None or exact(dict(found.outputs)) == exact(outputs)
    except BaseException as error:
        if type(error).__name__ != "Killed":
            raise


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("how", ["full", "broken", "kill"])
def test_wherever_a_write_fails_nothing_wrong_is_left(tmp_path: Path, how: str) -> None:
    """The n-th call that changes the disk fails, for every n (each in turn with WEFT_LONG set, else one of eleven);
    another process then finds no wrong state."""
    every = 1 if os.environ.get("WEFT_LONG") else 11
    healthy = Faulty(0, how)
    scenario(tmp_path / "healthy", healthy)
    assert healthy.calls > 50
    for at in range(1 + random.randrange(every), healthy.calls + 1, every):
        folder = tmp_path / str(at)
        system = Faulty(at, how)
        try:
            scenario(folder, system)
        except BaseException as error:
            if type(error).__name__ != "Killed":
                raise
        with opened(folder, 150_000) as disk:
            check(disk)
            for key, outputs in VALUES.items():
                put(disk, key, result(outputs, seconds=5.0))
            disk.flush()
            assert all(disk.get(key) == result(outputs, seconds=5.0) for key, outputs in VALUES.items())
            books_agree(disk, folder)
            assert disk.report()["used"] <= 150_000
        assert how == "kill" or list(folder.glob("contents/*.part")) == []


def test_32_threads_that_ask_for_one_result(tmp_path: Path) -> None:
    with opened(tmp_path) as disk:
        put(disk, b"k", result(VALUES[b"shares"]))
    with opened(tmp_path) as disk:
        found: list[Result | None] = []
        barrier = threading.Barrier(32)

        def ask() -> None:
            barrier.wait()
            found.append(disk.get(b"k"))

        threads = [threading.Thread(target=ask) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [each.outputs for each in found if each is not None] == [VALUES[b"shares"]] * 32


def test_processes_that_evict_each_others_results_never_see_a_wrong_one(tmp_path: Path) -> None:
    """Two writers on one small disk, the same keys and shared contents."""
    rng = random.Random(3)
    with opened(tmp_path, 120_000) as one, opened(tmp_path, 120_000) as two:
        for _ in range(40):
            disk = rng.choice((one, two))
            number = rng.randrange(8)
            put(disk, b"%d" % number, result({"a": b"%d" % number * 20_000, "b": b"same" * SMALL}, 100, rng.random()))
            if rng.random() < 0.5:
                disk.flush()
            for reader in (one, two):
                asked = rng.randrange(8)
                found = reader.get(b"%d" % asked)
                assert found is None or found.outputs["a"] == b"%d" % asked * 20_000
        one.flush()
        two.flush()
        books_agree(one, tmp_path)
        assert one.failures == two.failures == 0
