"""Workflows as ComfyUI would save them, written for these tests: the drawn form, and of it the form its API takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Drawn:
    """A level of a drawing in the making: nodes with slots by name, links by number."""

    nodes: list[Json] = field(default_factory=list)
    links: list[list[Any]] = field(default_factory=list)

    def node(
        self,
        id: int,
        kind: str,
        values: list[Any] | Json | None = None,
        outputs: str = "",
        types: str = "",
        mode: int = 0,
        **linked: tuple[int, int],
    ) -> int:
        """Add a node. `linked`: the node and output that each input reads; `types`: of the inputs, in order."""
        kinds = types.split() or ["*"] * len(linked)
        inputs = [{"name": name, "type": kind, "link": None} for name, kind in zip(linked, kinds)]
        names = [{"name": name, "type": name, "links": []} for name in outputs.split()]
        place = {"pos": [200 * len(self.nodes), 100], "size": [300, 120]}
        self.nodes.append(
            {
                "id": id,
                "type": kind,
                "mode": mode,
                "inputs": inputs,
                "outputs": names,
                "widgets_values": values,
                **place,
            }
        )
        for slot, (origin, output) in enumerate(linked.values()):
            self.link(origin, output, id, slot)
        return id

    def link(self, origin: int, output: int, target: int, slot: int) -> None:
        number = len(self.links) + 1
        self.links.append([number, origin, output, target, slot, "*"])
        for node in self.nodes:
            if node["id"] == target:
                node["inputs"][slot]["link"] = number

    def json(self, **more: Any) -> Json:
        return {"nodes": self.nodes, "links": self.links, "groups": [], "version": 0.4, **more}


def prompt(**nodes: tuple[str, Json]) -> Json:
    """The API form: ids "n3" as "3", links as lists."""
    return {
        id[1:]: {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}} for id, (kind, inputs) in nodes.items()
    }


def text_to_image() -> tuple[Json, Json]:
    """The drawn and the API form of one workflow of the demo model."""
    d = Drawn()
    d.node(4, "CheckpointLoaderSimple", ["weft-emoji-unet.safetensors"], "MODEL CLIP VAE")
    d.node(6, "CLIPTextEncode", ["a fox on blue background"], "CONDITIONING", clip=(4, 1))
    d.node(7, "CLIPTextEncode", [""], "CONDITIONING", clip=(4, 1))
    d.node(5, "EmptyLatentImage", [128, 128, 1], "LATENT")
    values = [7, "randomize", 4, 3.0, "euler", "normal", 1]
    d.node(3, "KSampler", values, "LATENT", model=(4, 0), positive=(6, 0), negative=(7, 0), latent_image=(5, 0))
    d.node(8, "VAEDecode", [], "IMAGE", samples=(3, 0), vae=(4, 2))
    d.node(9, "SaveImage", ["ComfyUI"], images=(8, 0))
    places = {4: (26, 474), 6: (415, 186), 7: (413, 389), 5: (473, 609), 3: (863, 186), 8: (1209, 188), 9: (1451, 189)}
    for node in d.nodes:
        node["pos"] = list(places[node["id"]])
    sampled = {"seed": 7, "steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    api = prompt(
        n4=("CheckpointLoaderSimple", {"ckpt_name": "weft-emoji-unet.safetensors"}),
        n6=("CLIPTextEncode", {"text": "a fox on blue background", "clip": ["4", 1]}),
        n7=("CLIPTextEncode", {"text": "", "clip": ["4", 1]}),
        n5=("EmptyLatentImage", {"width": 128, "height": 128, "batch_size": 1}),
        n3=("KSampler", {**sampled, **links}),
        n8=("VAEDecode", {"samples": ["3", 0], "vae": ["4", 2]}),
        n9=("SaveImage", {"filename_prefix": "ComfyUI", "images": ["8", 0]}),
    )
    return d.json(), api
