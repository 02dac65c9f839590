"""What is told live: the numbered events of one job to any number of readers, and the transitions of all jobs.

A reader holds a position, not a queue. A feed keeps only the newest preview of each node, so a reader that falls
behind misses superseded previews and nothing else.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager

from jobs.job import TERMINAL
from jobs.rows import Batch
from jobs.summary import Summary

MAX_HELD = 4 << 20
"""Characters of events a feed keeps in memory; older ones are read from the database."""


class Feed:
    """The events of one unfinished job above number `base`; earlier ones are in the database."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.last = base
        self.ended = False
        self._batches: dict[int, Batch] = {}
        self._previews: dict[str, int] = {}
        self._held = 0
        self._summary = Summary()
        self._summed = base
        self._news = asyncio.Event()

    def publish(self, batch: Batch) -> None:
        self._batches[batch.first] = batch
        self._held += len(batch.body)
        self.last = batch.last
        if batch.preview is not None:
            superseded = self._previews.pop(batch.preview, None)
            if superseded is not None:
                self._drop(superseded)
            self._previews[batch.preview] = batch.first
        self._trim()
        self.ended = batch.state in TERMINAL
        self._wake()

    def after(self, position: int) -> list[Batch]:
        """The batches that hold an event above `position`, oldest first."""
        newest_first: list[Batch] = []
        for batch in reversed(self._batches.values()):
            if batch.last <= position:
                break
            newest_first.append(batch)
        return newest_first[::-1]

    async def changed(self) -> None:
        """Return at the next publication."""
        await self._news.wait()

    def summary(self) -> Summary:
        """The state of each node in the present attempt; what came since the last call is folded in now."""
        for batch in self.after(self._summed):
            self._sum(batch)
        return self._summary

    def _sum(self, batch: Batch) -> None:
        if batch.preview is None:
            for event in json.loads(batch.body):
                self._summary.fold(event)
        self._summed = batch.last

    def _trim(self) -> None:
        while self._held > MAX_HELD and len(self._batches) > 1:
            oldest = next(iter(self._batches.values()))
            if oldest.first > self._summed:
                self._sum(oldest)
            self.base = max(self.base, oldest.last)
            self._drop(oldest.first)

    def _drop(self, first: int) -> None:
        batch = self._batches.pop(first)
        self._held -= len(batch.body)
        if batch.preview is not None and self._previews.get(batch.preview) == first:
            del self._previews[batch.preview]

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class Watch:
    """One reader of all transitions: the latest of each subject since it last looked."""

    def __init__(self) -> None:
        self._pending: dict[str, str] = {}
        self._news = asyncio.Event()

    def put(self, subject: str, text: str) -> None:
        self._pending.pop(subject, None)
        self._pending[subject] = text
        self._news.set()

    async def texts(self) -> AsyncIterator[str]:
        while True:
            await self._news.wait()
            self._news.clear()
            pending, self._pending = self._pending, {}
            for text in pending.values():
                yield text


class Feeds:
    """The feeds of all unfinished jobs, and who watches all of them."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self._watches: set[Watch] = set()

    def open(self, job: str, base: int = 0) -> None:
        self._feeds[job] = Feed(base)

    def get(self, job: str) -> Feed | None:
        """The feed of a job that has not ended."""
        return self._feeds.get(job)

    def tell(self, batch: Batch) -> None:
        """Publish what was recorded; the feed of a job goes with its last transition."""
        self._feeds[batch.job].publish(batch)
        if batch.state is not None:
            self.tell_watchers(batch.job, batch.body)
        if batch.state in TERMINAL:
            del self._feeds[batch.job]

    def tell_watchers(self, subject: str, text: str) -> None:
        for watch in self._watches:
            watch.put(subject, text)

    @contextmanager
    def watching(self) -> Generator[Watch]:
        watch = Watch()
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)


def clip(batch: Batch, after: int) -> str:
    """The text of `batch` without its events up to number `after`."""
    if batch.first > after:
        return batch.body
    kept = [event for event in json.loads(batch.body) if event["n"] > after]
    return json.dumps(kept, separators=(",", ":"))
