"""What the engine knows of plain values."""

from __future__ import annotations

from graph.values import PlainTraits


def test_sizes_count_what_is_inside() -> None:
    size = PlainTraits().size
    assert size("a" * 1000) > 1000
    assert size(["a" * 1000, ("b" * 1000, {"c": "d" * 1000})]) > 3000
    assert size([]) < 200


def test_sizes_of_the_endless_end() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert PlainTraits().size(endless) > 0


def test_only_plain_data_has_a_fingerprint() -> None:
    traits = PlainTraits()
    assert traits.fingerprint([1, "x"]) == traits.fingerprint([1, "x"]) != traits.fingerprint([1, "y"])
    assert traits.fingerprint(object()) is None
    assert traits.valid(object())
