"""What a run says of each of its nodes, and the reasons it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from graph import reasons
from graph.cache import Cache, Outputs
from graph.context import OutputFile
from graph.events import Cached, Event, Failed, Finished, NodeError, Queued, Skipped, Started
from graph.plan import Plan


class Teller:
    """Turns positions of a plan into events. `because` are reasons that are known otherwise than by comparing."""

    def __init__(self, plan: Plan, cache: Cache, emit: Callable[[Event], None]) -> None:
        self.because: dict[int, str] = {}
        self._plan, self._cache, self._emit = plan, cache, emit

    def queued(self, i: int) -> None:
        because = self.because.get(i)
        if because is None:
            causes = self._causes(i)
            because = reasons.phrase(causes)
            if len(causes) == 1:
                self.because[i] = because
        self._emit(Queued(self._plan.ids[i], because))

    def started(self, i: int) -> None:
        because = self.because.get(i) or reasons.phrase(self._causes(i))
        self._emit(Started(self._plan.ids[i], because))

    def finished(self, i: int, outputs: Outputs, seconds: float, size: int) -> None:
        self._emit(Finished(self._plan.ids[i], seconds * 1000, self._files(i, outputs), size))

    def failed(self, error: NodeError) -> None:
        self._emit(Failed(error.node, error))

    def skipped(self, i: int, reason: str) -> None:
        self._emit(Skipped(self._plan.ids[i], reason))

    def left_out(self, id: str, reason: str) -> None:
        """Of a node of the document that is not in the graph."""
        self._emit(Skipped(id, reason))

    def shared(self, i: int, outputs: Outputs, reason: str) -> None:
        self._emit(Cached(self._plan.ids[i], reason, self._files(i, outputs)))

    def cached(self, i: int, outputs: Outputs | None) -> None:
        plan = self._plan
        if plan.records[i] is None:
            reason = reasons.NOT_NEEDED
        else:
            reason = reasons.SAME_VALUES if i in plan.by_value else reasons.SAME_INPUTS
        self._emit(Cached(plan.ids[i], reason, self._files(i, outputs) if outputs else ()))

    def _causes(self, i: int) -> Sequence[str]:
        return reasons.causes(self._plan, i, self._cache.history.get(self._plan.ids[i]))

    def _files(self, i: int, outputs: Outputs) -> tuple[OutputFile, ...]:
        """The files a sink wrote; those of a sink that grew of another are told with that one's."""
        plan, owner = self._plan, self._plan.owner.get(i)
        if not plan.nodes[i].spec.sink or (owner is not None and plan.nodes[owner].spec.sink):
            return ()
        return tuple(files_in(list(outputs.values())))


def files_in(value: object) -> list[OutputFile]:
    """The files among a value and the items of lists."""
    if isinstance(value, list):
        return [file for item in cast("list[object]", value) for file in files_in(item)]
    return [value] if isinstance(value, OutputFile) else []
