"""Run a graph: what is demanded and not cached, branches side by side, each node's end deciding what comes next.

A thread that finishes a node goes on with the next one ready; others join only while more than one is.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Literal, cast

from graph.bind import Node
from graph.cache import Cache, Outputs
from graph.context import NO_CONTEXT, Cancelled, Context, OutputFile
from graph.demand import Demand
from graph.disk import of_the_disk
from graph.eta import Eta
from graph.events import Event, NodeError, Preview, Progress
from graph.files import Files
from graph.flights import Landed
from graph.fragment import Body, Input, Lazy, Value
from graph.graph import Graph, NodeId
from graph.growth import Growth
from graph.keys import Fingerprint, Record
from graph.node import Port, Resource
from graph.plan import Plan, plan
from graph.spare import rest_of
from graph.telling import files_in
from graph.underway import Underway

_LONGEST_TRACEBACK = 20_000
_POLL_S = 0.02
"""How soon a run that only waits for another one finds that it was cancelled, or that another process is done."""


Limits = Mapping[Resource, int]
"""How many nodes of each resource class run at a time."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the outputs of each target that has them, and the first failure."""

    state: Literal["done", "failed", "cancelled"]
    outputs: Mapping[NodeId, Outputs]
    error: NodeError | None = None


def run(
    graph: Graph,
    targets: Iterable[NodeId] | None,
    cache: Cache,
    emit: Callable[[Event], None],
    *,
    files: Files,
    context: Context = NO_CONTEXT,
    cancelled: Callable[[], bool] = lambda: False,
    limits: Limits | None = None,
) -> Outcome:
    """Bring the outputs of `targets` (None: all sinks) up to date.

    `emit` is called by one thread at a time. `context` is what nodes are given, its progress and preview replaced by
    ones that emit. `cancelled` is asked between nodes and at every progress call. `limits` is how many nodes of each
    resource class run at a time; one, where it does not say. After a failure what can do without is run all the same.
    """
    free: dict[Resource, int] = {"gpu": 1, "cpu": 1, "io": 1, **(limits or {})}
    with cache.run():
        made = plan(graph, targets, cache, files)
        demand = _Run(made, cache, emit, files, context, cancelled, free).run()
        cache.remember(made)
    state = "cancelled" if demand.cancelled else "failed" if demand.error else "done"
    outputs = {made.ids[i]: demand.values[i] for i in made.targets if i in demand.values}
    if state == "failed" and (rest := rest_of(made, *demand.dead(), cache)) is not None:
        more = run(
            rest.graph,
            rest.targets,
            cache,
            rest.telling(emit),
            files=files,
            context=context,
            cancelled=cancelled,
            limits=limits,
        )
        state = "cancelled" if more.state == "cancelled" else "failed"
        outputs.update(more.outputs)
    if state == "done" and len(outputs) < len(made.targets):
        raise RuntimeError(f"the run ended without {[made.ids[i] for i in made.targets if i not in demand.values]}")
    return Outcome(state, outputs, demand.error)


@dataclass
class _Run:
    plan: Plan
    cache: Cache
    emit: Callable[[Event], None]
    files: Files
    context: Context
    cancelled: Callable[[], bool]
    free: dict[Resource, int]

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.turn = threading.Condition(self.lock)
        self.helpers: list[threading.Thread] = []
        self.most_helpers = sum(self.free.values()) - 1
        self.running = self.waiting = 0
        self.look = 0.0
        self.crash: BaseException | None = None
        self.demand = Demand(self.plan, self.cache, self.emit, self._told)
        ahead = self.demand.ahead
        self.eta = Eta(self.plan, self.cache.costs, self.demand.values, self.free, ahead, self.emit)
        self.growth = Growth(self.plan, self.cache, self.files, self.demand.values)
        self.underway: dict[int, Underway] = {}
        self.asked: dict[int, list[tuple[int, str]]] = {}

    def run(self) -> Demand:
        try:
            with self.lock:
                self.demand.start()
                self.eta.begin()
            self._work()
            for helper in self.helpers:
                helper.join()
        finally:
            with self.lock:
                self.demand.close()
            self._land()
        if self.crash is not None:
            raise self.crash
        return self.demand

    def _told(self, i: int, landed: Landed | None) -> None:
        """Called by a thread of another run, which holds no lock."""
        with self.lock:
            self.demand.landed(i, landed)
            self.turn.notify_all()
        self._land()

    def _land(self) -> None:
        """Tell other runs; never while holding the lock of this one."""
        with self.lock:
            landings = self.demand.boarding.take()
        self.demand.boarding.tell(landings)

    def _work(self) -> None:
        try:
            while (i := self._next()) is not None:
                self._run_node(i)
        except BaseException as crash:  # noqa: BLE001 - raised again by run(), once the other threads are back
            with self.lock:
                self.crash = self.crash or crash
                self.turn.notify_all()

    def _next(self) -> int | None:
        """A node to run; None when nothing is left to run."""
        while True:
            with self.lock:
                if self.crash is not None:
                    return None
                if not self.demand.cancelled and self.cancelled():
                    self.demand.cancel()
                if self.demand.boarding.away and time.perf_counter() >= self.look:
                    self.look = time.perf_counter() + _POLL_S
                    self.demand.look_abroad()
                i = self.demand.next_ready(self.free)
                if i is not None:
                    self._occupy(i)
                    self.eta.started(i, time.perf_counter())
                elif not self.demand.boarding.landings:
                    if not self.running and not self.demand.boarding.away:
                        self.turn.notify_all()
                        return None
                    self.waiting += 1
                    self.turn.wait(_POLL_S if self.demand.boarding.away else None)
                    self.waiting -= 1
            if self.demand.boarding.landings:
                self._land()
            if i is not None:
                return i

    def _occupy(self, i: int) -> None:
        self.free[self.plan.nodes[i].spec.resource] -= 1
        self.running += 1
        if self.demand.boarding.away or self.demand.any_ready(self.free):
            self._call_helper()

    def _call_helper(self) -> None:
        if self.waiting:
            self.turn.notify()
        elif len(self.helpers) < self.most_helpers:
            helper = threading.Thread(target=self._work, name=f"node-{len(self.helpers) + 1}", daemon=True)
            self.helpers.append(helper)
            helper.start()

    def _run_node(self, i: int) -> None:
        node, id = self.plan.nodes[i], self.plan.ids[i]
        started = time.perf_counter()
        gauge = self.cache.gauge if node.spec.resource == "gpu" else None
        before = 0 if gauge is None else gauge.start()
        try:
            under = self.underway.pop(i, None)
            if under is None:
                under = Underway(node.spec)
                outputs = under.begin(self._inputs(i), self._context(i) if node.spec.context else self.context)
            else:
                outputs = under.go_on(self._arrived(i))
            under.seconds += time.perf_counter() - started
            if gauge is not None:
                under.peak = max(under.peak, gauge.most() - before)
            if outputs is None:
                end = partial(self._suspend, i, under)
            else:
                if node.spec.collects:
                    outputs["files"] = self._files_below(i)
                record = self._keep(i, outputs, under)
                end = partial(self.demand.finished, i, outputs, record, under.seconds)
        except Cancelled:
            end = partial(self.demand.cancel, i)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a node raises is reported as its failure
            end = partial(self.demand.failed, i, _failure(id, node, error))
        with self.lock:
            self.running -= 1
            self.free[node.spec.resource] += 1
            end()
            self.cache.learn(self.plan, i)
            if time.perf_counter() >= self.eta.due:
                self.eta.tell(time.perf_counter())
            landings = self.demand.boarding.take()
        self.demand.boarding.tell(landings)

    def _suspend(self, i: int, under: Underway) -> None:
        """Let what node i asks for grow, and wait for it."""
        first = len(self.plan.ids)
        try:
            places, grown = self.growth.place(i, under.asks)
        except (TypeError, RecursionError, ValueError) as error:
            self.demand.failed(i, _failure(self.plan.ids[i], self.plan.nodes[i], error))
            return
        finally:
            self.demand.adopt(first, self.growth.made)
        if not under.ending:
            self.demand.hold(i, range(first, len(self.plan.ids)))
            self.demand.let_go(i, self.growth.forgotten(i))
        else:
            self.demand.hold(i, list(self.growth.made))
        self.underway[i] = under
        self.asked[i] = places
        self.demand.suspend(i, [*(position for position, _ in places), *grown.sinks], grown.reads)
        if under.ending:
            self.demand.settle_unread(first)
        self.demand.announce_grown(first)

    def _arrived(self, i: int) -> list[tuple[Any, Fingerprint]]:
        arrived: list[tuple[Any, Fingerprint]] = []
        for position, output in self.asked.pop(i):
            record = self.plan.records[position]
            assert record is not None
            arrived.append((self.demand.values[position][output], record.fingerprints[output]))
        return arrived

    def _files_below(self, i: int) -> list[OutputFile]:
        with self.lock:
            made = [self.demand.values[sink] for sink in self.growth.sinks(i)]
        return [file for outputs in made for file in files_in(list(outputs.values()))]

    def _keep(self, i: int, outputs: Outputs, under: Underway) -> Record:
        key = self.demand.value_key(i)
        if self.plan.nodes[i].volatile:
            return self.cache.describe(key, outputs, under.seconds, under.forwarded)
        return self.cache.put(self.plan.lasting_key(i), key, outputs, under.seconds, under.forwarded, under.peak)

    def _inputs(self, i: int) -> dict[str, Any]:
        node = self.plan.nodes[i]
        values = {} if node.of else dict(node.constants)
        if node.spec.driven:
            values.update(_lazy_constants(node))
        for name, (parent, output) in zip(node.links, self.plan.parents[i]):
            values[name] = (
                Lazy[Any](Input(parent, name), output) if name in node.lazy else self.demand.values[parent][output]
            )
        for name, links in node.gathers:
            values[name] = _gathered(node.spec.port(name), [values.pop(link, None) for link in links])
        if node.of is None:
            for port in node.external:
                if port.widget is not None and not port.extra:
                    values[port.name] = port.widget.resolve(values[port.name], self.files)
        extra = [port.name for port in node.spec.inputs if port.extra] if node.spec.driven else []
        if extra:
            given = {name: value for name in extra if (value := values.pop(name, None)) is not None}
            values.update({n: replace(v, given=given) for n, v in values.items() if isinstance(v, Body)})
        if node.spec.at_most is not None and (excess := node.spec.at_most.excess(values)) is not None:
            raise ValueError(excess.message)
        return values

    def _context(self, i: int) -> Context:
        id = self.plan.ids[i]

        def progress(step: int, total: int) -> None:
            if self.cancelled() or self.crash is not None:
                raise Cancelled
            with self.lock:
                self.emit(Progress(id, step, total))
                self.eta.step(i, step, total)

        def preview(media_type: str, data: bytes) -> None:
            with self.lock:
                self.emit(Preview(id, media_type, data))

        return replace(self.context, progress=progress, preview=preview, node=id)


def _lazy_constants(node: Node) -> Iterator[tuple[str, Any]]:
    for port in node.spec.inputs:
        constant = node.constants.get(port.name)
        if port.extra:
            continue
        if port.lazy and port.is_list and not port.whole and isinstance(constant, list):
            yield port.name, [Lazy[Any](Value(item), "value") for item in cast("list[Any]", constant)]
        elif port.lazy and constant is not None:
            yield port.name, Lazy[Any](Value(constant), "value")


def _gathered(port: Port, values: Sequence[Any]) -> list[Any]:
    """The list of an input out of what its links bring: items, or lists of them."""
    if port.lazy or port.type.startswith("list[list["):
        return list(values)
    return [item for value in values for item in (cast("list[Any]", value) if isinstance(value, list) else [value])]


def _failure(id: NodeId, node: Node, error: BaseException) -> NodeError:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("graph."):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    message = _message(error)
    port = _blamed(node, message)
    return NodeError("node_failed", type(error).__name__, message, id, port, text[-_LONGEST_TRACEBACK:])


def _blamed(node: Node, message: str) -> str | None:
    """The input a message is about: it begins with the input's name, or with that of the file chosen there."""
    about, colon, _ = message.partition(": ")
    for port in node.spec.inputs:
        chosen = node.constants.get(port.name)
        if colon and (about == port.name or (isinstance(chosen, str) and about == PurePosixPath(chosen).name)):
            return port.name
    return None


def _message(error: BaseException) -> str:
    try:
        return (of_the_disk(error) or str(error))[:_LONGEST_TRACEBACK]
    except Exception as failure:  # noqa: BLE001 - it is code of the node that puts its error in words
        return f"(its message cannot be told: {type(failure).__name__})"
