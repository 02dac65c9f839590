"""What the cache holds, told and cleared over HTTP."""

from __future__ import annotations

from tests.api.world import API, World


def test_the_cache_is_told_by_tier(world: World) -> None:
    answer = world.ask("GET", f"{API}/cache")
    assert answer.json == {"tiers": {tier: {"budget": 9, "used": 5, "results": 1} for tier in ("host", "disk")}}


def test_one_tier_is_cleared_or_all(world: World) -> None:
    used = [world.ask("DELETE", f"{API}/cache{query}").json["tiers"] for query in ("?tier=disk", "")]
    assert [{tier: account["used"] for tier, account in tiers.items()} for tiers in used] == [
        {"host": 5, "disk": 0},
        {"host": 0, "disk": 0},
    ]


def test_a_tier_there_is_none_of_is_refused(world: World) -> None:
    answer = world.ask("DELETE", f"{API}/cache?tier=tape")
    assert (answer.status, answer.json["code"]) == (400, "bad_query")
