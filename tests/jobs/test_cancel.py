"""A running job that is cancelled stops at the next step of its node, and what ran before is kept."""

from __future__ import annotations

import asyncio

from tests.jobs.conftest import Bench, document


def test_no_step_begins_after_the_one_that_was_on(bench) -> None:
    async def scenario(bench: Bench) -> None:
        steps = ("Steps", {"value": "@1", "count": 1000, "seconds": 0.5})
        id = await bench.jobs.submit(document({"1": ("Number", {}), "2": steps, "3": ("Show", {"value": "@2"})}))
        first = await bench.until(id, "progress")
        assert await bench.jobs.cancel(id) == "running"
        events = await bench.events(id)
        assert [event["step"] for event in events if event["type"] == "progress"][-1] <= first["step"] + 1
        assert (events[-1]["state"], (await bench.jobs.get(id)).error) == ("cancelled", None)
        assert (await bench.nodes(id))["1"]["state"] == "ran"

    bench(scenario)


def test_why_a_worker_had_to_go_is_told_with_the_cancellation(bench) -> None:
    async def scenario(bench: Bench) -> None:
        stuck = {"1": ("Number", {}), "2": ("End", {"value": "@1", "how": "spin"}), "3": ("Show", {"value": "@2"})}
        id = await bench.jobs.submit(document(stuck))
        await asyncio.sleep(0.5)
        assert await bench.jobs.cancel_all([id, id]) == {id: "running"}
        (end,) = [event for event in await bench.events(id) if event.get("state") == "cancelled"]
        assert end["reason"] == "the node did not stop within 2 s of the cancellation"

    bench(scenario)
