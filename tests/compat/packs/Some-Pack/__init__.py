"""A pack written for ComfyUI, with what its contract has that packs use; `tests.compat.test_packs` runs it."""

import asyncio
from pathlib import Path

import comfy.ldm.modules.attention
import comfy.model_management
import comfy.samplers
import comfy.utils
import folder_paths
import numpy as np
import torch
from comfy_execution.graph import ExecutionBlocker
from PIL import Image

from nodes import MAX_RESOLUTION, SaveImage, common_ksampler
from nodes import NODE_CLASS_MAPPINGS as BUILT_IN
from server import BinaryEventTypes, PromptServer

from .words import shout


class Anything(str):
    def __ne__(self, other):
        return False


anything = Anything("*")


@PromptServer.instance.routes.get("/pack/hello")
async def hello(request):
    return None


class Attention(comfy.ldm.modules.attention.CrossAttention):
    pass


class Brighten:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "image": ("IMAGE",),
                "amount": ("FLOAT", {"default": 0.25, "min": 0.0, "max": 1.0, "step": 0.05}),
                "how": (["add", "multiply", 3],),
            },
            "optional": {"mask": ("MASK",), "repeat": ("INT", {"default": 1, "min": 1, "max": MAX_RESOLUTION})},
        }

    RETURN_TYPES = ("IMAGE", "INT", "INT")
    RETURN_NAMES = ("image", "width", "width")
    FUNCTION = "apply"
    CATEGORY = "pack/image"
    DESCRIPTION = "Make a picture brighter."

    def apply(self, image, amount, how, mask=None, repeat=1):
        assert image.shape[-1] == 3
        bar = comfy.utils.ProgressBar(repeat)
        for _ in range(repeat):
            image += amount if how == "add" else image * amount if how == "multiply" else how
            bar.update(1)
        return (image.clamp(0, 1), image.shape[2], image.shape[1])


class Shout:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "text": ("STRING", {"multiline": True, "forceInput": True}),
                "loud": ("BOOLEAN", {"default": True}),
            }
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    def run(self, text, loud):
        said = shout(text) if loud else text
        return {"ui": {"text": [said]}, "result": (said,)}


class Split:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"text": ("STRING", {"default": "a b"})}}

    RETURN_TYPES = ("STRING",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "run"

    async def run(self, text):
        await asyncio.sleep(0)
        return (text.split(),)


class Join:
    INPUT_IS_LIST = True

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"texts": ("STRING", {"forceInput": True}), "between": ("STRING", {"default": ", "})}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    def run(self, texts, between):
        return (between[0].join(texts),)


class Choose:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "first": ("BOOLEAN", {"default": True}),
                "a": (anything, {"lazy": True}),
                "b": (anything, {"lazy": True}),
            }
        }

    RETURN_TYPES = (anything,)
    FUNCTION = "run"

    def check_lazy_status(self, first, a=None, b=None):
        wanted, value = ("a", a) if first else ("b", b)
        return [wanted] if value is None else []

    def run(self, first, a=None, b=None):
        return (a if first else b,)


class Fail:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"way": (["blocked", "missing", "invalid", "short", "expand"],)}}

    @classmethod
    def VALIDATE_INPUTS(cls, way):
        return True if way != "invalid" else "that way is closed"

    RETURN_TYPES = ("INT", "INT")
    FUNCTION = "run"

    def run(self, way):
        if way == "blocked":
            return (ExecutionBlocker("not today"), 1)
        if way == "missing":
            return (Attention(3), 1)
        if way == "expand":
            return {"expand": {}, "result": (1, 2)}
        return (1,)


class Count:
    seen = 0

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {}, "hidden": {"id": "UNIQUE_ID", "info": "EXTRA_PNGINFO", "prompt": "PROMPT"}}

    @classmethod
    def IS_CHANGED(cls, **kwargs):
        return float("nan")

    RETURN_TYPES = ("INT", "STRING")
    FUNCTION = "run"

    def run(self, id, info, prompt):
        Count.seen += 1
        return (Count.seen, f"{id} of {len(info['workflow']['nodes'])}")


class Keep(SaveImage):
    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "keep"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"image": ("IMAGE",), "filename_prefix": ("STRING", {"default": "pack/kept"})}}

    def keep(self, image, filename_prefix):
        place, stem, number, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory(), image.shape[2], image.shape[1]
        )
        name = f"{stem}_{number:05}_.png"
        Image.fromarray((image[0].cpu().numpy() * 255).astype(np.uint8)).save(Path(place) / name)
        again = self.save_images(image, "pack/again")["ui"]["images"]
        return {"ui": {"images": [{"filename": name, "subfolder": subfolder, "type": "output"}, *again]}}


class Paint:
    """Loads a checkpoint, reads a prompt, samples and decodes by the host's own classes and functions."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "ckpt_name": (folder_paths.get_filename_list("checkpoints"),),
                "lora_name": (["None"] + folder_paths.get_filename_list("loras"),),
                "text": ("STRING", {"default": "owl"}),
                "seed": ("INT", {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF}),
                "steps": ("INT", {"default": 2, "min": 1, "max": 100}),
                "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
                "scheduler": (comfy.samplers.KSampler.SCHEDULERS, {"default": "normal"}),
            }
        }

    RETURN_TYPES = ("IMAGE", "LATENT", "CONDITIONING", "MODEL", "CLIP", "VAE")
    FUNCTION = "run"

    def run(self, ckpt_name, lora_name, text, seed, steps, sampler_name, scheduler):
        assert lora_name == "None"
        assert Path(folder_paths.get_full_path("checkpoints", ckpt_name)).is_file()
        model, clip, vae = BUILT_IN["CheckpointLoaderSimple"]().load_checkpoint(ckpt_name)
        (positive,) = BUILT_IN["CLIPTextEncode"]().encode(clip, text)
        context, pooled = clip.encode_from_tokens(clip.tokenize(""), return_pooled=True)
        negative = [[context, {"pooled_output": pooled} if pooled is not None else {}]]
        (canvas,) = BUILT_IN["EmptyLatentImage"]().generate(64, 64, 1)
        (latent,) = common_ksampler(model, seed, steps, 2.0, sampler_name, scheduler, positive, negative, canvas)
        image = vae.decode(latent["samples"])
        assert image.shape == (1, 64, 64, 3)
        return (image, latent, positive, model.clone(), clip, vae)


class Segments:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"segs": ("SEGS",)}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def run(self, segs):
        return (len(segs),)


class MakeSegments:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"count": ("INT", {"default": 2})}}

    RETURN_TYPES = ("SEGS",)
    FUNCTION = "run"

    def run(self, count):
        return ([torch.zeros(1)] * count,)


class Send:
    """Sends pictures to the program that asked, and keeps none."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"images": ("IMAGE",)}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, images):
        for image in images:
            picture = Image.fromarray((image.cpu().numpy() * 255).astype(np.uint8))
            PromptServer.instance.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, ["PNG", picture, None])
        return {"ui": {"images": [{"source": "websocket", "content-type": "image/png", "type": "output"}]}}


class Unreadable(Segments):
    @classmethod
    def INPUT_TYPES(s):
        return {}["required"]


class Gone:
    """Says that it wrote what it did not."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"name": ("STRING", {"default": "gone.png"})}}

    @classmethod
    async def VALIDATE_INPUTS(cls, name):
        return True if name else "a name, please"

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, name):
        return {"ui": {"images": [{"filename": name, "subfolder": "", "type": "output"}]}}


class KSampler(Segments):
    """Has the name of a built-in node, which stays."""


NODE_CLASS_MAPPINGS = {
    "Pack Brighten+": Brighten,
    "PackShout": Shout,
    "PackSplit": Split,
    "PackJoin": Join,
    "PackChoose": Choose,
    "PackFail": Fail,
    "PackCount": Count,
    "PackKeep": Keep,
    "PackPaint": Paint,
    "PackSegments": Segments,
    "PackMakeSegments": MakeSegments,
    "PackSend": Send,
    "PackGone": Gone,
    "PackUnreadable": Unreadable,
    "KSampler": KSampler,
}
NODE_DISPLAY_NAME_MAPPINGS = {"Pack Brighten+": "Brighten"}
WEB_DIRECTORY = "./js"
