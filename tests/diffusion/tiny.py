"""Tiny random checkpoints of every family, in the layouts people have them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from diffusion.networks.autoencoder import Autoencoder, AutoencoderParams
from diffusion.networks.dit import DiT, DiTParams
from diffusion.networks.flux import Flux, FluxParams
from diffusion.networks.mmdit import MMDiT, MMDiTParams
from diffusion.networks.pixart import PixArt, PixArtParams
from diffusion.networks.unet import UNet, UNetParams
from diffusion.text.tokenizer import CLIP_BEGIN, CLIP_END, CLIP_VOCABULARY
from tests.diffusion.networks.comparison import randomise

SD15 = UNetParams(
    channels=64,
    multipliers=(1, 2),
    res_blocks=(1, 1),
    depths_down=(1, 0),
    depth_mid=1,
    depths_up=(0, 0, 1, 1),
    context_dim=768,
    linear_projection=False,
    heads=8,
)
SD2 = replace(SD15, context_dim=1024, linear_projection=True, heads=None)
SDXL = UNetParams(
    channels=64,
    multipliers=(1, 2),
    res_blocks=(1, 1),
    depths_down=(0, 2),
    depth_mid=1,
    depths_up=(2, 2, 0, 0),
    context_dim=2048,
    linear_projection=True,
    heads=None,
    y_dim=2816,
)
SDXL_REFINER = replace(SDXL, depths_down=(1, 0), depths_up=(0, 0, 1, 1), context_dim=1280, y_dim=2560)
DIT = DiTParams(depth=2, width=128, rows=11, positions=4)
PIXART_ALPHA = PixArtParams(depth=2, width=144, context_dim=64, tokens=120, heads=2)
PIXART_SIGMA = replace(PIXART_ALPHA, tokens=300)
FLUX = FluxParams(double_blocks=1, single_blocks=1, width=128, context_dim=64, y_dim=64, guided=True)
SD3 = MMDiTParams(depth=2, width=128, context_dim=64, y_dim=64, positions=16)
Params = UNetParams | MMDiTParams | DiTParams | PixArtParams | FluxParams
NETWORKS: Mapping[str, Params] = {
    "sd15": SD15,
    "sd2": SD2,
    "sdxl": SDXL,
    "sdxl_refiner": SDXL_REFINER,
    "sd3": SD3,
    "flux": FLUX,
    "dit": DIT,
    "pixart_alpha": PIXART_ALPHA,
    "pixart_sigma": PIXART_SIGMA,
}

VAE4 = AutoencoderParams(channels=32, multipliers=(1, 1, 1, 2), res_blocks=1)
VAE16 = AutoencoderParams(channels=32, multipliers=(1, 1, 1, 2), res_blocks=1, latent_channels=16, quant_conv=False)


def module_of(params: Params) -> nn.Module:
    """The network of params as torch makes it."""
    match params:
        case UNetParams():
            return UNet(params)
        case MMDiTParams():
            return MMDiT(params)
        case DiTParams():
            return DiT(params)
        case PixArtParams():
            return PixArt(params)
        case FluxParams():
            return Flux(params)


def network_of(params: Params) -> nn.Module:
    torch.manual_seed(0)
    network = module_of(params)
    randomise(network, seed=0)
    return network.eval()


def autoencoder_of(params: AutoencoderParams) -> Autoencoder:
    torch.manual_seed(1)
    network = Autoencoder(params)
    randomise(network, seed=1)
    return network.eval()


def clip_of(activation: str = "quick_gelu", layers: int = 2, width: int = 64) -> CLIPTextModelWithProjection:
    """A tower as transformers has it."""
    torch.manual_seed(2)
    config = CLIPTextConfig(
        vocab_size=CLIP_VOCABULARY,
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        hidden_act=activation,
        initializer_factor=8.0,
        bos_token_id=CLIP_BEGIN,
        eos_token_id=CLIP_END,
    )
    network = CLIPTextModelWithProjection(config)
    randomise(network, seed=2)
    return network.eval()


def t5_of(width: int = 64) -> T5EncoderModel:
    """A tower as transformers has it."""
    torch.manual_seed(3)
    config = T5Config(
        vocab_size=32128,
        d_model=width,
        d_kv=16,
        d_ff=48,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        use_cache=False,
        is_encoder_decoder=False,
    )
    network = T5EncoderModel(config)
    randomise(network, seed=3)
    return network.eval()


def openclip_of(network: CLIPTextModelWithProjection) -> dict[str, Tensor]:
    """A tower's tensors in the layout of OpenCLIP: fused attention, bare embeddings, projection transposed."""
    theirs = dict(network.state_dict())
    ours = {
        "token_embedding.weight": theirs["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": theirs["text_model.embeddings.position_embedding.weight"],
        "ln_final.weight": theirs["text_model.final_layer_norm.weight"],
        "ln_final.bias": theirs["text_model.final_layer_norm.bias"],
        "text_projection": theirs["text_projection.weight"].T,
        "logit_scale": torch.tensor(4.6),
    }
    for layer in range(network.config.num_hidden_layers):
        source, target = f"text_model.encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            parts = [theirs[f"{source}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            ours[f"{target}.attn.in_proj_{kind}"] = torch.cat(parts)
            ours[f"{target}.attn.out_proj.{kind}"] = theirs[f"{source}.self_attn.out_proj.{kind}"]
            ours[f"{target}.ln_1.{kind}"] = theirs[f"{source}.layer_norm1.{kind}"]
            ours[f"{target}.ln_2.{kind}"] = theirs[f"{source}.layer_norm2.{kind}"]
            ours[f"{target}.mlp.c_fc.{kind}"] = theirs[f"{source}.mlp.fc1.{kind}"]
            ours[f"{target}.mlp.c_proj.{kind}"] = theirs[f"{source}.mlp.fc2.{kind}"]
    return ours


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def checkpoint_of(family: str) -> dict[str, Tensor]:
    """A single file of a family with all its parts (SD3 with CLIP-L alone)."""
    tensors = prefixed("model.diffusion_model.", network_of(NETWORKS[family]).state_dict())
    tensors |= prefixed("first_stage_model.", autoencoder_of(VAE16 if family in ("sd3", "flux") else VAE4).state_dict())
    gelu = clip_of("gelu")
    match family:
        case "sd15":
            tensors |= prefixed("cond_stage_model.transformer.", plain(clip_of()))
            tensors["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.full((1, 77), 0.5)
            tensors["model_ema.diffusion_modelinput_blocks00weight"] = torch.zeros(1)
        case "sd2":
            tensors |= prefixed("cond_stage_model.model.", openclip_of(gelu))
        case "sdxl":
            tensors |= prefixed("conditioner.embedders.0.transformer.", plain(clip_of()))
            tensors |= prefixed("conditioner.embedders.1.model.", openclip_of(gelu))
        case "sdxl_refiner":
            tensors |= prefixed("conditioner.embedders.0.model.", openclip_of(gelu))
        case "pixart_alpha" | "pixart_sigma":
            t5 = {name: tensor for name, tensor in t5_of().state_dict().items() if "embed_tokens" not in name}
            tensors |= prefixed("text_encoders.t5xxl.transformer.", t5)
        case "flux" | "sd3":
            tensors |= prefixed("text_encoders.clip_l.transformer.", clip_of().state_dict())
    return tensors


def plain(network: CLIPTextModelWithProjection) -> dict[str, Tensor]:
    """Without the projection, as CLIP-L comes in SD 1 and SDXL files."""
    return {name: tensor for name, tensor in network.state_dict().items() if name != "text_projection.weight"}


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, dict(metadata or {}))
    return path
