"""Classes for models, latents, pictures and masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from compat.workflows.kinds import Beside, Kind, kind
from compat.workflows.table.painting import AS_IT_IS
from compat.workflows.values import FIT, METHOD, PREDICTION, colour, file, picture

MODELS: Final[Mapping[str, Kind]] = {
    "ModelMergeSimple": kind("ModelMerge", "model", "model1>model_b", "model2>model_a", ("ratio", 1.0)),
    "CLIPMergeSimple": kind("CLIPMerge", "clip", "clip1>clip_b", "clip2>clip_a", ("ratio", 1.0)),
    "CheckpointSave": kind(
        "CheckpointSave",
        "",
        "model",
        "clip",
        "vae",
        ("filename_prefix>prefix", "checkpoints/ComfyUI"),
        fixed=AS_IT_IS,
    ),
    "ModelSave": kind("ModelSave", "", "model", ("filename_prefix>prefix", "diffusion_models/ComfyUI"), fixed=AS_IT_IS),
    "ModelSamplingDiscrete": kind(
        "ModelSamplingDiscrete",
        "model",
        "model",
        ("sampling>prediction", "eps", PREDICTION),
        ("zsnr>zero_terminal_snr", False),
    ),
    "ModelSamplingContinuousEDM": kind(
        "ModelSamplingContinuousEDM",
        "model",
        "model",
        ("sampling>!", "edm"),
        ("sigma_max", 120.0),
        ("sigma_min", 0.002),
    ),
    "ModelSamplingSD3": kind("ModelSamplingSD3", "model", "model", ("shift", 3.0)),
    "ModelSamplingFlux": kind(
        "ModelSamplingFlux",
        "model",
        "model",
        ("max_shift>most", 1.15),
        ("base_shift>least", 0.5),
        ("width>+width", 1024),
        ("height>+height", 1024),
        beside=Beside("EmptyLatent", gives=("latent", "latent")),
    ),
    "RescaleCFG": kind("RescaleCFG", "model", "model", ("multiplier>amount", 0.7)),
    "CFGZeroStar": kind("CFGZeroStar", "model", "model"),
    "APG": kind("APG", "model", "model", ("eta>parallel", 1.0), ("norm_threshold>most", 5.0), ("momentum", 0.0)),
    "PerturbedAttentionGuidance": kind("PerturbedAttentionGuidance", "model", "model", ("scale", 3.0)),
    "SelfAttentionGuidance": kind("SelfAttentionGuidance", "model", "model", ("scale", 0.5), ("blur_sigma>blur", 2.0)),
    "SkipLayerGuidanceSD3": kind(
        "SkipLayerGuidance",
        "model",
        "model",
        ("layers>blocks", "7, 8, 9"),
        ("scale", 3.0),
        ("start_percent>start", 0.01),
        ("end_percent>end", 0.15),
    ),
    "DifferentialDiffusion": kind("DifferentialDiffusion", "model", "model", ("strength>!", 1.0)),
}

LATENTS: Final[Mapping[str, Kind]] = {
    "EmptyLatentImage": kind("EmptyLatent", "latent", ("width", 512), ("height", 512), ("batch_size>batch", 1)),
    "EmptySD3LatentImage": kind("EmptyLatent", "latent", ("width", 1024), ("height", 1024), ("batch_size>batch", 1)),
    "VAEDecode": kind("VAEDecode", "image", "samples>latent", "vae"),
    "VAEDecodeTiled": kind(
        "VAEDecode",
        "image",
        "samples>latent",
        "vae",
        ("tile_size>", 512),
        ("overlap>", 64),
        ("temporal_size>", 64),
        ("temporal_overlap>", 8),
    ),
    "VAEEncode": kind("VAEEncode", "latent", "pixels>image", "vae"),
    "VAEEncodeTiled": kind(
        "VAEEncode",
        "latent",
        "pixels>image",
        "vae",
        ("tile_size>", 512),
        ("overlap>", 64),
        ("temporal_size>", 64),
        ("temporal_overlap>", 8),
    ),
    "VAEEncodeForInpaint": kind(
        "VAEEncodeForInpaint", "latent", "pixels>image", "vae", "mask", ("grow_mask_by>grow", 6)
    ),
    "SetLatentNoiseMask": kind("SetLatentNoiseMask", "latent", "samples>latent", "mask"),
    "LatentUpscale": kind(
        "LatentUpscale",
        "latent",
        "samples>latent",
        ("upscale_method>method", "nearest-exact", METHOD),
        ("width", 512),
        ("height", 512),
        ("crop>fit", "disabled", FIT),
    ),
    "LatentUpscaleBy": kind(
        "LatentUpscaleBy",
        "latent",
        "samples>latent",
        ("upscale_method>method", "nearest-exact", METHOD),
        ("scale_by>factor", 1.5),
    ),
    "LatentCrop": kind("LatentCrop", "latent", "samples>latent", ("width", 512), ("height", 512), ("x", 0), ("y", 0)),
    "LatentComposite": kind(
        "LatentComposite",
        "latent",
        "samples_to>latent",
        "samples_from>patch",
        ("x", 0),
        ("y", 0),
        ("feather>!", 0),
    ),
    "LatentCompositeMasked": kind(
        "LatentComposite",
        "latent",
        "destination>latent",
        "source>patch",
        ("x", 0),
        ("y", 0),
        ("resize_source>!", False),
        "mask",
    ),
    "LatentBatch": kind("LatentBatch", "latent", "samples1>latents[]", "samples2>latents[]"),
    "LatentFromBatch": kind(
        "LatentFromBatch", "latent", "samples>latent", ("batch_index>index", 0), ("length>count", 1)
    ),
    "RepeatLatentBatch": kind("RepeatLatentBatch", "latent", "samples>latent", ("amount>count", 1)),
}

PICTURES: Final[Mapping[str, Kind]] = {
    "LoadImage": kind("LoadImage", "image mask", ("image", None, picture)),
    "LoadImageMask": kind("LoadImage", "mask", ("image", None, picture), ("channel>", "alpha")),
    "SaveImage": kind("SaveImage", "", "images>image", ("filename_prefix>prefix", "ComfyUI")),
    "PreviewImage": kind("PreviewImage", "", "images>image"),
    "SaveImageWebsocket": kind("PreviewImage", "", "images>image"),
    "ImageScale": kind(
        "ImageScale",
        "image",
        "image",
        ("upscale_method>method", "nearest-exact", METHOD),
        ("width", 512),
        ("height", 512),
        ("crop>fit", "disabled", FIT),
    ),
    "ImageScaleBy": kind(
        "ImageScaleBy",
        "image",
        "image",
        ("upscale_method>method", "nearest-exact", METHOD),
        ("scale_by>factor", 1.0),
    ),
    "ImageInvert": kind("InvertImage", "image", "image"),
    "ImageBatch": kind("ImageBatch", "image", "image1>images[]", "image2>images[]"),
    "ImageFromBatch": kind("ImageFromBatch", "image", "image", ("batch_index>index", 0), ("length>count", 1)),
    "RepeatImageBatch": kind("RepeatImageBatch", "image", "image", ("amount>count", 1)),
    "ImageCrop": kind("ImageCrop", "image", "image", ("width", 512), ("height", 512), ("x", 0), ("y", 0)),
    "ImageCompositeMasked": kind(
        "ImageComposite",
        "image",
        "destination>image",
        "source>patch",
        ("x", 0),
        ("y", 0),
        ("resize_source>!", False),
        "mask",
    ),
    "ImagePadForOutpaint": kind(
        "ImagePadForOutpaint",
        "image mask",
        "image",
        ("left", 0),
        ("top", 0),
        ("right", 0),
        ("bottom", 0),
        ("feathering>feather", 40),
    ),
    "EmptyImage": kind(
        "SolidImage",
        "image",
        ("width", 512),
        ("height", 512),
        ("batch_size>batch", 1),
        ("color>colour", 0, colour),
    ),
    "ImageUpscaleWithModel": kind("ImageUpscaleWithModel", "image", ("upscale_model>upscaler", None, file), "image"),
    "Canny": kind("CannyEdges", "image", "image", ("low_threshold>low", 0.4), ("high_threshold>high", 0.8)),
}

MASKS: Final[Mapping[str, Kind]] = {
    "SolidMask": kind("SolidMask", "mask", ("value", 1.0), ("width", 512), ("height", 512)),
    "ImageToMask": kind("MaskFromImage", "mask", "image", ("channel", "red")),
    "MaskToImage": kind("MaskToImage", "image", "mask"),
    "MaskPreview": kind("MaskToImage", "", "mask", beside=Beside("PreviewImage", takes=("image", "image"))),
    "InvertMask": kind("InvertMask", "mask", "mask"),
    "GrowMask": kind("GrowMask", "mask", "mask", ("expand>pixels", 0), ("tapered_corners>!", True)),
    "FeatherMask": kind("FeatherMask", "mask", "mask", ("left", 0), ("top", 0), ("right", 0), ("bottom", 0)),
    "ThresholdMask": kind("ThresholdMask", "mask", "mask", ("value", 0.5)),
    "MaskComposite": kind(
        "CombineMasks",
        "mask",
        "destination>mask_a",
        "source>mask_b",
        ("x>!", 0),
        ("y>!", 0),
        ("operation", "multiply"),
    ),
}
