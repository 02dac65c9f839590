"""Live events: positions instead of queues, superseded previews dropped, memory bounded."""

from __future__ import annotations

import asyncio
import json

from jobs import feed as feeds
from jobs.feed import Feed, Feeds, Watch, clip
from jobs.rows import Batch, transition


def batch(first: int, last: int | None = None, type: str = "queued") -> Batch:
    last = last or first
    events = [{"n": n, "type": type, "node": "1", "reason": "r"} for n in range(first, last + 1)]
    return Batch("j", first, last, json.dumps(events))


def preview(n: int, node: str) -> Batch:
    return Batch("j", n, n, json.dumps([{"n": n, "type": "preview", "node": node}]), preview=node)


def numbers(batches: list[Batch], after: int) -> list[int]:
    return [event["n"] for one in batches for event in json.loads(clip(one, after))]


def test_a_reader_gets_what_is_above_its_position() -> None:
    feed = Feed(0)
    feed.publish(batch(1, 3))
    feed.publish(batch(4))
    for after in range(5):
        assert numbers(feed.after(after), after) == list(range(after + 1, 5))


def test_only_the_newest_preview_of_each_node_is_kept() -> None:
    feed = Feed(0)
    for n, node in enumerate("aabab", 1):
        feed.publish(preview(n, node))
    assert numbers(feed.after(0), 0) == [4, 5]


def test_what_is_let_go_of_raises_the_base_and_stays_in_the_summary(monkeypatch) -> None:
    monkeypatch.setattr(feeds, "MAX_HELD", 200)
    feed = Feed(0)
    feed.publish(batch(1, type="started"))
    for n in range(2, 20):
        feed.publish(Batch("j", n, n, json.dumps([{"n": n, "type": "progress", "node": "1", "step": n, "total": 20}])))
    assert feed.base > 1
    assert numbers(feed.after(feed.base), feed.base) == list(range(feed.base + 1, 20))
    assert feed.summary().nodes == {"1": {"state": "running", "reason": "r", "ms": None}}


def test_a_new_attempt_begins_a_new_summary() -> None:
    feed = Feed(0)
    feed.publish(batch(1, type="started"))
    assert set(feed.summary().nodes) == {"1"}
    feed.publish(transition("j", 2, "running", 0))
    assert feed.summary().nodes == {}


def test_readers_are_woken_and_told_of_the_end() -> None:
    async def scenario() -> None:
        hub = Feeds()
        hub.open("j")
        feed = hub.get("j")
        assert feed is not None
        waiting = asyncio.create_task(feed.changed())
        await asyncio.sleep(0)
        hub.tell(transition("j", 1, "done", 0))
        await waiting
        assert feed.ended
        assert hub.get("j") is None

    asyncio.run(scenario())


def test_a_slow_watcher_gets_the_latest_of_each_subject() -> None:
    async def scenario() -> None:
        watch = Watch()
        for subject, text in (("a", "1"), ("b", "2"), ("a", "3")):
            watch.put(subject, text)
        texts = watch.texts()
        assert [await anext(texts), await anext(texts)] == ["2", "3"]
        await texts.aclose()

    asyncio.run(scenario())
