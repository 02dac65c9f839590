"""All workers of this server: how many there are, whether one is ready, and what they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs import placement
from jobs.job import WorkerState, WorkerUnavailable
from jobs.recovery import ATTEMPTS
from jobs.rows import compact
from jobs.slot import Boss, Slot
from jobs.supervisor import Supervisor


@dataclass(frozen=True)
class Workers:
    """How workers are had: `supply` makes the supervisor of the one with a number; `count` None is one per device, as
    the first one tells. A job whose worker dies is given to another, until it was lost `attempts` times."""

    supply: Callable[[int], Supervisor]
    count: int | None = None
    attempts: int = ATTEMPTS


class Staff:
    """Workers that answer to `boss`; `tell` gets the event of each change, as text."""

    def __init__(self, workers: Workers, boss: Boss, tell: Callable[[str], None]) -> None:
        self._workers, self._boss, self._tell = workers, boss, tell
        self._turn = asyncio.Event()
        self.slots: list[Slot] = []

    def start(self, died: Callable[[asyncio.Task[None]], object]) -> None:
        """Start the workers that are known to be wanted; `died` is told should one never be started again."""
        self._died = died
        self._grow(self._workers.count or 1)

    async def stop(self) -> None:
        await asyncio.gather(*(slot.supervisor.stop() for slot in self.slots))

    def found(self, devices: int) -> None:
        """A worker has found that there are as many devices: have one on each, unless a number was asked for."""
        if self._workers.count is None:
            self._grow(devices)

    def turned(self) -> None:
        """Wake who waits for a worker, and tell of the change."""
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()
        self._tell(self.event())

    def event(self) -> str:
        return compact([{"type": "worker", "state": self.state, "workers": self.to_json()}])

    @property
    def state(self) -> WorkerState:
        """ "ready" when one worker is."""
        return "ready" if any(slot.ready for slot in self.slots) else "starting"

    def to_json(self) -> list[dict[str, Any]]:
        """Each as `Slot.to_json` has it."""
        return [slot.to_json() for slot in self.slots]

    def free(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.free]

    def on(self, job: str) -> Slot | None:
        """The slot whose worker is on a job."""
        return next((slot for slot in self.slots if slot.run is not None and slot.run.lease.job == job), None)

    async def ready(self) -> Sequence[Slot]:
        """The slots whose worker is ready, once there is one. Raises WorkerUnavailable when all die before they are."""
        while not (ready := [slot for slot in self.slots if slot.ready]):
            losses = [slot.stillborn for slot in self.slots]
            if (loss := losses[0]) is not None and None not in losses:
                raise WorkerUnavailable(f"{loss.cause}: {' | '.join(loss.stderr[-3:])}")
            await self._turn.wait()
        return ready

    async def ask(self, question: Mapping[str, object], body: bytes) -> list[bytes]:
        """The answer of the worker that holds most of what `body`, a workflow, needs. Raises WorkerUnavailable."""
        ready = await self.ready()
        chosen = ready[0] if len(ready) == 1 else placement.best(ready, placement.needs(body.decode()))
        return [await chosen.ask(question, body)]

    async def ask_all(self, question: Mapping[str, object]) -> list[bytes]:
        """The answers of all workers that are ready, at least one. Raises WorkerUnavailable."""
        return await asyncio.gather(*(slot.ask(question, b"") for slot in await self.ready()))

    def _grow(self, count: int) -> None:
        for number in range(len(self.slots), count):
            slot = Slot(number, self._workers.supply(number), self._boss)
            self.slots.append(slot)
            slot.start().add_done_callback(self._died)
