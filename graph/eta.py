"""What a run says of the time it still takes: when it starts, and now and then while it goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from graph.costs import Cost, Costs
from graph.events import Estimate, Event
from graph.forecast import forecast
from graph.live import Live
from graph.node import Resource
from graph.plan import Plan

FEW: Final = 50
"""Nodes to run up to which the first estimate comes at once; with more, only of a run that takes FIRST_S at least."""
FIRST_S: Final = 0.3
EVERY_S: Final = 0.5
SHARE: Final = 0.02
"""How much of the time may go into estimates."""


class Eta:
    """Called under the lock of the run. `ahead` says which nodes will run or do; whoever calls looks at `due` before
    calling `tell`, as most of the time there is nothing to do."""

    def __init__(
        self,
        plan: Plan,
        costs: Costs,
        live: Live,
        limits: Mapping[Resource, int],
        ahead: Callable[[], Sequence[int]],
        emit: Callable[[Event], None],
    ) -> None:
        self.due = math.inf
        self._plan, self._costs, self._live, self._limits = plan, costs, live, dict(limits)
        self._ahead, self._emit = ahead, emit
        self._began = time.perf_counter()
        self._started: dict[int, float] = {}
        self._steps: dict[int, tuple[int, int]] = {}

    def begin(self) -> None:
        """What has to run is known."""
        runs = self._ahead()
        self.due = math.inf if not runs else self._began if len(runs) <= FEW else self._began + FIRST_S
        if self.due <= self._began:
            self.tell(self._began)

    def started(self, i: int, now: float) -> None:
        self._started.setdefault(i, now)

    def step(self, i: int, step: int, total: int) -> None:
        """Node i has taken so many of its steps."""
        self._steps[i] = step, total
        now = time.perf_counter()
        if now >= self.due:
            self.tell(now)

    def tell(self, now: float) -> None:
        """Say how long it will take from now on, if anything is known of it, and set when to say so next."""
        runs = self._ahead()
        costs = self._costs.predict(self._plan, set(runs))
        for i in runs:
            if i in self._started and (left := self._left(i, costs.get(i), now)) is not None:
                costs[i] = left
        ahead = forecast(self._plan, runs, costs, self._limits, self._live)
        elapsed = (now - self._began) * 1000
        if ahead.unknown < len(runs):
            self._emit(Estimate(elapsed + ahead.ms, ahead.ms, max(ahead.peak_bytes, self._live.most), ahead.unknown))
        took = time.perf_counter() - now
        self.due = now + max(EVERY_S, took / SHARE)

    def _left(self, i: int, cost: Cost | None, now: float) -> Cost | None:
        """Of a node that runs: by its own steps where it tells them, which is the better guess."""
        elapsed = (now - self._started[i]) * 1000
        step, total = self._steps.get(i, (0, 0))
        if 0 < step <= total:
            ms = elapsed * (total - step) / step
            return Cost(ms, 0) if cost is None else replace(cost, ms=ms)
        return None if cost is None else replace(cost, ms=max(cost.ms - elapsed, 0.0))
