"""One place for a worker as the dispatcher sees it: its process, the job it is on, and the questions it was asked."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from jobs.job import WorkerUnavailable
from jobs.placement import Needs
from jobs.protocol import Message
from jobs.rows import Lease
from jobs.supervisor import Loss, Supervisor

CANCEL_GRACE_S = 2.0


@dataclass
class Run:
    """The job a worker is on; `last` is the number of its last event that was heard."""

    lease: Lease
    needs: Needs
    last: int
    cancelled: bool = False
    killer: asyncio.TimerHandle | None = None


class Boss(Protocol):
    """Who is told what the worker of a slot does; called in order, one at a time."""

    async def worker_ready(self, slot: Slot, message: Message) -> None: ...

    async def worker_said(self, slot: Slot, message: Message) -> None: ...

    async def worker_lost(self, slot: Slot, loss: Loss) -> None: ...


class Slot:
    """`taken` while a job is being leased to it or runs on it; `jobs` counts those; `held` is for jobs.placement.
    A slot with a reason in `worn` gets no further job: its worker is replaced as soon as it has none."""

    def __init__(self, number: int, supervisor: Supervisor, boss: Boss) -> None:
        self.number, self.supervisor, self._boss = number, supervisor, boss
        self.ready = self.taken = False
        self.device, self.device_bytes = "", 0
        self.run: Run | None = None
        self.worn: str | None = None
        self.stillborn: Loss | None = None
        self.replaced: str | None = None
        self.held: dict[int, float] = {}
        self.jobs = 0
        self._questions: dict[str, asyncio.Future[bytes]] = {}

    @property
    def free(self) -> bool:
        return self.ready and not self.taken and self.worn is None

    def start(self) -> asyncio.Task[None]:
        return self.supervisor.start(self)

    def begin(self, lease: Lease, needs: Needs) -> Run:
        """From now on the worker is on a job."""
        self.run, self.jobs = Run(lease, needs, lease.event.last), self.jobs + 1
        return self.run

    def cancel(self) -> None:
        """Ask the worker to let go of its job; it is replaced if it does not in time."""
        run = self.run
        if run is None or run.cancelled:
            return
        run.cancelled = True
        self.supervisor.send(Message({"op": "cancel", "job": run.lease.job}))
        kill = partial(self.supervisor.kill, f"the node did not stop within {CANCEL_GRACE_S:.0f} s of the cancellation")
        run.killer = asyncio.get_running_loop().call_later(CANCEL_GRACE_S, kill)

    def ended(self) -> None:
        """The job is over."""
        if self.run is not None and self.run.killer is not None:
            self.run.killer.cancel()
        self.run = None

    def retire(self) -> None:
        """Replace the worker, which has no job."""
        assert self.worn is not None
        self.ready = False
        self.supervisor.retire(self.worn)

    async def ask(self, question: Mapping[str, object], body: bytes) -> bytes:
        """The worker's answer. Raises WorkerUnavailable when it goes away before."""
        id = secrets.token_hex(8)
        answer = self._questions[id] = asyncio.get_running_loop().create_future()
        self.supervisor.send(Message({**question, "id": id}, body))
        try:
            return await answer
        finally:
            del self._questions[id]

    def to_json(self) -> dict[str, Any]:
        """`{"number", "state", "device", "device_bytes", "job", "replaced"}`: `device_bytes` is the memory of the
        device, 0 for the machine's, `job` what it is on, `replaced` why the one before it went; None where there
        is none."""
        state = "ready" if self.ready else "starting"
        job = self.run.lease.job if self.run is not None else None
        where = {"device": self.device, "device_bytes": self.device_bytes}
        return {"number": self.number, "state": state, **where, "job": job, "replaced": self.replaced}

    # What the supervisor tells

    async def worker_ready(self, message: Message) -> None:
        await self._boss.worker_ready(self, message)

    async def worker_said(self, message: Message) -> None:
        match message.op:
            case "answer":
                answer = self._questions.get(str(message.head.get("id")))
                if answer is not None and not answer.done():
                    answer.set_result(message.body)
            case "worn":
                self.worn = str(message.head.get("cause"))
            case _:
                await self._boss.worker_said(self, message)

    async def worker_lost(self, loss: Loss) -> None:
        self.stillborn = None if self.ready or self.worn else loss
        self.ready, self.worn, self.replaced = False, None, loss.cause
        self.held.clear()
        for answer in self._questions.values():
            if not answer.done():
                answer.set_exception(WorkerUnavailable(loss.cause))
        await self._boss.worker_lost(self, loss)
