"""What ComfyUI says in a class of its own and Weft in another shape, written in classes that have a counterpart.

Each rewrite changes a dict of nodes in place; links to nodes that are gone lead to what stands for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from compat.workflows.foreign import REROUTE, Node, Source, is_number, is_whole
from compat.workflows.kinds import Port
from compat.workflows.table import CLASSES

Nodes = dict[str, Node]
VALUES: Final[Mapping[str, str]] = {
    "PrimitiveInt": "value",
    "PrimitiveFloat": "value",
    "PrimitiveString": "value",
    "PrimitiveStringMultiline": "value",
    "PrimitiveBoolean": "value",
    "UpscaleModelLoader": "model_name",
}
"""Classes that are one value, which whoever reads it can hold itself, and the input that holds it."""
_WIDGETS: Final[Mapping[str, Sequence[tuple[str, object]]]] = {
    "SamplerCustom": (("add_noise", True), ("noise_seed", 0), ("cfg", 8.0)),
    "FluxGuidance": (("guidance", 3.5),),
    "UpscaleModelLoader": (("model_name", ""),),
    "PrimitiveInt": (("value", 0),),
    "PrimitiveFloat": (("value", 0.0),),
    "PrimitiveString": (("value", ""),),
    "PrimitiveStringMultiline": (("value", ""),),
    "PrimitiveBoolean": (("value", False),),
}
MOST_HOPS: Final = 256
"""Nodes in a row that a link is followed through."""
READERS_OF_GUIDANCE: Final = (
    "KSampler",
    "KSamplerAdvanced",
    "SamplerCustom",
    "BasicGuider",
    "CFGGuider",
    "DualCFGGuider",
)
WHAT_TO_SHOW: Final = ("positive", "conditioning", "cond1")
ON_THE_WAY: Final = (*WHAT_TO_SHOW, "conditioning_1", "conditioning_to", "value")
MMDIT: Final = ("flux", "sd3", "sd3.5", "mmdit")
DIT: Final = ("pixart", "dit-", "dit_")


def widgets_of(kind: str) -> tuple[Port, ...]:
    """The widgets of a class of the peer in its order, as far as they are known."""
    if kind in _WIDGETS:
        return tuple(Port(name, name, True, default) for name, default in _WIDGETS[kind])
    return CLASSES[kind].widgets if kind in CLASSES else ()


def rewrite(nodes: Nodes) -> None:
    for step in (_hold_values, _move_guidance, _pair_control, _choose_loaders):
        step(nodes)
    for id, node in list(nodes.items()):
        if node.kind in _EACH:
            _EACH[node.kind](nodes, id, node)


def end_of(nodes: Mapping[str, Node], source: object) -> Source | None:
    """Where a link comes from in the end, seen through reroutes."""
    for _ in range(MOST_HOPS):
        if not isinstance(source, Source) or source.node not in nodes:
            return None
        node = nodes[source.node]
        if node.kind != REROUTE:
            return source
        source = node.inputs.get("value")
    return None


def with_input(node: Node, name: str, value: object) -> Node:
    return replace(node, inputs={**node.inputs, name: value})


def _hold_values(nodes: Nodes) -> None:
    """Let readers hold the value of a node that is nothing else."""
    held: dict[str, object] = {}
    for id, node in nodes.items():
        if node.kind in VALUES and not isinstance(value := node.inputs.get(VALUES[node.kind]), Source):
            held[id] = value
    for id, node in list(nodes.items()):
        for name, source in node.sources() if node.kind != REROUTE else ():
            end = end_of(nodes, source)
            if end is not None and end.node in held and _may_hold(node.kind, name, nodes[end.node].kind):
                nodes[id] = with_input(nodes[id], name, held[end.node])
    _drop_unread(nodes, set(held))


def _may_hold(kind: str, name: str, value: str) -> bool:
    """A network that upscales is a name only where that is known; numbers and texts are the same for all."""
    return value != "UpscaleModelLoader" or any(port.name == name for port in widgets_of(kind))


def _drop_unread(nodes: Nodes, wanted: set[str]) -> None:
    """Drop these nodes where nobody reads them, and the reroutes that led from them."""
    readers = Counter(source.node for node in nodes.values() for _, source in node.sources())
    stack = [id for id, node in nodes.items() if node.kind == REROUTE and _led_by(nodes, id, wanted)]
    stack = [id for id in (*stack, *wanted) if readers[id] == 0]
    while stack:
        gone = nodes.pop(stack.pop())
        for _, source in gone.sources():
            readers[source.node] -= 1
            if readers[source.node] == 0 and source.node in nodes:
                stack.append(source.node)


def _led_by(nodes: Mapping[str, Node], id: str, wanted: set[str]) -> bool:
    end = end_of(nodes, Source(id, 0))
    return end is not None and end.node in wanted


def _upstream(nodes: Mapping[str, Node], start: object) -> Iterator[str]:
    """The nodes that a conditioning came by, nearest first."""
    seen: set[str] = set()
    stack = [start]
    while stack and len(seen) < MOST_HOPS:
        source = stack.pop()
        if isinstance(source, Source) and source.node in nodes and source.node not in seen:
            seen.add(source.node)
            yield source.node
            stack += [nodes[source.node].inputs.get(name) for name in reversed(ON_THE_WAY)]


def _move_guidance(nodes: Nodes) -> None:
    """Guidance goes with the text there, with the model here."""
    made: dict[tuple[str, object], str] = {}
    spoken = {id: node for id, node in nodes.items() if node.kind in ("FluxGuidance", "CLIPTextEncodeFlux")}
    for id, node in list(nodes.items()) if spoken else ():
        if node.kind not in READERS_OF_GUIDANCE or not isinstance(model := node.inputs.get("model"), Source):
            continue
        shown = next((node.inputs[name] for name in WHAT_TO_SHOW if name in node.inputs), None)
        told = next((each for each in _upstream(nodes, shown) if each in spoken and not spoken[each].mode), None)
        if told is None:
            continue
        if (told, model) not in made:
            made[told, model] = name = free(nodes, f"{told}.guidance")
            nodes[name] = Node("FluxGuidance", {"model": model, "guidance": spoken[told].inputs.get("guidance", 3.5)})
        nodes[id] = with_input(nodes[id], "model", Source(made[told, model], 0))
    alone = {id: node for id, node in spoken.items() if node.kind == "FluxGuidance"}
    places = {told: name for (told, _), name in reversed(made.items())}
    for id in alone:
        if id in places:
            node = nodes.pop(id)
            nodes[places[id]] = replace(nodes[places[id]], title=node.title, place=node.place)
        else:
            inputs = {name: value for name, value in nodes[id].inputs.items() if name == "guidance"}
            nodes[id] = replace(nodes[id], inputs=inputs, mode="mute")
    lead(nodes, {Source(id, 0): node.inputs.get("conditioning") for id, node in alone.items()})


def _pair_control(nodes: Nodes) -> None:
    """The old ControlNetApply takes one conditioning, and its control counts for the negative one, too."""
    for id, node in list(nodes.items()):
        if node.kind == "ControlNetApply" and "conditioning" in node.inputs:
            inputs = {("positive" if name == "conditioning" else name): value for name, value in node.inputs.items()}
            nodes[id] = replace(node, inputs={**inputs, "negative": inputs["positive"]})
    paired: set[str] = set()
    for id, node in list(nodes.items()):
        negative = node.inputs.get("negative")
        reader = id
        for _ in range(MOST_HOPS if negative is not None and node.kind != "ControlNetApply" else 0):
            chain = end_of(nodes, nodes[reader].inputs.get("positive"))
            if chain is None or nodes[chain.node].kind != "ControlNetApply" or chain.node in paired:
                break
            paired.add(chain.node)
            nodes[reader] = with_input(nodes[reader], "negative", Source(chain.node, 1))
            nodes[chain.node] = with_input(nodes[chain.node], "negative", negative)
            reader = chain.node


def _choose_loaders(nodes: Nodes) -> None:
    """A network's file goes into the loader for its architecture, which its name or its text encoders give away."""
    families = {
        str(node.inputs.get("type")) for node in nodes.values() if node.kind in ("CLIPLoader", "DualCLIPLoader")
    }
    several = any(each.kind == "TripleCLIPLoader" for each in nodes.values()) or families & {"sd3", "flux"}
    for id, node in list(nodes.items()):
        if node.kind == "UNETLoader":
            name = str(node.inputs.get("unet_name")).lower()
            if any(word in name for word in DIT) or (families == {"pixart"} and "mmdit" not in name):
                nodes[id] = replace(node, kind="UNETLoader DiT")
            elif several or any(word in name for word in MMDIT):
                nodes[id] = replace(node, kind="UNETLoader MMDiT")


def _ksampler(nodes: Nodes, id: str, node: Node) -> None:
    """As KSamplerAdvanced, which has the peer's noise: a denoise of 0.5 is the last half of twice the steps."""
    given = node.inputs
    steps, denoise = given.get("steps", 20), given.get("denoise", 1.0)
    if node.mode == "bypass" or not is_whole(steps) or not is_number(denoise) or not 0 < denoise <= 1 or steps < 1:
        return
    whole = int(steps / denoise)
    if whole > 1000:
        return
    kept = {name: value for name, value in given.items() if name not in ("seed", "seed control", "denoise")}
    seeds = {name.replace("seed", "noise_seed", 1): given[name] for name in ("seed", "seed control") if name in given}
    inputs = {**kept, **seeds, "steps": whole, "start_at_step": whole - steps}
    nodes[id] = replace(node, kind="KSamplerAdvanced", inputs=inputs, title=node.title or "KSampler")


def _sampler_custom(nodes: Nodes, id: str, node: Node) -> None:
    """A sampler with noise and guide in it, in three parts."""
    given = node.inputs
    noise, guide = free(nodes, f"{id}.noise"), free(nodes, f"{id}.guide")
    adds = given.get("add_noise", True)
    seeds = {name: given[name] for name in ("noise_seed", "noise_seed control") if name in given}
    nodes[noise] = Node("RandomNoise" if adds is not False else "DisableNoise", seeds, mode=node.mode)
    guided = {name: given[name] for name in ("model", "positive", "negative", "cfg") if name in given}
    nodes[guide] = Node("CFGGuider", guided, mode=node.mode)
    kept = {name: given[name] for name in ("sampler", "sigmas", "latent_image") if name in given}
    inputs = {**kept, "noise": Source(noise, 0), "guider": Source(guide, 0)}
    nodes[id] = replace(node, kind="SamplerCustomAdvanced", inputs=inputs)


def _load_image_mask(nodes: Nodes, id: str, node: Node) -> None:
    """A mask from a colour of a picture; that from its transparency comes with loading it."""
    channel = node.inputs.get("channel", "alpha")
    if channel != "alpha":
        loaded = free(nodes, f"{id}.picture")
        nodes[loaded] = Node("LoadImage", {"image": node.inputs.get("image")}, mode=node.mode)
        nodes[id] = replace(node, kind="ImageToMask", inputs={"image": Source(loaded, 0), "channel": channel})


_EACH: Final[Mapping[str, Callable[[Nodes, str, Node], None]]] = {
    "KSampler": _ksampler,
    "SamplerCustom": _sampler_custom,
    "LoadImageMask": _load_image_mask,
}


def lead(nodes: Nodes, passed: Mapping[Source, object]) -> None:
    """Have what came from these outputs come from what was passed on to them; where that is nothing, the link goes."""
    for id, node in list(nodes.items()) if passed else ():
        if not any(source in passed for _, source in node.sources()):
            continue
        inputs = dict(node.inputs)
        for name, source in node.sources():
            end: object = source
            for _ in range(MOST_HOPS):
                end = passed[end] if isinstance(end, Source) and end in passed else end
            if end is None or (isinstance(end, Source) and end in passed):
                del inputs[name]
            else:
                inputs[name] = end
        nodes[id] = replace(node, inputs=inputs)


def free(nodes: Mapping[str, Node], id: str) -> str:
    """The id, or one like it that no node has."""
    while id in nodes:
        id += "'"
    return id
