"""Keeps one worker process alive: starts it, hears it, notices its end, says why it ended, starts the next."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jobs import recorder
from jobs.protocol import BrokenFrame, Message, encode, receive
from jobs.strays import VARIABLE, end_strays

START_LIMIT_S = 180.0
STOP_GRACE_S = 2.0
STEADY_S = 10.0
RETIRE_GRACE_S = 10.0
"""How long a worker that is replaced for no fault has to write what waits to be written."""
REAP_S = 0.1
LONGEST_PAUSE_S = 30.0
PAUSE_AFTER_READY_S = 1.0
"""The longest pause after a worker that had been ready: a job killed it, and the next job waits."""
STDERR_LINES = 30
ECHO_PER_S = 1 << 18
"""Bytes of worker output passed on each second; a node that prints more is cut."""
STDERR_WIDTH = 500


@dataclass(frozen=True)
class Loss:
    """Why a worker went: one sentence, and the last lines it wrote to stderr. `wanted`: it was told to go."""

    cause: str
    stderr: Sequence[str]
    wanted: bool = False


class Listener(Protocol):
    """Who is told what the worker does; called in order, one at a time."""

    async def worker_ready(self, message: Message) -> None: ...

    async def worker_said(self, message: Message) -> None: ...

    async def worker_lost(self, loss: Loss) -> None: ...


class Supervisor:
    """Owns the worker process started by `argv` (plus `--recorder FILE`); `echo` gets what it writes to stderr.

    `record` is of this worker alone: processes it leaves behind are told by it, also by the next server.
    """

    def __init__(self, argv: Sequence[str], record: Path, echo: Callable[[bytes], object]) -> None:
        self._argv = [*argv, "--recorder", str(record)]
        self._record, self._echo, self._mark = record, echo, str(record.resolve())
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._doom: str | None = None
        self._retired: asyncio.TimerHandle | None = None
        self._was_ready = False

    @property
    def worker(self) -> str:
        """A name for the present worker process."""
        return f"pid {self._process.pid}" if self._process else "none"

    def start(self, listener: Listener) -> asyncio.Task[None]:
        """The task that keeps the worker alive; it ends with `stop`."""
        self._task = asyncio.create_task(self._keep(listener), name="supervisor")
        return self._task

    async def stop(self) -> None:
        """Ask the worker to leave, kill it after STOP_GRACE_S, and wait until it is gone."""
        self._stopping.set()
        self.send(Message({"op": "stop"}))
        if self._task is not None:
            killer = asyncio.get_running_loop().call_later(STOP_GRACE_S, self.kill, "stopped by the server")
            await self._task
            killer.cancel()

    def send(self, message: Message) -> None:
        """Write one message; to a dead or not yet started worker it is lost, as its end is told by `worker_lost`."""
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(encode(message))

    def kill(self, cause: str) -> None:
        """End the worker and whatever it started now; `cause` is what its loss will say."""
        if self._process is not None and self._process.returncode is None:
            self._doom = cause
            _kill_group(self._process)

    def retire(self, cause: str) -> None:
        """Have the worker, which has nothing to do, end, and start the next one at once."""
        self.send(Message({"op": "stop"}))
        self._doom = cause
        self._retired = asyncio.get_running_loop().call_later(RETIRE_GRACE_S, self.kill, cause)

    def last_node(self, job: str) -> str | None:
        """The last node the worker started in `job`; also true of a worker that is dead."""
        return recorder.last_node(self._record, job)

    async def _keep(self, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        pause = 0.0
        while not self._stopping.is_set():
            began = loop.time()
            loss = await self._one_life(listener)
            await listener.worker_lost(loss)
            steady = loop.time() - began > STEADY_S
            longest = PAUSE_AFTER_READY_S if self._was_ready else LONGEST_PAUSE_S
            pause = 0.0 if steady or loss.wanted else min(max(0.25, pause * 2), longest)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _one_life(self, listener: Listener) -> Loss:
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(end_strays, self._mark)
        self._doom, self._retired, self._was_ready = None, None, False
        pipe = asyncio.subprocess.PIPE
        try:
            recorder.prepare(self._record)
            transport, protocol = await loop.subprocess_exec(
                lambda: _Streams(loop),
                *self._argv,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env={**os.environ, VARIABLE: self._mark},
                start_new_session=True,
            )
        except OSError as error:
            return Loss(f"the worker could not be started: {error}", ())
        self._process = process = asyncio.subprocess.Process(transport, protocol, loop)
        assert process.stdout is not None
        assert process.stderr is not None
        tail: deque[str] = deque(maxlen=STDERR_LINES)
        errors = asyncio.create_task(self._follow(process.stderr, tail), name="worker stderr")
        reaper = asyncio.create_task(self._reap(process, transport, protocol), name="worker end")
        await self._hear(process.stdout, listener)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(protocol.exited.wait(), STOP_GRACE_S)
        cause, wanted = self._doom or _cause(process.returncode), self._retired is not None
        if process.returncode is None:
            _kill_group(process)
        if self._retired is not None:
            self._retired.cancel()
        await reaper
        await asyncio.wait([errors], timeout=STOP_GRACE_S)
        errors.cancel()
        transport.close()
        self._process = None
        return Loss(cause, tuple(tail), wanted)

    async def _reap(
        self, process: asyncio.subprocess.Process, transport: asyncio.SubprocessTransport, protocol: _Streams
    ) -> None:
        """Once the worker has ended, end what it started too: a child may hold its pipes open."""
        await protocol.exited.wait()
        await asyncio.sleep(REAP_S)
        _kill_group(process)
        await asyncio.to_thread(end_strays, self._mark)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(protocol.unheard.wait(), STOP_GRACE_S)
        for descriptor in (1, 2):
            held = transport.get_pipe_transport(descriptor)
            if held is not None:
                held.close()

    async def _hear(self, stdout: asyncio.StreamReader, listener: Listener) -> None:
        """Pass messages on until the worker closes its end; kill it if it speaks nonsense."""
        try:
            async with asyncio.timeout(START_LIMIT_S):
                message = await receive(stdout)
            if message is not None:
                self._was_ready = True
                await listener.worker_ready(message)
            while message is not None:
                message = await receive(stdout)
                if message is not None:
                    await listener.worker_said(message)
        except BrokenFrame as error:
            self.kill(f"the worker sent a broken message: {error}")
        except TimeoutError:
            self.kill(f"the worker was not ready within {START_LIMIT_S:.0f} s")

    async def _follow(self, stderr: asyncio.StreamReader, tail: deque[str]) -> None:
        """Echo what the worker writes to stderr, up to a rate, and keep its last lines."""
        loop = asyncio.get_running_loop()
        rest = b""
        since, echoed = loop.time(), 0
        while chunk := await stderr.read(1 << 16):
            if loop.time() - since > 1.0:
                since, echoed = loop.time(), 0
            echoed += len(chunk)
            if echoed <= ECHO_PER_S:
                self._echo(chunk)
            *lines, rest = (rest + chunk).rsplit(b"\n", STDERR_LINES + 1)
            tail.extend(line[-STDERR_WIDTH:].decode(errors="replace") for line in lines)
            rest = rest[:STDERR_WIDTH]
        if rest:
            tail.append(rest.decode(errors="replace"))


class _Streams(asyncio.subprocess.SubprocessStreamProtocol):
    """Tells when the process has exited (`Process.wait` waits until its pipes are closed as well), and when nothing
    more comes from its standard output."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=1 << 20, loop=loop)
        self.exited, self.unheard = asyncio.Event(), asyncio.Event()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        super().pipe_connection_lost(fd, exc)
        if fd == 1:
            self.unheard.set()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


def _cause(code: int | None) -> str:
    if code is None:
        return "the worker closed its pipe without ending"
    if code < 0:
        return f"the worker was killed by {_signal_name(-code)}"
    return f"the worker ended with exit code {code}"


def _signal_name(number: int) -> str:
    return next((known.name for known in signal.Signals if known == number), f"signal {number}")


def _kill_group(process: asyncio.subprocess.Process) -> None:
    """Kill the process and its children; a process that is already gone is fine."""
    with contextlib.suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
