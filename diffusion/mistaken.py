"""What a file of weights is, by the names in it, when it is not what was asked for."""

from __future__ import annotations

from collections.abc import Iterable

KINDS = (
    ("a T2I-Adapter, which cannot be used", ("body.0.block",)),
    ("a ControlNet-LLLite, which cannot be used", ("lllite_",)),
    ("a ControlNet for Flux, which cannot be used", ("controlnet_x_embedder.",)),
    ("a ControlNet", ("input_hint_block.", "controlnet_cond_embedding.", "pos_embed_input.")),
    ("an IP-Adapter", ("ip_adapter.",)),
    ("a LoRA or its kin", ("lora_", ".lora_", ".hada_", ".lokr_", ".oft_")),
    ("a whole checkpoint", ("model.diffusion_model.",)),
    ("an image encoder", ("vision_model.",)),
    ("a text encoder", ("token_embedding.", ".SelfAttention.")),
    ("a VAE", ("encoder.conv_in.", "decoder.conv_in.", "taesd_")),
)
"""Each with pieces of names that nothing after it has."""


def mistaken_for(names: Iterable[str]) -> str:
    """The end of a message, "; it is a ...", or nothing where nobody knows."""
    names = list(names)
    for kind, pieces in KINDS:
        if any(piece in name for name in names for piece in pieces):
            return f"; it is {kind}"
    return ""
