"""A workflow of ComfyUI as both of its formats say it: nodes by id, inputs by name, links as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeGuard, cast

from graph.problems import Code, InvalidGraph, Problem, shown
from graph.workflow import Limits

REROUTE: Final = "Reroute"
ENDS: Final = "outputs of a subgraph"
"""A kind of node that reads what a subgraph gives, so that it is led on with everything else; it is nothing drawn."""
NOTES: Final = ("Note", "MarkdownNote")
LIMITS: Final = Limits()
USUAL_TITLES: Final = frozenset(
    {
        "Load Checkpoint",
        "Load Diffusion Model",
        "Load CLIP",
        "DualCLIPLoader",
        "Load VAE",
        "Load LoRA",
        "Load LoRA (Model and CLIP)",
        "LoraLoaderModelOnly",
        "Load ControlNet Model",
        "Load Upscale Model",
        "CLIP Text Encode (Prompt)",
        "Empty Latent Image",
        "KSampler (Advanced)",
        "VAE Decode",
        "VAE Encode",
        "Load Image",
        "Save Image",
        "Preview Image",
    }
)
"""Titles that nobody gave: files name nodes by them, where nodes of ours have names of their own."""


@dataclass(frozen=True)
class Source:
    """Where a link comes from: an output of a node, by its number."""

    node: str
    slot: int


@dataclass(frozen=True)
class Node:
    """`inputs`: by the peer's names, each a Source or a constant. `outputs`: names by number, as far as the file has
    them. `types`: of inputs by name and of outputs by number, for leading links past it. `extra`: fields to keep."""

    kind: str
    inputs: Mapping[str, object]
    title: str = ""
    mode: str = ""
    outputs: tuple[str, ...] = ()
    types: Mapping[str | int, str] = field(default_factory=dict[str | int, str])
    place: Mapping[str, object] | None = None
    extra: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.title or self.kind

    def sources(self) -> Iterator[tuple[str, Source]]:
        for name, value in self.inputs.items():
            if isinstance(value, Source):
                yield name, value


Frames = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Part:
    """An instance of a subgraph: the nodes whose ids begin with `prefix`, within the part `outer` ("": the whole).
    `inputs`: the names of its inputs; `labels`: which of them leads to an input of a node, by id and name. `ends`: the
    node whose inputs are what its outputs give, by name."""

    prefix: str
    outer: str
    name: str
    title: str
    inputs: Sequence[str]
    labels: Mapping[tuple[str, str], str]
    ends: str
    place: Mapping[str, object] | None
    frames: Frames


@dataclass(frozen=True)
class Foreign:
    """The whole; `frames` are as ours, `parts` are the instances in it."""

    nodes: Mapping[str, Node]
    frames: Frames = field(default_factory=dict[str, Mapping[str, object]])
    parts: Sequence[Part] = ()


def refuse(expected: str, got: object, code: Code = "bad_document") -> NoReturn:
    """InvalidGraph: the file is not as ComfyUI writes them."""
    text = shown(got)
    message = f"the workflow of ComfyUI: expected {expected}, got {text}"
    raise InvalidGraph([Problem(code, None, None, message, expected, text)])


def refuse_more_than(count: int) -> None:
    """InvalidGraph for more nodes than a workflow may have."""
    if count > LIMITS.nodes:
        refuse(f"at most {LIMITS.nodes} nodes, subgraphs spread out", count, "too_large")


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return type(value) is dict


def is_list(value: object) -> TypeGuard[list[Any]]:
    return type(value) is list


def is_whole(value: object) -> TypeGuard[int]:
    return type(value) is int


def is_number(value: object) -> TypeGuard[int | float]:
    return type(value) is int or type(value) is float


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; none of what is no list."""
    return [item for item in cast("list[object]", value) if is_object(item)] if is_list(value) else []


def title_of(value: object, kind: str) -> str:
    """The title that a person gave a node, "" for none."""
    title = text(value)
    return "" if title == kind or title in USUAL_TITLES else title


def text(value: object) -> str:
    return value if isinstance(value, str) else ""
