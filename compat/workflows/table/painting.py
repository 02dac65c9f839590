"""Classes for loading, conditioning and sampling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from compat.workflows.kinds import Beside, Kind, kind
from compat.workflows.values import (
    CONTEXT,
    CONTROL,
    FAMILY,
    SWITCH,
    file,
    rest_of_one,
    sampler,
    step,
)

COMFY_NOISE: Final[Mapping[str, object]] = {"noise_rule": "comfy"}
AS_IT_IS: Final[Mapping[str, object]] = {"precision": "as it is"}
SIZED: Final = Beside("ConditioningSetSizes", takes=("conditioning", "conditioning"))

LOADERS: Final[Mapping[str, Kind]] = {
    "CheckpointLoaderSimple": kind("CheckpointLoader", "model clip vae", ("ckpt_name>checkpoint", None, file)),
    "CheckpointLoader": kind(
        "CheckpointLoader", "model clip vae", ("config_name>", None), ("ckpt_name>checkpoint", None, file)
    ),
    "UNETLoader": kind("UNetLoader", "model", ("unet_name>unet", None, file), ("weight_dtype>", "default")),
    "UNETLoader MMDiT": kind("MMDiTLoader", "model", ("unet_name>mmdit", None, file), ("weight_dtype>", "default")),
    "UNETLoader DiT": kind("DiTLoader", "model", ("unet_name>dit", None, file), ("weight_dtype>", "default")),
    "CLIPLoader": kind(
        "CLIPLoader",
        "clip",
        ("clip_name>text_encoder", None, file),
        ("type>family", "stable_diffusion", FAMILY),
        ("device>", "default"),
    ),
    "DualCLIPLoader": kind(
        "CLIPLoader",
        "clip",
        ("clip_name1>text_encoder", None, file),
        ("clip_name2>text_encoder_2", None, file),
        ("type>family", "sdxl", FAMILY),
        ("device>", "default"),
    ),
    "TripleCLIPLoader": kind(
        "CLIPLoader",
        "clip",
        ("clip_name1>text_encoder", None, file),
        ("clip_name2>text_encoder_2", None, file),
        ("clip_name3>text_encoder_3", None, file),
        fixed={"family": "sd3"},
    ),
    "VAELoader": kind("VAELoader", "vae", ("vae_name>vae", None, file)),
    "CLIPVisionLoader": kind("CLIPVisionLoader", "vision", ("clip_name>clip_vision", None, file)),
    "ControlNetLoader": kind("ControlNetLoader", "controlnet", ("control_net_name>control_net", None, file)),
    "SetUnionControlNetType": kind("ControlNetKind", "controlnet", "control_net", ("type>kind", "auto", CONTROL)),
    "LoraLoader": kind(
        "LoRALoader",
        "model clip",
        "model",
        "clip",
        ("lora_name>lora", None, file),
        ("strength_model", 1.0),
        ("strength_clip", 1.0),
        fixed={"unmatched": "leave out"},
    ),
    "LoraLoaderModelOnly": kind(
        "LoRALoader",
        "model",
        "model",
        ("lora_name>lora", None, file),
        ("strength_model", 1.0),
        fixed={"unmatched": "leave out"},
    ),
}

CONDITIONING: Final[Mapping[str, Kind]] = {
    "CLIPTextEncode": kind("CLIPTextEncode", "conditioning", ("text", ""), "clip"),
    "CLIPTextEncodeSDXL": kind(
        "CLIPTextEncodeEach",
        "conditioning",
        "clip",
        ("width>+width", 1024),
        ("height>+height", 1024),
        ("crop_w>+crop_x", 0),
        ("crop_h>+crop_y", 0),
        ("target_width>+target_width", 1024),
        ("target_height>+target_height", 1024),
        ("text_g>clip_g", ""),
        ("text_l>clip_l", ""),
        beside=SIZED,
    ),
    "CLIPTextEncodeSDXLRefiner": kind(
        "CLIPTextEncode",
        "conditioning",
        ("ascore>+aesthetic", 6.0),
        ("width>+width", 1024),
        ("height>+height", 1024),
        ("text", ""),
        "clip",
        beside=SIZED,
    ),
    "CLIPTextEncodeSD3": kind(
        "CLIPTextEncodeEach",
        "conditioning",
        "clip",
        ("clip_l", ""),
        ("clip_g", ""),
        ("t5xxl", ""),
        ("empty_padding>", "none"),
    ),
    "CLIPTextEncodeFlux": kind(
        "CLIPTextEncodeEach", "conditioning", "clip", ("clip_l", ""), ("t5xxl", ""), ("guidance>", 3.5)
    ),
    "CLIPTextEncodePixArtAlpha": kind(
        "CLIPTextEncode", "conditioning", ("width>!", 1024), ("height>!", 1024), ("text", ""), "clip"
    ),
    "CLIPSetLastLayer": kind("CLIPSetLastLayer", "clip", "clip", ("stop_at_clip_layer>layer", -1)),
    "ConditioningCombine": kind(
        "ConditioningCombine", "conditioning", "conditioning_1>conditionings[]", "conditioning_2>conditionings[]"
    ),
    "ConditioningConcat": kind(
        "ConditioningConcat", "conditioning", "conditioning_to>conditioning", "conditioning_from>more"
    ),
    "ConditioningAverage": kind(
        "ConditioningAverage",
        "conditioning",
        "conditioning_to>conditioning_a",
        "conditioning_from>conditioning_b",
        ("conditioning_to_strength>ratio", 1.0, rest_of_one),
    ),
    "ConditioningSetArea": kind(
        "ConditioningSetArea",
        "conditioning",
        "conditioning",
        ("width", 64),
        ("height", 64),
        ("x", 0),
        ("y", 0),
        ("strength", 1.0),
    ),
    "ConditioningSetAreaPercentage": kind(
        "ConditioningSetAreaFraction",
        "conditioning",
        "conditioning",
        ("width", 1.0),
        ("height", 1.0),
        ("x", 0.0),
        ("y", 0.0),
        ("strength", 1.0),
    ),
    "ConditioningSetMask": kind(
        "ConditioningSetMask",
        "conditioning",
        "conditioning",
        "mask",
        ("strength", 1.0),
        ("set_cond_area>context", "default", CONTEXT),
    ),
    "ConditioningSetTimestepRange": kind(
        "ConditioningSetTimestepRange", "conditioning", "conditioning", ("start", 0.0), ("end", 1.0)
    ),
    "ConditioningZeroOut": kind("ConditioningZeroOut", "conditioning", "conditioning"),
    "ControlNetApply": kind(
        "ControlNetApply", "positive negative", "positive", "negative", "control_net", "image", ("strength", 1.0)
    ),
    "ControlNetApplyAdvanced": kind(
        "ControlNetApply",
        "positive negative",
        "positive",
        "negative",
        "control_net",
        "image",
        "vae",
        ("strength", 1.0),
        ("start_percent>start", 0.0),
        ("end_percent>end", 1.0),
    ),
    "ControlNetApplySD3": kind(
        "ControlNetApply",
        "positive negative",
        "positive",
        "negative",
        "control_net",
        "vae",
        "image",
        ("strength", 1.0),
        ("start_percent>start", 0.0),
        ("end_percent>end", 1.0),
    ),
    "ControlNetInpaintingAliMamaApply": kind(
        "ControlNetApply",
        "positive negative",
        "positive",
        "negative",
        "control_net",
        "vae",
        "image",
        "mask",
        ("strength", 1.0),
        ("start_percent>start", 0.0),
        ("end_percent>end", 1.0),
    ),
    "InpaintModelConditioning": kind(
        "InpaintConditioning",
        "positive negative latent",
        "positive",
        "negative",
        "vae",
        "pixels>image",
        "mask",
        ("noise_mask>!", True),
    ),
    "InstructPixToPixConditioning": kind(
        "InstructPix2PixConditioning", "positive negative latent", "positive", "negative", "vae", "pixels>image"
    ),
}

SAMPLING: Final[Mapping[str, Kind]] = {
    "KSampler": kind(
        "KSampler",
        "latent",
        "model",
        ("seed", 0),
        ("steps", 20),
        ("cfg", 8.0),
        ("sampler_name>sampler", "euler", sampler),
        ("scheduler>schedule", "normal"),
        "positive",
        "negative",
        "latent_image>latent",
        ("denoise", 1.0),
    ),
    "KSamplerAdvanced": kind(
        "KSamplerAdvanced",
        "latent",
        "model",
        ("add_noise", "enable", SWITCH),
        ("noise_seed>seed", 0),
        ("steps", 20),
        ("cfg", 8.0),
        ("sampler_name>sampler", "euler", sampler),
        ("scheduler>schedule", "normal"),
        "positive",
        "negative",
        "latent_image>latent",
        ("start_at_step", 0, step),
        ("end_at_step", 10000, step),
        ("return_with_leftover_noise", "disable", SWITCH),
        fixed=COMFY_NOISE,
    ),
    "SamplerCustomAdvanced": kind(
        "SamplerCustomAdvanced",
        "latent denoised",
        "noise",
        "guider>guide",
        "sampler",
        "sigmas",
        "latent_image>latent",
    ),
    "BasicGuider": kind("BasicGuider", "guide", "model", "conditioning"),
    "CFGGuider": kind("CFGGuider", "guide", "model", "positive", "negative", ("cfg", 8.0)),
    "DualCFGGuider": kind(
        "DualCFGGuider",
        "guide",
        "model",
        "cond1>first",
        "cond2>second",
        "negative",
        ("cfg_conds>cfg_first", 8.0),
        ("cfg_cond2_negative>cfg_second", 8.0),
        ("style", "regular"),
    ),
    "PerpNegGuider": kind(
        "PerpNegGuider",
        "guide",
        "model",
        "positive",
        "negative",
        "empty_conditioning>empty",
        ("cfg", 8.0),
        ("neg_scale>negative_scale", 1.0),
    ),
    "RandomNoise": kind("RandomNoise", "noise", ("noise_seed>seed", 0), fixed={"rule": "comfy"}),
    "FluxGuidance": kind("FluxGuidance", "model", "model", ("guidance", 3.5)),
    "DisableNoise": kind("DisableNoise", "noise"),
    "KSamplerSelect": kind("KSamplerSelect", "sampler", ("sampler_name>sampler", "euler", sampler)),
    "SamplerEulerAncestral": kind(
        "KSamplerSelect", "sampler", ("eta>!", 1.0), ("s_noise>!", 1.0), fixed={"sampler": "euler_ancestral"}
    ),
    "SamplerDPMPP_2S_Ancestral": kind(
        "KSamplerSelect", "sampler", ("eta>!", 1.0), ("s_noise>!", 1.0), fixed={"sampler": "dpmpp_2s_ancestral"}
    ),
    "SamplerDPMPP_2M_SDE": kind(
        "KSamplerSelect",
        "sampler",
        ("solver_type>!", "midpoint"),
        ("eta>!", 1.0),
        ("s_noise>!", 1.0),
        ("noise_device>", "gpu"),
        fixed={"sampler": "dpmpp_2m_sde"},
    ),
    "SamplerDPMPP_3M_SDE": kind(
        "KSamplerSelect",
        "sampler",
        ("eta>!", 1.0),
        ("s_noise>!", 1.0),
        ("noise_device>", "gpu"),
        fixed={"sampler": "dpmpp_3m_sde"},
    ),
    "SamplerDPMPP_SDE": kind(
        "KSamplerSelect",
        "sampler",
        ("eta>!", 1.0),
        ("s_noise>!", 1.0),
        ("r>!", 0.5),
        ("noise_device>", "gpu"),
        fixed={"sampler": "dpmpp_sde"},
    ),
    "SamplerLMS": kind("KSamplerSelect", "sampler", ("order>!", 4), fixed={"sampler": "lms"}),
    "BasicScheduler": kind(
        "BasicScheduler", "sigmas", "model", ("scheduler>schedule", "normal"), ("steps", 20), ("denoise", 1.0)
    ),
    "VPScheduler": kind(
        "VPScheduler",
        "sigmas",
        ("steps", 20),
        ("beta_d>spread", 19.9),
        ("beta_min>least", 0.1),
        ("eps_s>end", 0.001),
    ),
    "AlignYourStepsScheduler": kind(
        "AlignYourStepsScheduler", "sigmas", ("model_type>kind", "SD1"), ("steps", 10), ("denoise", 1.0)
    ),
    "SDTurboScheduler": kind("SDTurboScheduler", "sigmas", "model", ("steps", 1), ("denoise", 1.0)),
    "SplitSigmas": kind("SplitSigmas", "high low", "sigmas", ("step", 0)),
    "FlipSigmas": kind("FlipSigmas", "sigmas", "sigmas"),
}
