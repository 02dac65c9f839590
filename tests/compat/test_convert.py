"""Workflows of ComfyUI, in both of its formats, become documents that compute what is meant."""

from __future__ import annotations

from typing import Any

import pytest

from graph.flatten import flatten
from graph.problems import InvalidGraph, Problems
from tests.compat.conftest import Here
from tests.compat.drawings import Drawn, Json, prompt, text_to_image


def link(node: str, output: str) -> Json:
    return {"node": node, "output": output}


def of_type(document: Json, kind: str) -> list[Json]:
    return [node["inputs"] for node in document["nodes"].values() if node["type"] == kind]


def one(document: Json, kind: str) -> Json:
    (found,) = of_type(document, kind)
    return found


BY_HAND: Json = {
    "1": {"type": "CheckpointLoader", "inputs": {"checkpoint": "weft-emoji-unet.safetensors"}},
    "2": {"type": "CLIPTextEncode", "inputs": {"clip": link("1", "clip"), "text": "a fox on blue background"}},
    "3": {"type": "CLIPTextEncode", "inputs": {"clip": link("1", "clip"), "text": ""}},
    "4": {"type": "EmptyLatent", "inputs": {"width": 128, "height": 128, "batch": 1}},
    "5": {
        "type": "KSamplerAdvanced",
        "inputs": {
            "model": link("1", "model"),
            "positive": link("2", "conditioning"),
            "negative": link("3", "conditioning"),
            "latent": link("4", "latent"),
            "seed": 7,
            "steps": 4,
            "cfg": 3.0,
            "sampler": "euler",
            "schedule": "normal",
            "noise_rule": "comfy",
        },
    },
    "6": {"type": "VAEDecode", "inputs": {"vae": link("1", "vae"), "latent": link("5", "latent")}},
    "7": {"type": "SaveImage", "inputs": {"image": link("6", "image"), "prefix": "ComfyUI"}},
}


def test_text_to_image_is_what_one_would_draw(here: Here) -> None:
    drawn, api = text_to_image()
    expected = here.computes({"version": 1, "nodes": BY_HAND})
    assert here.computes(here.whole(drawn)) == here.computes(here.whole(api)) == expected


def test_a_seed_keeps_what_becomes_of_it_and_nodes_their_places(here: Here) -> None:
    document = here.whole(text_to_image()[0])
    assert document["nodes"]["3"]["after_run"] == {"seed": "random"}
    places = document["view"]["nodes"]
    assert places.keys() == document["nodes"].keys()
    assert places["4"]["x"] < places["6"]["x"] < places["3"]["x"] < places["9"]["x"]
    assert places["6"]["y"] < places["7"]["y"] < places["5"]["y"]


def sampled(d: Drawn, latent: tuple[int, int], denoise: float = 1.0, model: int = 1, clip: int = 1) -> None:
    """Prompts, a KSampler 5, and what follows to a SaveImage 7; the VAE is that of node 1."""
    d.node(2, "CLIPTextEncode", ["a cat"], "CONDITIONING", clip=(clip, 1))
    d.node(3, "CLIPTextEncode", ["blurry"], "CONDITIONING", clip=(clip, 1))
    values = [1, "fixed", 10, 7, "dpmpp_2m_sde_gpu", "karras", denoise]
    d.node(5, "KSampler", values, "LATENT", model=(model, 0), positive=(2, 0), negative=(3, 0), latent_image=latent)
    d.node(6, "VAEDecode", None, "IMAGE", samples=(5, 0), vae=(1, 2))
    d.node(7, "SaveImage", ["x"], images=(6, 0))


def loaded() -> Drawn:
    d = Drawn()
    d.node(1, "CheckpointLoaderSimple", ["sd\\a.safetensors"], "MODEL CLIP VAE")
    return d


def api_sampled(
    latent: list[Any], denoise: float = 1.0, model: str = "1", clip: str = "1"
) -> dict[str, tuple[str, Json]]:
    given = {"seed": 1, "steps": 10, "cfg": 7, "sampler_name": "dpmpp_2m_sde_gpu", "scheduler": "karras"}
    links = {"model": [model, 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": latent}
    return {
        "n1": ("CheckpointLoaderSimple", {"ckpt_name": "sd\\a.safetensors"}),
        "n2": ("CLIPTextEncode", {"text": "a cat", "clip": [clip, 1]}),
        "n3": ("CLIPTextEncode", {"text": "blurry", "clip": [clip, 1]}),
        "n5": ("KSampler", {**given, **links, "denoise": denoise}),
        "n6": ("VAEDecode", {"samples": ["5", 0], "vae": ["1", 2]}),
        "n7": ("SaveImage", {"filename_prefix": "x", "images": ["6", 0]}),
    }


def test_image_to_image_paints_the_last_of_more_steps(here: Here) -> None:
    d = loaded()
    d.node(8, "LoadImage", ["a.png", "image"], "IMAGE MASK")
    d.node(9, "VAEEncode", None, "LATENT", pixels=(8, 0), vae=(1, 2))
    sampled(d, (9, 0), 0.6)
    api = api_sampled(["9", 0], 0.6) | {
        "n8": ("LoadImage", {"image": "a.png"}),
        "n9": ("VAEEncode", {"pixels": ["8", 0], "vae": ["1", 2]}),
    }
    document = here.whole(d.json())
    assert here.computes(document) == here.computes(here.whole(prompt(**api)))
    painted = one(document, "KSamplerAdvanced")
    assert (painted["steps"], painted["start_at_step"], painted["end_at_step"]) == (16, 6, 1000)
    assert painted["sampler"] == "dpmpp_2m_sde"
    assert one(document, "CheckpointLoader")["checkpoint"] == "sd/a.safetensors"


def test_inpainting(here: Here) -> None:
    d = loaded()
    d.node(8, "LoadImage", ["clipspace/a.png [input]", "image"], "IMAGE MASK")
    d.node(9, "VAEEncodeForInpaint", [4], "LATENT", pixels=(8, 0), vae=(1, 2), mask=(8, 1))
    sampled(d, (9, 0))
    api = api_sampled(["9", 0]) | {
        "n8": ("LoadImage", {"image": "clipspace/a.png"}),
        "n9": ("VAEEncodeForInpaint", {"pixels": ["8", 0], "vae": ["1", 2], "mask": ["8", 1], "grow_mask_by": 4}),
    }
    document = here.whole(d.json())
    assert here.computes(document) == here.computes(here.whole(prompt(**api)))
    assert one(document, "VAEEncodeForInpaint")["mask"] == link("8", "mask")


def lora(name: str, model: float, clip: float) -> Json:
    return {"lora_name": name, "strength_model": model, "strength_clip": clip}


def test_two_loras_with_strengths_of_clip(here: Here) -> None:
    d = loaded()
    d.node(4, "EmptyLatentImage", [512, 512, 1], "LATENT")
    d.node(8, "LoraLoader", ["a.safetensors", 0.8, 0.5], "MODEL CLIP", model=(1, 0), clip=(1, 1))
    d.node(9, "LoraLoader", ["b.safetensors", 1, 0], "MODEL CLIP", model=(8, 0), clip=(8, 1))
    sampled(d, (4, 0), model=9, clip=9)
    api = api_sampled(["4", 0], model="9", clip="9") | {
        "n4": ("EmptyLatentImage", {"width": 512, "height": 512, "batch_size": 1}),
        "n8": (
            "LoraLoader",
            {
                "model": ["1", 0],
                "clip": ["1", 1],
                "lora_name": "a.safetensors",
                "strength_model": 0.8,
                "strength_clip": 0.5,
            },
        ),
        "n9": (
            "LoraLoader",
            {
                "model": ["8", 0],
                "clip": ["8", 1],
                "lora_name": "b.safetensors",
                "strength_model": 1,
                "strength_clip": 0,
            },
        ),
    }
    document = here.whole(d.json())
    assert here.computes(document) == here.computes(here.whole(prompt(**api)))
    assert [each["strength_clip"] for each in of_type(document, "LoRALoader")] == [0.5, 0]


def test_controlnet_of_both_kinds(here: Here) -> None:
    d = loaded()
    d.node(2, "CLIPTextEncode", ["a cat"], "CONDITIONING", clip=(1, 1))
    d.node(3, "CLIPTextEncode", [""], "CONDITIONING", clip=(1, 1))
    d.node(8, "ControlNetLoader", ["edges.safetensors"], "CONTROL_NET")
    d.node(9, "LoadImage", ["a.png"], "IMAGE MASK")
    d.node(10, "Canny", [0.1, 0.3], "IMAGE", image=(9, 0))
    d.node(11, "ControlNetApply", [0.7], "CONDITIONING", conditioning=(2, 0), control_net=(8, 0), image=(10, 0))
    d.node(
        12,
        "ControlNetApplyAdvanced",
        [1, 0, 0.5],
        "positive negative",
        positive=(11, 0),
        negative=(3, 0),
        control_net=(8, 0),
        image=(10, 0),
    )
    d.node(4, "EmptyLatentImage", [512, 512, 1], "LATENT")
    values = [1, "fixed", 10, 7, "euler", "normal", 1]
    d.node(5, "KSampler", values, "LATENT", model=(1, 0), positive=(12, 0), negative=(12, 1), latent_image=(4, 0))
    d.node(6, "VAEDecode", None, "IMAGE", samples=(5, 0), vae=(1, 2))
    d.node(7, "PreviewImage", None, images=(6, 0))
    nodes = here.whole(d.json())["nodes"]
    assert nodes["12"]["inputs"]["negative"] == link("11", "negative")
    assert nodes["11"]["inputs"]["negative"] == link("3", "conditioning")
    assert nodes["11"]["inputs"]["strength"] == 0.7
    assert nodes["12"]["inputs"]["end"] == 0.5
    assert nodes["5"]["inputs"]["negative"] == link("12", "negative")


def test_a_bypassed_controlnet_keeps_the_prompts_apart(here: Here) -> None:
    d = loaded()
    d.node(4, "EmptyLatentImage", [512, 512, 1], "LATENT")
    sampled(d, (4, 0))
    expected = here.computes(here.whole(d.json()))
    d.node(8, "ControlNetLoader", ["edges.safetensors"], "CONTROL_NET")
    d.node(9, "LoadImage", ["a.png"], "IMAGE MASK")
    links = {"positive": (2, 0), "negative": (3, 0), "control_net": (8, 0), "image": (9, 0)}
    d.node(12, "ControlNetApplyAdvanced", [1, 0, 1], "positive negative", mode=4, **links)
    for slot in (1, 2):
        d.link(12, slot - 1, 5, slot)
    document = here.whole(d.json())
    assert document["nodes"]["5"]["inputs"]["negative"] == link("12", "negative")
    assert here.computes(document) == expected


def test_base_and_refiner_share_a_generation(here: Here) -> None:
    d = loaded()
    d.node(2, "CheckpointLoaderSimple", ["refiner.safetensors"], "MODEL CLIP VAE")
    sizes = [1024, 1024, 0, 0, 1024, 1024]
    d.node(3, "CLIPTextEncodeSDXL", [*sizes, "a cat", "fluffy"], "CONDITIONING", clip=(1, 1))
    d.node(4, "CLIPTextEncodeSDXL", [*sizes, "", ""], "CONDITIONING", clip=(1, 1))
    d.node(5, "CLIPTextEncodeSDXLRefiner", [6, 1024, 1024, "a cat"], "CONDITIONING", clip=(2, 1))
    d.node(6, "CLIPTextEncodeSDXLRefiner", [2.5, 1024, 1024, ""], "CONDITIONING", clip=(2, 1))
    d.node(7, "EmptyLatentImage", [1024, 1024, 1], "LATENT")
    first = ["enable", 5, "randomize", 25, 8, "euler", "normal", 0, 20, "enable"]
    d.node(8, "KSamplerAdvanced", first, "LATENT", model=(1, 0), positive=(3, 0), negative=(4, 0), latent_image=(7, 0))
    then = ["disable", 0, "fixed", 25, 8, "euler", "normal", 20, 10000, "disable"]
    d.node(9, "KSamplerAdvanced", then, "LATENT", model=(2, 0), positive=(5, 0), negative=(6, 0), latent_image=(8, 0))
    d.node(10, "VAEDecode", None, "IMAGE", samples=(9, 0), vae=(2, 2))
    d.node(11, "SaveImage", ["x"], images=(10, 0))
    nodes = here.whole(d.json())["nodes"]
    base, refined = nodes["8"]["inputs"], nodes["9"]["inputs"]
    assert (base["add_noise"], base["end_at_step"], base["return_with_leftover_noise"]) == (True, 20, True)
    assert (refined["add_noise"], refined["start_at_step"], refined["return_with_leftover_noise"]) == (False, 20, False)
    assert base["noise_rule"] == "comfy"
    sized = nodes[base["positive"]["node"]]
    assert sized["type"] == "ConditioningSetSizes"
    assert nodes[sized["inputs"]["conditioning"]["node"]]["inputs"]["clip_l"] == "fluffy"
    assert nodes[refined["negative"]["node"]]["inputs"]["aesthetic"] == 2.5


def test_stable_diffusion_3_with_three_encoders(here: Here) -> None:
    d = Drawn()
    d.node(1, "UNETLoader", ["sd3.5_medium.safetensors", "default"], "MODEL")
    d.node(2, "TripleCLIPLoader", ["g.safetensors", "l.safetensors", "t5.safetensors"], "CLIP")
    d.node(3, "ModelSamplingSD3", [2.5], "MODEL", model=(1, 0))
    d.node(4, "CLIPTextEncodeSD3", ["l", "g", "t", "none"], "CONDITIONING", clip=(2, 0))
    d.node(5, "ConditioningZeroOut", None, "CONDITIONING", conditioning=(4, 0))
    d.node(6, "ConditioningSetTimestepRange", [0.1, 1], "CONDITIONING", conditioning=(5, 0))
    d.node(7, "EmptySD3LatentImage", [1024, 768, 2], "LATENT")
    values = [1, "fixed", 28, 4.5, "dpmpp_2m", "sgm_uniform", 1]
    d.node(8, "KSampler", values, "LATENT", model=(3, 0), positive=(4, 0), negative=(6, 0), latent_image=(7, 0))
    d.node(9, "VAELoader", ["vae.safetensors"], "VAE")
    d.node(10, "VAEDecodeTiled", [512, 64, 64, 8], "IMAGE", samples=(8, 0), vae=(9, 0))
    d.node(11, "SaveImage", ["x"], images=(10, 0))
    nodes = here.whole(d.json())["nodes"]
    assert nodes["1"] == {"type": "MMDiTLoader", "inputs": {"mmdit": "sd3.5_medium.safetensors"}}
    assert nodes["2"]["inputs"]["text_encoder_3"] == "t5.safetensors"
    assert nodes["4"]["inputs"] == {"clip": link("2", "clip"), "clip_l": "l", "clip_g": "g", "t5xxl": "t"}
    assert nodes["7"]["inputs"] == {"width": 1024, "height": 768, "batch": 2}


def flux() -> Drawn:
    d = Drawn()
    d.node(1, "UNETLoader", ["flux1-dev.safetensors", "default"], "MODEL")
    d.node(2, "DualCLIPLoader", ["t5.safetensors", "l.safetensors", "flux"], "CLIP")
    d.node(3, "ModelSamplingFlux", [1.15, 0.5, 1024, 768], "MODEL", model=(1, 0))
    d.node(4, "CLIPTextEncode", ["a cat"], "CONDITIONING", clip=(2, 0))
    d.node(5, "FluxGuidance", [2.5], "CONDITIONING", conditioning=(4, 0))
    d.node(6, "BasicGuider", None, "GUIDER", model=(3, 0), conditioning=(5, 0))
    d.node(7, "RandomNoise", [9, "randomize"], "NOISE")
    d.node(8, "KSamplerSelect", ["euler"], "SAMPLER")
    d.node(9, "BasicScheduler", ["simple", 20, 1], "SIGMAS", model=(3, 0))
    d.node(10, "EmptySD3LatentImage", [1024, 768, 1], "LATENT")
    parts = {"noise": (7, 0), "guider": (6, 0), "sampler": (8, 0), "sigmas": (9, 0), "latent_image": (10, 0)}
    d.node(11, "SamplerCustomAdvanced", None, "output denoised_output", **parts)
    d.node(12, "VAELoader", ["ae.safetensors"], "VAE")
    d.node(13, "VAEDecode", None, "IMAGE", samples=(11, 0), vae=(12, 0))
    d.node(14, "SaveImage", ["x"], images=(13, 0))
    return d


def test_guidance_of_flux_goes_with_the_model(here: Here) -> None:
    document = here.whole(flux().json())
    nodes = document["nodes"]
    guide = nodes["6"]["inputs"]
    guided = nodes[guide["model"]["node"]]
    assert guided["type"] == "FluxGuidance"
    assert guided["inputs"] == {"model": link("3", "model"), "guidance": 2.5}
    assert guide["conditioning"] == link("4", "conditioning")
    assert nodes["9"]["inputs"]["model"] == link("3", "model")
    shifted = nodes["3"]["inputs"]
    assert nodes[shifted["latent"]["node"]]["inputs"] == {"width": 1024, "height": 768}
    assert nodes["1"]["type"] == "MMDiTLoader"
    assert nodes["7"]["inputs"] == {"seed": 9, "rule": "comfy"}
    assert guide["model"]["node"] in document["view"]["nodes"]


def test_a_custom_sampler_with_everything_in_it_comes_in_parts(here: Here) -> None:
    d = loaded()
    d.node(2, "CLIPTextEncode", ["a"], "CONDITIONING", clip=(1, 1))
    d.node(4, "EmptyLatentImage", [512, 512, 1], "LATENT")
    d.node(8, "KSamplerSelect", ["sample_lcm"], "SAMPLER")
    d.node(9, "SDTurboScheduler", [2, 1], "SIGMAS", model=(1, 0))
    links = {"model": (1, 0), "positive": (2, 0), "negative": (2, 0), "sampler": (8, 0), "sigmas": (9, 0)}
    d.node(5, "SamplerCustom", [True, 3, "fixed", 1.5], "output denoised_output", **links, latent_image=(4, 0))
    d.node(6, "VAEDecode", None, "IMAGE", samples=(5, 1), vae=(1, 2))
    d.node(7, "SaveImage", ["x"], images=(6, 0))
    document = here.whole(d.json())
    assert one(document, "CFGGuider")["cfg"] == 1.5
    assert one(document, "RandomNoise") == {"seed": 3, "rule": "comfy"}
    assert one(document, "VAEDecode")["latent"] == link("5", "denoised")
    assert one(document, "KSamplerSelect")["sampler"] == "lcm"


def test_upscaling_and_merging(here: Here) -> None:
    d = loaded()
    d.node(2, "CheckpointLoaderSimple", ["b.safetensors"], "MODEL CLIP VAE")
    d.node(8, "ModelMergeSimple", [0.3], "MODEL", model1=(1, 0), model2=(2, 0))
    d.node(9, "CheckpointSave", ["mixed/x"], model=(8, 0), clip=(1, 1), vae=(1, 2))
    d.node(10, "LoadImage", ["a.png"], "IMAGE MASK")
    d.node(11, "UpscaleModelLoader", ["4x.pth"], "UPSCALE_MODEL")
    d.node(12, "Reroute", None, "x", **{"": (11, 0)})
    d.node(13, "ImageUpscaleWithModel", None, "IMAGE", upscale_model=(12, 0), image=(10, 0))
    d.node(14, "ImageScale", ["nearest-exact", 512, 768, "center"], "IMAGE", image=(13, 0))
    d.node(15, "PreviewImage", None, images=(14, 0))
    document = here.whole(d.json())
    assert one(document, "ModelMerge") == {"model_a": link("2", "model"), "model_b": link("1", "model"), "ratio": 0.3}
    assert one(document, "ImageUpscaleWithModel") == {"upscaler": "4x.pth", "image": link("10", "image")}
    assert one(document, "ImageScale")["fit"] == "crop"
    assert not {"11", "12"} & document["nodes"].keys()


def test_nodes_that_are_off_stay_off(here: Here) -> None:
    d = loaded()
    d.node(4, "EmptyLatentImage", [512, 512, 1], "LATENT")
    d.node(8, "LoraLoader", ["a.safetensors", 1, 1], "MODEL CLIP", "MODEL CLIP", mode=4, model=(1, 0), clip=(1, 1))
    d.node(9, "Pack Sharpener", [3], "MODEL", "MODEL", mode=4, model=(8, 0))
    sampled(d, (4, 0), model=9, clip=8)
    d.node(10, "PreviewImage", None, mode=2, images=(6, 0))
    for node in d.nodes:
        if node["id"] in (8, 9):
            for slot, kind in zip(node["outputs"], ("MODEL", "CLIP")):
                slot["type"] = kind
    made = here.convert(d.json())
    assert {id: node["mode"] for id, node in made.document["nodes"].items() if "mode" in node} == {
        "8": "bypass", "9": "mute", "10": "mute",
    }  # fmt: skip
    bare = loaded()
    bare.node(4, "EmptyLatentImage", [512, 512, 1], "LATENT")
    sampled(bare, (4, 0))
    assert here.computes(made.document) == here.computes(here.whole(bare.json()))


def test_reroutes_primitives_notes_and_groups(here: Here) -> None:
    d = loaded()
    d.node(4, "EmptyLatentImage", [512, 512, 1], "LATENT")
    d.node(20, "Reroute", None, "x", **{"": (1, 0)})
    sampled(d, (4, 0), model=20)
    d.node(21, "PrimitiveNode", [99, "randomize"], "INT")
    d.node(22, "PrimitiveInt", [33, "fixed"], "INT")
    sampler = next(node for node in d.nodes if node["id"] == 5)
    for slot, (name, origin) in enumerate((("seed", 21), ("steps", 22)), len(sampler["inputs"])):
        sampler["inputs"].append({"name": name, "type": "INT", "widget": {"name": name}, "link": None})
        d.link(origin, 0, 5, slot)
    d.node(23, "MarkdownNote", ["# Read me"])
    first = d.nodes[0]
    d.nodes[1]["title"] = "Empty Latent Image"
    first |= {"pos": {"0": 40, "1": 60}, "color": "#322", "bgcolor": "#533", "title": "The model"}
    around = {"title": "Loading", "bounding": [0, 0, 300, 300], "color": "#3f789e"}
    document = here.whole(d.json(groups=[around, {"title": "bad", "bounding": [1, 2]}]))
    assert document["nodes"]["20"] == {"type": "Reroute", "inputs": {"value": link("1", "model")}}
    assert one(document, "KSamplerAdvanced")["seed"] == 99
    assert one(document, "KSamplerAdvanced")["steps"] == 33
    assert one(document, "Note")["text"] == "# Read me"
    assert document["nodes"]["1"]["title"] == "The model"
    assert [id for id, node in document["nodes"].items() if "title" in node] == ["1", "5"]
    assert document["view"]["nodes"]["1"] == {"x": 46, "y": 90, "colour": "red", "frame": "a"}
    assert document["view"]["frames"] == {
        "a": {"title": "Loading", "x": 0, "y": 0, "w": 345, "h": 450, "colour": "blue"}
    }


def test_widgets_that_came_later_take_their_defaults(here: Here) -> None:
    d = loaded()
    d.node(4, "EmptyLatentImage", [512, 512], "LATENT")
    sampled(d, (4, 0))
    sampler = next(node for node in d.nodes if node["id"] == 5)
    sampler["widgets_values"] = [8, True, 20, 6.5, "sample_euler", 1]
    document = here.whole(d.json())
    painted = one(document, "KSamplerAdvanced")
    assert {name: painted[name] for name in ("seed", "steps", "cfg", "sampler", "schedule")} == {
        "seed": 8, "steps": 20, "cfg": 6.5, "sampler": "euler", "schedule": "normal",
    }  # fmt: skip
    assert one(document, "EmptyLatent")["batch"] == 1


def test_values_by_name_are_read_too(here: Here) -> None:
    for field in ("widgets_values_named", "widgets_values"):
        d = loaded()
        d.node(4, "EmptyLatentImage", None, "LATENT")
        sampled(d, (4, 0))
        d.nodes[1] |= {"widgets_values": [1, 2, 3], field: {"height": 64, "width": 128.0, "batch_size": "2"}}
        assert one(here.whole(d.json()), "EmptyLatent") == {"width": 128, "height": 64, "batch": 2}


def test_links_as_objects_are_read_too(here: Here) -> None:
    drawn, api = text_to_image()
    fields = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    drawn["links"] = [dict(zip(fields, each)) for each in drawn["links"]]
    assert here.computes(here.whole({**drawn, "version": 1})) == here.computes(here.whole(api))


def subgraph(id: str, inner: Drawn, inputs: list[Json], outputs: list[Json], **more: Any) -> Json:
    fields = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    links = [dict(zip(fields, each)) for each in inner.links]
    return {"id": id, "name": id, "inputs": inputs, "outputs": outputs, "nodes": inner.nodes, "links": links, **more}


def test_nested_subgraphs_become_components(here: Here) -> None:
    """A subgraph "encode" within "paint": prompts and sampling are inside, the second prompt's text is promoted."""
    encode = Drawn()
    encode.node(1, "CLIPTextEncode", ["inner words"], "CONDITIONING", clip=(-10, 0))
    text_slot = {"name": "text", "type": "STRING", "widget": {"name": "text"}, "link": None}
    encode.nodes[0]["inputs"].append({**text_slot})
    encode.link(-10, 1, 1, 1)
    encode.links.append([9, 1, 0, -20, 0, "*"])
    ports = [{"name": "clip", "type": "CLIP"}, {"name": "text", "type": "STRING"}]
    encoding = subgraph("encode", encode, ports, [{"name": "cond", "type": "CONDITIONING"}])

    paint = Drawn()
    for id, words in ((1, ["a fox on blue background"]), (2, [""])):
        paint.node(id, "encode", words, "cond", clip=(-10, 1))
        paint.nodes[-1]["inputs"].append({**text_slot})
    paint.node(5, "EmptyLatentImage", [128, 128, 1], "LATENT")
    links = {"model": (-10, 0), "positive": (1, 0), "negative": (2, 0), "latent_image": (5, 0)}
    paint.node(3, "KSampler", [7, "fixed", 4, 3, "euler", "normal", 1], "LATENT", **links)
    paint.links.append([9, 3, 0, -20, 0, "*"])
    ports = [{"name": "model", "type": "MODEL"}, {"name": "clip", "type": "CLIP"}]
    outside = [{"name": "latent", "type": "LATENT"}]
    painting = subgraph("paint", paint, ports, outside, definitions={"subgraphs": [encoding]})

    d = Drawn()
    d.node(4, "CheckpointLoaderSimple", ["weft-emoji-unet.safetensors"], "MODEL CLIP VAE")
    d.node(6, "paint", None, "latent", model=(4, 0), clip=(4, 1))
    d.node(8, "VAEDecode", None, "IMAGE", samples=(6, 0), vae=(4, 2))
    d.node(9, "SaveImage", ["ComfyUI"], images=(8, 0))
    document = here.whole(d.json(definitions={"subgraphs": [painting]}))
    assert here.computes(document) == here.computes(here.whole(text_to_image()[1]))
    assert document["nodes"]["6"] == {
        "type": "component:paint",
        "inputs": {"model": link("4", "model"), "clip": link("4", "clip")},
    }
    assert document["nodes"]["8"]["inputs"]["latent"] == link("6", "latent")
    paint = document["components"]["paint"]
    assert [port["name"] for port in paint["inputs"]] == ["model", "clip", "clip"]
    assert paint["outputs"] == [{"name": "latent", "node": "3", "output": "latent"}]
    assert paint["nodes"]["1"] == {"type": "component:encode", "inputs": {"text": "a fox on blue background"}}
    assert paint["nodes"]["2"] == {"type": "component:encode", "inputs": {"text": ""}}
    assert set(document["components"]) == {"paint", "encode"}
    assert document["components"]["encode"]["view"]["nodes"] == {"1": {"x": 0, "y": 150}}


def test_instances_of_a_subgraph_have_seeds_titles_and_modes_of_their_own(here: Here) -> None:
    """The widget of one is shown as older files do, what only one of them has links for is a port of both, and a third
    that is bypassed is drawn and passes on what it reads."""
    inner = Drawn()
    inner.node(1, "CLIPTextEncode", ["of both"], "CONDITIONING", clip=(-10, 1))
    sampler = {"model": (-10, 0), "positive": (1, 0), "negative": (1, 0), "latent_image": (-10, 2)}
    inner.node(3, "KSampler", [7, "randomize", 4, 3, "euler", "normal", 1], "LATENT", **sampler)
    inner.links.append([9, 3, 0, -20, 0, "*"])
    ports = [{"name": name, "type": name.upper()} for name in ("model", "clip", "latent")]
    group = {"title": "All", "bounding": [-50, 0, 900, 900]}
    paint = subgraph("0a-1b", inner, ports, [{"name": "painted", "type": "LATENT"}], name="Paint", groups=[group])
    d = Drawn()
    d.node(4, "CheckpointLoaderSimple", ["weft-emoji-unet.safetensors"], "MODEL CLIP VAE")
    d.node(5, "EmptyLatentImage", [128, 128, 1], "LATENT")
    types = "MODEL CLIP LATENT"
    shown = {"proxyWidgets": [["3", "steps"], ["-1", "own"], "odd"]}
    for id, source, mode in ((6, 5, 0), (7, 6, 0), (10, 7, 4)):
        d.node(id, "0a-1b", None, "LATENT", types, mode, model=(4, 0), clip=(4, 1), latent=(source, 0))
        d.nodes[-1] |= {"properties": shown, "title": f"Pass {id}"}
    d.node(8, "VAEDecode", None, "IMAGE", samples=(10, 0), vae=(4, 2))
    d.node(9, "SaveImage", ["ComfyUI"], images=(8, 0))
    document = here.whole(d.json(definitions={"subgraphs": [paint]}))
    nodes = document["nodes"]
    assert nodes["8"]["inputs"]["latent"] == nodes["10"]["inputs"]["latent"] == link("7", "painted")
    assert nodes["7"] == {
        "type": "component:Paint",
        "inputs": {
            "steps": 4,
            "clip": link("4", "clip"),
            "model": link("4", "model"),
            "latent": link("6", "painted"),
            "seed": 7,
        },
        "after_run": {"seed": "random"},
        "title": "Pass 7",
    }
    assert [nodes[id].get("mode") for id in ("6", "7", "10")] == [None, None, "mute"]
    assert [*document["components"]] == ["Paint"]
    assert "after_run" not in document["components"]["Paint"]["nodes"]["3"]
    assert document["components"]["Paint"]["view"]["frames"]["a"]["title"] == "All"
    nodes["7"]["inputs"]["seed"] = 8
    flat = flatten(document, here.registry, Problems())
    assert [flat.entries[f"{id}/3"]["inputs"]["seed"] for id in ("6", "7")] == [7, 8]


def test_what_is_unknown_is_kept_and_told(here: Here) -> None:
    drawn, _ = text_to_image()
    d = Drawn(drawn["nodes"], drawn["links"])
    d.node(30, "Pack Glow", [0.5, "soft"], "IMAGE GLOW", image=(8, 0))
    d.nodes[-1]["inputs"] += [
        {"name": name, "type": "X", "widget": {"name": name}, "link": None} for name in ("by", "how")
    ]
    d.node(31, "Pack Odd", [1, 2, 3], "IMAGE", image=(30, 1))
    d.nodes[-1]["properties"] = {"cnr_id": "odd-pack", "ver": "1.0"}
    d.node(32, "ImageGrid", [4], "IMAGE", image=(31, 0))
    d.node(33, "PreviewImage", None, images=(32, 0))
    made = here.convert(d.json())
    nodes = made.document["nodes"]
    assert nodes["30"] == {"type": "Pack Glow", "inputs": {"by": 0.5, "how": "soft", "image": link("8", "image")}}
    odd = {"type": "Pack Odd", "inputs": {"image": link("30", "GLOW")}}
    assert nodes["31"] == odd | {"widgets_values": [1, 2, 3], "pack": "odd-pack"}
    assert nodes["32"]["type"] == "comfy.ImageGrid"
    assert nodes["33"]["inputs"] == {"image": link("32", "IMAGE")}
    assert [note.text for note in made.notes] == [
        "3 of 11 nodes have no counterpart here and are kept as they are: Pack Glow, Pack Odd, ImageGrid."
    ]


def test_words_without_meaning_here_are_told_and_kept(here: Here) -> None:
    api = api_sampled(["4", 0]) | {
        "n4": ("EmptyLatentImage", {"width": 512, "height": 512, "batch_size": 1}),
        "n8": ("GrowMask", {"mask": ["9", 0], "expand": 4, "tapered_corners": False}),
        "n9": ("SolidMask", {"value": 1, "width": 8, "height": 8}),
    }
    api["n5"][1]["sampler_name"] = "heunpp2"
    made = here.convert(prompt(**api))
    assert made.document["nodes"]["5"]["inputs"]["sampler"] == "heunpp2"
    assert [(note.code, note.node, note.values["value"]) for note in made.notes] == [
        ("value", "5", "heunpp2"),
        ("left", "8", "false"),
    ]
    with pytest.raises(InvalidGraph, match="heunpp2"):
        here.graph(made.document)


def test_what_a_sampler_or_guidance_cannot_be_here_is_told(here: Here) -> None:
    api = api_sampled(["4", 0]) | {
        "n4": ("EmptyLatentImage", {"width": 512, "height": 512, "batch_size": 1}),
        "n8": ("Pack Number", {}),
        "n9": ("FluxGuidance", {"conditioning": ["2", 0], "guidance": 2.0}),
        "n10": ("Pack Sampler", {"positive": ["9", 0]}),
    }
    api["n5"][1]["denoise"] = ["8", 0]
    made = here.convert(prompt(**api))
    nodes = made.document["nodes"]
    assert nodes["5"]["inputs"]["denoise"] == link("8", "output 0")
    assert nodes["9"] == {"type": "FluxGuidance", "inputs": {"guidance": 2.0}, "mode": "mute"}
    assert nodes["10"]["inputs"]["positive"] == link("2", "conditioning")
    assert [note.code for note in made.notes] == ["missing", "noise", "unread"]


def test_a_ratio_that_is_the_other_way_round_is_told_where_it_is_linked(here: Here) -> None:
    mixed = {"conditioning_to": ["2", 0], "conditioning_from": ["2", 0], "conditioning_to_strength": 0.3}
    text = ("CLIPTextEncode", {"text": "a"})
    made = here.convert(prompt(n1=("ConditioningAverage", mixed), n2=text))
    assert (one(dict(made.document), "ConditioningAverage")["ratio"], made.notes) == (0.7, ())
    mixed["conditioning_to_strength"] = ["3", 0]
    made = here.convert(prompt(n1=("ConditioningAverage", mixed), n2=text, n3=("Pack Number", {})))
    assert [note.code for note in made.notes] == ["missing", "turned"]


@pytest.mark.parametrize("channel", ["alpha", "red"])
def test_masks_of_pictures(here: Here, channel: str) -> None:
    api = prompt(
        n1=("LoadImageMask", {"image": "a.png", "channel": channel}),
        n2=("MaskPreview", {"mask": ["1", 0]}),
    )
    document = here.whole(api)
    shown = one(document, "MaskToImage")["mask"]
    if channel == "alpha":
        assert shown == link("1", "mask")
    else:
        assert one(document, "MaskFromImage") == {"image": link("1.picture", "image"), "channel": "red"}
    assert [len(of_type(document, kind)) for kind in ("LoadImage", "PreviewImage")] == [1, 1]


def test_ids_that_mean_something_here_are_others(here: Here) -> None:
    api = {
        "a/b": {"class_type": "SolidMask", "inputs": {}},
        ":": {"class_type": "MaskPreview", "inputs": {"mask": ["a/b", 0]}},
    }
    document = here.whole(api)
    problems = Problems()
    assert len(flatten(document, here.registry, problems).entries) == 3
    assert not problems
    assert document["nodes"]["a|b"]["type"] == "SolidMask"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("%date:yyyy-MM-dd%/cat_%KSampler.seed%", "cat"),
        ("pets\\%year%\\cat", "pets/cat"),
        ("%date%", "ComfyUI"),
        ("100% cat", "100% cat"),
    ],
)
def test_what_is_filled_into_names_of_files_there_is_left_out_and_told(here: Here, written: str, kept: str) -> None:
    made = here.convert(prompt(n1=("LoadImage", {"image": "a.png"}),
                               n2=("SaveImage", {"images": ["1", 0], "filename_prefix": written})))  # fmt: skip
    assert made.document["nodes"]["2"]["inputs"]["prefix"] == kept
    assert [note.code for note in made.notes] == ["pattern"] * (written != kept)


def test_choices_in_prompts_are_kept_and_told(here: Here) -> None:
    texts = ("a {red|blue} cat", r"a \{red|blue\} cat", "a {red} cat")
    made = here.convert(
        prompt(**{f"n{number}": ("CLIPTextEncode", {"text": text}) for number, text in enumerate(texts)})
    )
    assert [node["inputs"]["text"] for node in made.document["nodes"].values()] == [*texts]
    assert [(note.code, note.node, note.values["value"]) for note in made.notes] == [("choice", "0", "{red|blue}")]
