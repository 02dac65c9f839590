"""What programs have asked for by this protocol since the start: each a job, under the name its program knows it by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from compat.workflows.foreign import is_object, text
from graph.context import OutputFile

MOST: Final = 1000
"""Prompts that are remembered; their jobs and pictures stay where all are."""
MOST_NODES: Final = 1_000_000
"""Nodes of all prompts together that are remembered."""
SECRETS: Final = ("auth_token_comfy_org", "api_key_comfy_org")
STREAMED: Final = "SaveImageWebsocket"
"""The class whose pictures go to the program that asked, and nowhere else."""


@dataclass(frozen=True)
class Prompt:
    """`id` is the program's, `job` ours; `nodes` as they were sent, by id; `outputs` are the ids of those that make
    something; `created` is in milliseconds since the epoch."""

    id: str
    job: str
    number: float
    client: str
    nodes: Mapping[str, Any]
    extra: Mapping[str, Any]
    outputs: tuple[str, ...]
    created: int

    def item(self) -> list[Any]:
        """As the queue and the history tell it."""
        extra = {name: value for name, value in self.extra.items() if name not in SECRETS}
        told = {**extra, "create_time": self.created, **({"client_id": self.client} if self.client else {})}
        return [self.number, self.id, self.nodes, told, list(self.outputs)]


@dataclass
class Prompts:
    """By id, the oldest first. An id that comes again is the later prompt's."""

    by_id: dict[str, Prompt] = field(default_factory=dict[str, Prompt])
    _by_job: dict[str, Prompt] = field(default_factory=dict[str, Prompt])
    _nodes: int = 0

    def add(self, prompt: Prompt) -> None:
        self.forget(prompt.id)
        self.by_id[prompt.id] = self._by_job[prompt.job] = prompt
        self._nodes += len(prompt.nodes)
        while len(self.by_id) > MOST or (self._nodes > MOST_NODES and len(self.by_id) > 1):
            self.forget(next(iter(self.by_id)))

    def forget(self, id: str) -> None:
        prompt = self.by_id.pop(id, None)
        if prompt is not None:
            del self._by_job[prompt.job]
            self._nodes -= len(prompt.nodes)

    def of_job(self, job: str) -> Prompt | None:
        return self._by_job.get(job)

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self.by_id.values())


def owner(id: str, nodes: Mapping[str, Any]) -> str:
    """The node of the prompt that one of ours came of: what is made beside it has its id and a word after a dot, what
    grows of it, after a slash."""
    base = id.partition("/")[0]
    while base:
        for name in (base, base.replace("|", "/")):
            if name in nodes:
                return name
        base = base.rpartition(".")[0]
    return id


def ours(id: str) -> str:
    """What a node of a prompt is called in the document of its job."""
    return id.replace("/", "|")


def class_of(nodes: Mapping[str, Any], id: str) -> str:
    node = nodes.get(id)
    return text(node.get("class_type")) if is_object(node) else ""


def pictures(files: Sequence[OutputFile]) -> dict[str, list[dict[str, str]]]:
    """What a node made, as the peer names it."""
    return {"images": [picture(file) for file in files]}


def picture(file: OutputFile) -> dict[str, str]:
    subfolder, _, name = file.name.rpartition("/")
    return {"filename": name, "subfolder": subfolder, "type": file.folder}
