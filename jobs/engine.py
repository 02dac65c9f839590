"""What it takes to run a workflow, made once by whoever runs: the worker process, or the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graph.cache import Cache
from graph.context import Context
from graph.events import Event
from graph.executor import Limits, Outcome, run
from graph.explain import explain
from graph.files import Files
from graph.graph import Builder, build
from graph.ledger import TierName
from graph.registry import Registry
from graph.workflow import Workflow
from jobs.packs import Pack


@dataclass(frozen=True)
class Engine:
    """`context` carries the device, where files are saved and who holds the weights of models; `weights_on_host` tells
    how many bytes of the machine's memory those take, `device_bytes` how many the device has of its own; `limits` says
    how many nodes of a resource run at once."""

    registry: Registry
    packs: Sequence[Pack]
    builder: Builder
    cache: Cache
    files: Files
    context: Context
    limits: Limits
    weights_on_host: Callable[[], int] = lambda: 0
    device_bytes: int = 0

    def run(
        self,
        workflow: Workflow,
        targets: Sequence[str] | None,
        emit: Callable[[Event], None],
        cancelled: Callable[[], bool],
    ) -> Outcome:
        """Bring the targets (None: every sink) up to date. Raises InvalidGraph."""
        self.cache.catch_up()
        return run(
            self.builder.build(workflow, targets),
            targets,
            self.cache,
            emit,
            files=self.files,
            context=replace(self.context, document=workflow.document),
            cancelled=cancelled,
            limits=self.limits,
        )

    def explain(self, workflow: Workflow, targets: Sequence[str] | None) -> Mapping[str, Any]:
        """What `run` would do: `{"nodes": {id: {"state": "cached"|"run", "reason", "ms"?, "bytes"?, "beside_bytes"?,
        "grows"?}}, "ms", "peak_bytes", "unknown"}`; also while it runs. Raises InvalidGraph."""
        self.cache.catch_up()
        graph = build(workflow, self.registry, self.files, targets)
        return explain(graph, targets, self.cache, self.files, self.limits).to_json()

    def report_cache(self, cleared: Sequence[TierName] = ()) -> Mapping[str, Any]:
        """What the cache holds once the tiers named are empty: `{tier: {"budget", "used", "results"}}`, in bytes."""
        for tier in cleared:
            self.cache.clear(tier)
        return self.cache.report()

    def accounted(self) -> int:
        """Bytes of the machine's memory that are meant to be in use between jobs: results and weights."""
        return self.report_cache().get("host", {"used": 0})["used"] + self.weights_on_host()

    def catalogue(self) -> Mapping[str, Any]:
        """The definitions as JSON: `{"nodes": {id: definition}, "packs": {name: {"nodes": [ids], "error"}}}`."""
        packs = {pack.name: {"nodes": list(pack.nodes), "error": pack.error} for pack in self.packs}
        return {"nodes": self.registry.to_json(), "packs": packs}
