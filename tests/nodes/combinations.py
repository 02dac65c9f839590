"""Workflows of any parts that can be connected, drawn by hypothesis, on tiny models of every family."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from diffusion import samplers
from diffusion.families.dit import NO_CLASS
from diffusion.networks.controlnet import ControlMMDiT, ControlTokens, ControlUNet
from diffusion.networks.dit import digits
from diffusion.noise import RULES
from diffusion.schedules import SCHEDULES
from graph import Slider, node
from nodes.types import Conditioning, Image, Latent, Mask
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import randomise
from tests.nodes.studio import Document, link

Inputs = dict[str, Any]
Link = dict[str, str]
_Count = Annotated[int, Slider(0, 4096)]


@dataclass(frozen=True)
class Kind:
    """A tiny model: its network, marks of how it was trained, and what it listens to, `pooled` 0 for nothing."""

    loader: str
    params: tiny.Params
    context: int
    pooled: int = 0
    marks: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ((64, 64), (72, 48), (40, 88), (16, 16), (136, 24))
    """Height and width in pixels."""
    channels: int = 4


SD3 = replace(tiny.SD3, positions=20)
SD35 = replace(SD3, qk_norm=True, dual_blocks=frozenset({0}))
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "eps": Kind("UNetLoader", tiny.SD15, 768),
        "v": Kind("UNetLoader", tiny.SD15, 768, marks=("v_pred",)),
        "v to zero SNR": Kind("UNetLoader", tiny.SD15, 768, marks=("v_pred", "ztsnr")),
        "EDM": Kind("UNetLoader", tiny.SDXL, 2048, 1280, marks=("edm_vpred.sigma_max", "edm_vpred.sigma_min")),
        "XL": Kind("UNetLoader", tiny.SDXL, 2048, 1280),
        "refiner": Kind("UNetLoader", tiny.SDXL_REFINER, 1280, 1280),
        "inpainting": Kind("UNetLoader", replace(tiny.SD15, in_channels=9), 768),
        "editing": Kind("UNetLoader", replace(tiny.SD15, in_channels=8), 768),
        "SD3": Kind("MMDiTLoader", SD3, 64, 64, channels=16),
        "SD3.5": Kind("MMDiTLoader", SD35, 64, 64, channels=16),
        "Flux": Kind("MMDiTLoader", tiny.FLUX, 64, 64, channels=16),
        "schnell": Kind("MMDiTLoader", replace(tiny.FLUX, guided=False), 64, 64, channels=16),
        "DiT": Kind("DiTLoader", tiny.DIT, 2, sizes=((64, 64),)),
        "PixArt-alpha": Kind("DiTLoader", replace(tiny.PIXART_ALPHA, told_size=True), 64),
        "PixArt-Sigma": Kind("DiTLoader", tiny.PIXART_SIGMA, 64),
    }
)
CONTROLS: Mapping[str, str] = MappingProxyType(
    {"eps": "sd15", "v": "sd15", "XL": "sdxl", "SD3": "sd3", "SD3.5": "sd35"}
)


def folder_in(root: Path) -> Path:
    """Files of all of them: networks, ControlNets, autoencoders."""
    for name in ("diffusion_models", "controlnet", "vae", "loras", "checkpoints", "text_encoders"):
        (root / name).mkdir()
    for name, kind in KINDS.items():
        tensors = dict(tiny.network_of(kind.params).state_dict())
        values = {"edm_vpred.sigma_max": 120.0, "edm_vpred.sigma_min": 0.002}
        tensors |= {mark: torch.tensor(values.get(mark, 1.0)) for mark in kind.marks}
        tiny.save(root / "diffusion_models" / f"{name}.safetensors", tensors)
    nets = {
        "sd15": ControlUNet(tiny.SD15, 3),
        "sdxl": ControlUNet(tiny.SDXL, 3),
        "sd3": ControlMMDiT(replace(SD3, depth=1), 16),
        "sd35": ControlTokens(depth=1, width=128, y_dim=64, hint_channels=16, patch=2, time_dim=256),
    }
    for name, net in nets.items():
        randomise(net, seed=4)
        tiny.save(root / "controlnet" / f"{name}.safetensors", net.state_dict())
    for channels, params in ((4, tiny.VAE4), (16, tiny.VAE16)):
        tiny.save(root / "vae" / f"{channels}.safetensors", tiny.autoencoder_of(params).state_dict())
    return root


def _random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@node("Words", category="lab")
def words(width: _Count, pooled: _Count = 0, tokens: _Count = 3, number: _Count = 0) -> Conditioning:
    """What a text encoder might say; of a DiT, a class."""
    if width == 2:
        return Conditioning.of(digits(NO_CLASS if number == 9 else number))
    return Conditioning.of(_random(number, 1, tokens, width), _random(number, 1, pooled) if pooled else None)


@node("Strokes", category="lab")
def strokes(width: _Count, height: _Count, batch: _Count = 1, number: _Count = 0) -> Image:
    """A picture with something in it."""
    return Image(_random(number, batch, 3, height, width).sigmoid())


@node("Splotch", category="lab")
def splotch(width: _Count, height: _Count, batch: _Count = 1, number: _Count = 0, hard: bool = False) -> Mask:
    """A mask with something in it."""
    mask = _random(number, batch, height, width).sigmoid()
    return Mask(mask.round() if hard else mask)


@node("Cells", category="lab")
def cells(width: _Count, height: _Count, channels: _Count, batch: _Count = 1, number: _Count = 0) -> Latent:
    """A latent of a picture, each of a batch its own."""
    return Latent(_random(number, batch, channels, height // 8, width // 8))


@node("Kept", category="lab", sink=True)
def kept(latent: Latent) -> Latent:
    """What a workflow is for."""
    return latent


class Draft:
    """A workflow being put together."""

    def __init__(self) -> None:
        self.nodes: dict[str, Any] = {}

    def add(self, type: str, inputs: Inputs, output: str = "") -> Link:
        id = str(len(self.nodes) + 1)
        self.nodes[id] = {"type": type, "inputs": inputs}
        return link(id, output)


@dataclass(frozen=True)
class Combination:
    """A workflow, the node that paints in it, and the shape of the latent that is to come of it."""

    document: Document
    node: str
    shape: tuple[int, int, int, int]

    def of_the_last(self) -> Document:
        """The same for the last picture of its batch alone."""
        document = copy.deepcopy(self.document)
        inputs = document["nodes"][self.node]["inputs"]
        taken = {"latent": inputs["latent"], "index": self.shape[0] - 1}
        document["nodes"]["last"] = {"type": "LatentFromBatch", "inputs": taken}
        inputs["latent"] = link("last", "latent")
        return document

    @property
    def takes_pictures_together(self) -> bool:
        """By noise that is drawn for a whole batch, or steps that are as long as all of it allows."""
        settings = [entry["inputs"] for entry in self.document["nodes"].values()]
        return any(
            inputs.get("sampler") == "dpm_adaptive" or "comfy" in (inputs.get("rule"), inputs.get("noise_rule"))
            for inputs in settings
        )


SHARES = st.sampled_from([0.0, 0.01, 0.3, 0.5, 0.99, 1.0])
RANGES = st.tuples(SHARES, SHARES).map(lambda pair: {"start": min(pair), "end": max(pair)})
SMALL = st.integers(0, 3)
GUIDANCE: Mapping[str, SearchStrategy[Inputs]] = MappingProxyType(
    {
        "RescaleCFG": st.fixed_dictionaries({"amount": SHARES}),
        "CFGZeroStar": st.fixed_dictionaries({"zero_start": st.booleans()}),
        "APG": st.fixed_dictionaries(
            {
                "parallel": st.sampled_from([-2.0, 0.0, 1.0]),
                "most": st.sampled_from([0.0, 0.5, 100.0]),
                "momentum": st.sampled_from([-1.0, -0.5, 0.0, 1.0]),
            }
        ),
        "CFGFirstChannels": st.fixed_dictionaries({"channels": st.sampled_from([1, 3, 64])}),
        "GuidanceInterval": RANGES,
        "GuidanceCurve": st.fixed_dictionaries({"points": st.sampled_from(["0: 7, 0.5: 5, 1: 1", "0: 1, 1: 0"])}),
        "PerturbedAttentionGuidance": RANGES.map(lambda way: {**way, "scale": 3.0}),
        "SkipLayerGuidance": RANGES.map(lambda way: {**way, "blocks": "0"}),
        "SelfAttentionGuidance": st.fixed_dictionaries({"blur": st.sampled_from([0.1, 2.0, 10.0])}),
        "DifferentialDiffusion": st.just({}),
    }
)


@st.composite
def entries(draw: DrawFn, draft: Draft, kind: Kind) -> Link:
    """A conditioning of one to three texts, some of them for a part of the picture or of the way."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        text = {"width": kind.context, "pooled": kind.pooled, "number": draw(SMALL), "tokens": draw(st.integers(1, 4))}
        made.append(draw(placed(draft, draft.add("Words", text, "conditioning"))))
    whole = draft.add("ConditioningCombine", {"conditionings": made}, "conditioning") if len(made) > 1 else made[0]
    if draw(st.booleans()):
        sizes = {"conditioning": whole, "width": 512, "height": 256, "aesthetic": draw(st.sampled_from([0.0, 2.5]))}
        whole = draft.add("ConditioningSetSizes", sizes, "conditioning")
    return whole


@st.composite
def placed(draw: DrawFn, draft: Draft, text: Link) -> Link:
    """A text for a part of the picture or of the way, or as it is."""
    strength = draw(st.sampled_from([0.0, 0.5, 1.0, 3.0]))
    match draw(st.integers(0, 6)):
        case 0:
            area = {name: draw(st.integers(0, 12)) * 8 for name in ("x", "y", "width", "height")}
            inputs = {"conditioning": text, "strength": strength, **area}
            text = draft.add("ConditioningSetArea", inputs, "conditioning")
        case 1:
            area = {name: draw(SHARES) for name in ("x", "y", "width", "height")}
            inputs = {"conditioning": text, "strength": strength, **area}
            text = draft.add("ConditioningSetAreaFraction", inputs, "conditioning")
        case 2:
            sides = {name: draw(st.integers(1, 100)) for name in ("height", "width")}
            mask = {**sides, "hard": draw(st.booleans())}
            inputs = {
                "conditioning": text,
                "mask": draft.add("Splotch", mask, "mask"),
                "strength": strength,
                "context": draw(st.sampled_from(["whole picture", "around the mask"])),
            }
            text = draft.add("ConditioningSetMask", inputs, "conditioning")
        case 3:
            text = draft.add("ConditioningZeroOut", {"conditioning": text}, "conditioning")
        case _:
            pass
    if draw(st.integers(0, 3)) == 0:
        text = draft.add("ConditioningSetTimestepRange", {"conditioning": text, **draw(RANGES)}, "conditioning")
    return text


@st.composite
def steered(draw: DrawFn, draft: Draft, name: str, kind: Kind, texts: tuple[Link, Link]) -> tuple[Link, Link]:
    """Up to two ControlNets, where the family has any."""
    positive, negative = texts
    for _ in range(draw(st.integers(0, 2)) if name in CONTROLS else 0):
        net = draft.add("ControlNetLoader", {"control_net": f"{CONTROLS[name]}.safetensors"}, "controlnet")
        if name == "SD3.5":
            net = draft.add("ControlNetKind", {"control_net": net, "kind": "depth"}, "controlnet")
        picture = {"width": draw(st.integers(3, 90)), "height": draw(st.integers(3, 90)), "number": draw(SMALL)}
        inputs = {
            "positive": positive,
            "negative": negative,
            "control_net": net,
            "image": draft.add("Strokes", picture, "image"),
            "strength": draw(st.sampled_from([0.0, 0.5, 1.0, 4.0])),
            **draw(RANGES),
        }
        if kind.channels == 16:
            inputs["vae"] = draft.add("VAELoader", {"vae": "16.safetensors"}, "vae")
        positive = draft.add("ControlNetApply", inputs, "positive")
        negative = {**positive, "output": "negative"}
    return positive, negative


@st.composite
def canvases(draw: DrawFn, draft: Draft, kind: Kind, size: tuple[int, int], batch: int) -> Link:
    height, width = size
    form = {"width": width, "height": height, "batch": batch}
    if draw(st.booleans()):
        canvas = draft.add("EmptyLatent", form, "latent")
    else:
        canvas = draft.add("Cells", {**form, "channels": kind.channels}, "latent")
    if draw(st.booleans()):
        mask = {"width": width, "height": height, "batch": draw(st.sampled_from([1, batch]))}
        mask["hard"] = draw(st.booleans())
        canvas = draft.add(
            "SetLatentNoiseMask", {"latent": canvas, "mask": draft.add("Splotch", mask, "mask")}, "latent"
        )
    return canvas


@st.composite
def combinations(draw: DrawFn, kinds: tuple[str, ...] = tuple(KINDS)) -> Combination:
    name = draw(st.sampled_from(kinds))
    kind, draft = KINDS[name], Draft()
    size, batch = draw(st.sampled_from(kind.sizes)), draw(st.integers(1, 3))
    port = {"UNetLoader": "unet", "MMDiTLoader": "mmdit", "DiTLoader": "dit"}[kind.loader]
    model = draft.add(kind.loader, {port: f"{name}.safetensors"}, "model")
    known = [name for name in GUIDANCE if kind.loader == "UNetLoader" or name != "SelfAttentionGuidance"]
    chosen = draw(st.lists(st.sampled_from(known), max_size=3, unique=True))
    for guidance in chosen:
        model = draft.add(guidance, {"model": model, **draw(GUIDANCE[guidance])}, "model")
    texts = draw(entries(draft, kind)), draw(entries(draft, kind))
    positive, negative = draw(steered(draft, name, kind, texts))
    if name in ("inpainting", "editing") and draw(st.booleans()):
        positive, negative = shown(draft, name, size, positive, negative)
    canvas = draw(canvases(draft, kind, size, batch))
    common = {
        "sampler": draw(st.sampled_from(samplers.names())),
        "schedule": draw(st.sampled_from(sorted(SCHEDULES))),
        "steps": draw(st.sampled_from([1, 2, 3, 5])),
    }
    cfg = draw(st.sampled_from([0.0, 1.0, 1.5, 7.0, 100.0]))
    seed = draw(st.sampled_from([0, 1, 2**32 + 5, 2**63, 2**64 - 1]))
    plain = {"model": model, "positive": positive, "negative": negative, "cfg": cfg, "seed": seed, **common}
    way = draw(st.sampled_from(["KSampler", "KSamplerAdvanced", "parts"]))
    if way == "KSampler":
        denoise = draw(st.sampled_from([0.0, 0.01, 0.3, 1.0]))
        made = draft.add("KSampler", {**plain, "latent": canvas, "denoise": denoise}, "latent")
    elif way == "KSamplerAdvanced":
        made = draw(advanced(draft, plain, canvas))
    else:
        made = draw(parts(draft, plain, canvas))
    draft.add("Kept", {"latent": made})
    shape = (batch, kind.channels, size[0] // 8, size[1] // 8)
    return Combination({"version": 1, "nodes": draft.nodes}, made["node"], shape)


def shown(draft: Draft, name: str, size: tuple[int, int], positive: Link, negative: Link) -> tuple[Link, Link]:
    """The picture that an inpainting or editing model starts from."""
    height, width = size
    inputs: Inputs = {
        "positive": positive,
        "negative": negative,
        "vae": draft.add("VAELoader", {"vae": "4.safetensors"}, "vae"),
        "image": draft.add("Strokes", {"width": width, "height": height}, "image"),
    }
    kind = "InstructPix2PixConditioning"
    if name == "inpainting":
        kind = "InpaintConditioning"
        inputs["mask"] = draft.add("Splotch", {"width": width, "height": height}, "mask")
    made = draft.add(kind, inputs, "positive")
    return made, {**made, "output": "negative"}


@st.composite
def advanced(draw: DrawFn, draft: Draft, plain: Inputs, canvas: Link) -> Link:
    inputs = {
        **plain,
        "latent": canvas,
        "add_noise": draw(st.booleans()),
        "start_at_step": draw(st.integers(0, 6)),
        "end_at_step": draw(st.integers(0, 6)),
        "return_with_leftover_noise": draw(st.booleans()),
        "noise_rule": draw(st.sampled_from(sorted(RULES))),
    }
    return draft.add("KSamplerAdvanced", inputs, "latent")


@st.composite
def parts(draw: DrawFn, draft: Draft, plain: Inputs, canvas: Link) -> Link:
    model, steps = plain["model"], plain["steps"]
    noise = draft.add(
        *draw(
            st.sampled_from(
                [
                    ("RandomNoise", {"seed": plain["seed"], "rule": "weft"}, "noise"),
                    ("RandomNoise", {"seed": plain["seed"], "rule": "comfy"}, "noise"),
                    ("DisableNoise", {"seed": plain["seed"]}, "noise"),
                ]
            )
        )
    )
    texts = {"first": plain["positive"], "second": plain["negative"], "negative": plain["negative"]}
    guide = draft.add(
        *draw(
            st.sampled_from(
                [
                    ("BasicGuider", {"model": model, "conditioning": plain["positive"]}, "guide"),
                    ("CFGGuider", {name: plain[name] for name in ("model", "positive", "negative", "cfg")}, "guide"),
                    ("DualCFGGuider", {"model": model, **texts, "style": "regular"}, "guide"),
                    ("DualCFGGuider", {"model": model, **texts, "style": "nested"}, "guide"),
                    (
                        "PerpNegGuider",
                        {
                            "model": model,
                            "positive": plain["positive"],
                            "negative": plain["negative"],
                            "empty": plain["negative"],
                        },
                        "guide",
                    ),
                ]
            )
        )
    )
    sampler = draft.add(
        *draw(
            st.sampled_from(
                [
                    ("KSamplerSelect", {"sampler": plain["sampler"]}, "sampler"),
                    ("SamplerEta", {"eta": 0.5}, "sampler"),
                ]
            )
        )
    )
    levels = draft.add(
        *draw(
            st.sampled_from(
                [
                    (
                        "BasicScheduler",
                        {
                            "model": model,
                            "steps": steps,
                            "schedule": plain["schedule"],
                            "denoise": 0.5,
                            "sampler": plain["sampler"],
                        },
                        "sigmas",
                    ),
                    ("BasicScheduler", {"model": model, "steps": steps, "schedule": plain["schedule"]}, "sigmas"),
                    ("PolyexponentialScheduler", {"model": model, "steps": steps, "rho": 2.0}, "sigmas"),
                    ("LaplaceScheduler", {"model": model, "steps": steps}, "sigmas"),
                    ("CurveScheduler", {"model": model, "steps": steps}, "sigmas"),
                    ("SDTurboScheduler", {"model": model, "steps": steps}, "sigmas"),
                    ("AlignYourStepsScheduler", {"steps": steps}, "sigmas"),
                    ("VPScheduler", {"steps": steps}, "sigmas"),
                ]
            )
        )
    )
    match draw(st.integers(0, 5)):
        case 0:
            levels = draft.add("SplitSigmas", {"sigmas": levels, "step": draw(SMALL)}, "high")
        case 1:
            levels = draft.add("SplitSigmas", {"sigmas": levels, "step": draw(SMALL)}, "low")
        case 2:
            levels = draft.add("FlipSigmas", {"sigmas": levels}, "sigmas")
        case _:
            pass
    inputs = {"noise": noise, "guide": guide, "sampler": sampler, "sigmas": levels, "latent": canvas}
    return draft.add("SamplerCustomAdvanced", inputs, "latent")
