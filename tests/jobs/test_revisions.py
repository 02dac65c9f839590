from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from jobs.files import BadName, FileStore
from jobs.hashes import Hashes
from jobs.revisions import DAY, HOUR, LATEST, Revisions, check_name, kept_of, revision_of

NOW = 1_700_000_000_000


def test_the_latest_are_all_kept_and_of_older_ones_ever_fewer() -> None:
    minutes = [NOW - minute * 60_000 for minute in range(60 * 24 * 100)]
    kept = sorted(kept_of(minutes, NOW), reverse=True)
    assert kept[:LATEST] == minutes[:LATEST]
    older = kept[LATEST:]
    assert len([t for t in older if NOW - t < DAY]) in (23, 24, 25)
    assert len([t for t in older if DAY <= NOW - t < 30 * DAY]) in (29, 30)
    assert len([t for t in older if NOW - t >= 30 * DAY]) in (10, 11)


def test_thinning_again_later_keeps_one_of_each_span_whatever_was_thinned_before() -> None:
    moments = sorted(random.Random(5).sample(range(NOW - 40 * DAY, NOW), 2000), reverse=True)
    kept = set[int]()
    for moment in reversed(moments):
        kept = kept_of({*kept, moment}, moment)
    ages = sorted(NOW - t for t in kept)
    assert ages[LATEST - 1] < DAY
    assert len(kept) < LATEST + 26 + 31 + 4
    assert max(b - a for a, b in pairwise(ages) if b < DAY) < 3 * HOUR
    assert max(b - a for a, b in pairwise(ages) if b < 29 * DAY) < 3 * DAY


def test_a_revision_with_a_name_and_the_current_one_are_never_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = Hashes(tmp_path / "h.db")
    revisions = Revisions(FileStore([], tmp_path, hashes))
    clock = iter(range(NOW, NOW + 200 * 1000, 1000))
    monkeypatch.setattr("jobs.revisions.time.time_ns", lambda: next(clock) * 1_000_000)
    named = revisions.add("doc", b"1", "the first")
    old = revisions.add("doc", b"2")
    for number in range(60):
        revisions.add("doc", f"text {number}".encode())
    revisions.thin("doc", old)
    kept = {each.revision for each in revisions.list("doc")}
    assert {named, old, revision_of(b"text 59")} <= kept
    assert len(kept) == LATEST + 2
    hashes.close()


def test_time_that_goes_back_does_not_reorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = Hashes(tmp_path / "h.db")
    revisions = Revisions(FileStore([], tmp_path, hashes))
    for number, moment in enumerate((NOW, NOW - DAY, NOW - 2 * DAY)):
        monkeypatch.setattr("jobs.revisions.time.time_ns", lambda moment=moment: moment * 1_000_000)
        revisions.add("doc", str(number).encode())
    assert [each.revision for each in revisions.list("doc")] == [revision_of(text) for text in (b"2", b"1", b"0")]
    hashes.close()


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "a\u202eb", "\ud800"])
def test_what_cannot_name_a_revision_is_refused(name: str) -> None:
    with pytest.raises(BadName):
        check_name(name)
