"""What is kept, what leaves first, and what is still known of it."""

from __future__ import annotations

from graph.cache import Cache, Memory, Result
from graph.values import PlainTraits

KB = 1024


def result(size: int, seconds: float) -> Result:
    return Result({"x": size}, size - Memory.OVERHEAD, seconds)


def test_what_is_cheap_to_make_again_leaves_first() -> None:
    tier = Memory(3 * KB)
    tier.put(b"dear", result(KB, 9.0))
    tier.put(b"cheap", result(KB, 0.1))
    tier.put(b"middling", result(KB, 1.0))
    assert [key for key, _ in tier.put(b"next", result(KB, 5.0))] == [b"cheap"]
    assert [key for key, _ in tier.put(b"more", result(KB, 5.0))] == [b"middling"]


def test_what_is_large_for_its_cost_leaves_first() -> None:
    tier = Memory(6 * KB)
    tier.put(b"large", result(4 * KB, 1.0))
    tier.put(b"small", result(KB, 0.5))
    assert [key for key, _ in tier.put(b"next", result(2 * KB, 1.0))] == [b"large"]


def test_of_equals_the_one_unused_for_longest_leaves_first() -> None:
    tier = Memory(3 * KB)
    for key in (b"a", b"b", b"c"):
        tier.put(key, result(KB, 1.0))
    assert [key for key, _ in tier.put(b"d", result(KB, 1.0))] == [b"a"]
    assert tier.get(b"b") is not None
    assert [key for key, _ in tier.put(b"e", result(KB, 1.0))] == [b"c"]


def test_what_was_dear_long_ago_leaves_in_the_end() -> None:
    tier = Memory(2 * KB)
    tier.put(b"dear", result(KB, 10.0))
    left: list[bytes] = []
    for i in range(30):
        left += [key for key, _ in tier.put(b"%d" % i, result(KB, 1.0))]
    assert left.index(b"dear") > 5


def test_bytes_stay_within_the_budget() -> None:
    tier = Memory(10 * KB)
    for i in range(200):
        tier.put(b"%d" % (i % 17), result(KB + 13 * (i % 29), 0.01 * (i % 7)))
        assert tier.used <= tier.budget
    held = [key for i in range(17) if (tier.hit(key := b"%d" % i))]
    assert tier.used == sum(found.size + Memory.OVERHEAD for key in held if (found := tier.get(key)))


def test_what_is_larger_than_the_budget_is_not_kept() -> None:
    tier = Memory(2 * KB)
    tier.put(b"a", result(KB, 1.0))
    assert [key for key, _ in tier.put(b"b", result(3 * KB, 1.0))] == [b"b"]
    assert tier.hit(b"a")


def test_a_result_stored_again_counts_once() -> None:
    tier = Memory(2 * KB)
    for _ in range(3):
        assert tier.put(b"a", result(KB, 1.0)) == []
    assert tier.used == KB


def test_what_leaves_a_tier_falls_into_the_next_and_comes_back() -> None:
    fast, slow = Memory(2 * KB), Memory(100 * KB)
    cache = Cache([fast, slow], PlainTraits())
    first = cache.put(b"s1", b"v1", {"x": "a" * KB}, 1.0)
    second = cache.put(b"s2", b"v2", {"x": "b" * KB}, 1.0)
    assert (fast.hit(b"v1"), slow.hit(b"v1")) == (False, True)
    assert cache.get(first) == {"x": "a" * KB}
    assert (fast.hit(b"v1"), fast.hit(b"v2")) == (True, False)
    assert cache.get(second) == {"x": "b" * KB}


def test_a_record_outlives_its_values() -> None:
    cache = Cache([Memory(0)], PlainTraits())
    record = cache.put(b"s", b"v", {"x": 1, "y": object()}, 1.0)
    assert cache.find(b"s") == cache.known(b"v") == record
    assert not cache.holds(record)
    assert cache.get(record) is None
    assert set(record.fingerprints) == {"x", "y"}


def test_equal_values_have_equal_fingerprints_whoever_made_them() -> None:
    cache = Cache([Memory(KB)], PlainTraits())
    one, two = cache.put(b"s", b"v", {"x": 1}, 1.0), cache.put(b"t", b"w", {"y": 1}, 1.0)
    assert one.fingerprints["x"] == two.fingerprints["y"]
    live, other = cache.put(b"s", b"v", {"x": object()}, 1.0), cache.put(b"t", b"w", {"x": object()}, 1.0)
    assert live.fingerprints["x"] != other.fingerprints["x"]


def test_the_oldest_records_are_forgotten() -> None:
    cache = Cache([Memory(KB)], PlainTraits(), remembered=10)
    for i in range(25):
        cache.put(b"s%d" % i, b"v%d" % i, {}, 1.0)
    assert cache.find(b"s0") is cache.known(b"v0") is None
    assert cache.find(b"s24") is not None
    assert sum(cache.known(b"v%d" % i) is not None for i in range(25)) <= 10
