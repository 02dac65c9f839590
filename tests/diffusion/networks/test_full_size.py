"""The networks at their published sizes, on the meta device: parameters, keys and shapes, and loading in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, ModelMixin, SD3Transformer2DModel, UNet2DConditionModel
from torch import Tensor, nn

from diffusion.networks.autoencoder import Autoencoder, AutoencoderParams
from diffusion.networks.mmdit import MMDiT, MMDiTParams
from diffusion.networks.unet import UNet, UNetParams
from tests.diffusion import keymaps
from tests.diffusion.networks.comparison import shapes_of
from tests.diffusion.networks.published import (
    SD1_5,
    SD1_AUTOENCODER,
    SD2_1,
    SD3_5_LARGE,
    SD3_5_MEDIUM,
    SD3_AUTOENCODER,
    SD3_MEDIUM,
    SDXL,
    SDXL_REFINER,
)


@dataclass(frozen=True)
class FullSize:
    parameters: int
    network: Any
    params: Any
    reference: type[ModelMixin]
    config: Mapping[str, Any]
    keymap: Any


SD1_BLOCKS = {
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
SD3_CONFIG = {"joint_attention_dim": 4096, "pooled_projection_dim": 2048, "num_layers": 24, "num_attention_heads": 24}
VAE_CONFIG = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}

SIZES = {
    "SD1.5": FullSize(
        859_520_964,
        UNet,
        SD1_5,
        UNet2DConditionModel,
        {**SD1_BLOCKS, "cross_attention_dim": 768, "attention_head_dim": 8},
        keymaps.unet,
    ),
    "SD2.1": FullSize(
        865_910_724,
        UNet,
        SD2_1,
        UNet2DConditionModel,
        {
            **SD1_BLOCKS,
            "cross_attention_dim": 1024,
            "attention_head_dim": (5, 10, 20, 20),
            "use_linear_projection": True,
        },
        keymaps.unet,
    ),
    "SDXL": FullSize(
        2_567_463_684,
        UNet,
        SDXL,
        UNet2DConditionModel,
        {
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 2, 10),
            "cross_attention_dim": 2048,
            "attention_head_dim": (5, 10, 20),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
        keymaps.unet,
    ),
    "SDXL refiner": FullSize(
        2_259_526_660,
        UNet,
        SDXL_REFINER,
        UNet2DConditionModel,
        {
            "block_out_channels": (384, 768, 1536, 1536),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": 4,
            "cross_attention_dim": 1280,
            "attention_head_dim": (6, 12, 24, 24),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2560,
        },
        keymaps.unet,
    ),
    "SD3 medium": FullSize(
        2_028_328_000,
        MMDiT,
        SD3_MEDIUM,
        SD3Transformer2DModel,
        {**SD3_CONFIG, "caption_projection_dim": 1536, "pos_embed_max_size": 192},
        keymaps.mmdit,
    ),
    "SD3.5 medium": FullSize(
        2_243_171_520,
        MMDiT,
        SD3_5_MEDIUM,
        SD3Transformer2DModel,
        {
            **SD3_CONFIG,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 384,
            "qk_norm": "rms_norm",
            "dual_attention_layers": tuple(range(13)),
        },
        keymaps.mmdit,
    ),
    "SD3.5 large": FullSize(
        8_056_627_520,
        MMDiT,
        SD3_5_LARGE,
        SD3Transformer2DModel,
        {
            **SD3_CONFIG,
            "num_layers": 38,
            "num_attention_heads": 38,
            "caption_projection_dim": 2432,
            "pos_embed_max_size": 192,
            "qk_norm": "rms_norm",
        },
        keymaps.mmdit,
    ),
    "SD1 autoencoder": FullSize(
        83_653_863,
        Autoencoder,
        SD1_AUTOENCODER,
        AutoencoderKL,
        VAE_CONFIG,
        keymaps.autoencoder,
    ),
    "SD3 autoencoder": FullSize(
        83_819_683,
        Autoencoder,
        SD3_AUTOENCODER,
        AutoencoderKL,
        {**VAE_CONFIG, "latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False},
        keymaps.autoencoder,
    ),
}


@pytest.mark.parametrize("full", SIZES.values(), ids=SIZES.keys())
def test_keys_shapes_and_parameters_at_full_size(full: FullSize) -> None:
    with torch.device("meta"):
        network: nn.Module = full.network(full.params)
        reference = full.reference(**full.config)
        expected: Mapping[str, Tensor] = full.keymap(reference.state_dict())
    assert sum(parameter.numel() for parameter in network.parameters()) == full.parameters
    assert shapes_of(network) == {key: tuple(tensor.shape) for key, tensor in expected.items()}
    assert type(full.params).from_shapes(shapes_of(network)) == full.params


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (MMDiT, MMDiTParams(depth=2, width=64, context_dim=24, y_dim=16, positions=8, qk_norm=True, dual_blocks=(0,))),
        (Autoencoder, AutoencoderParams(channels=32, multipliers=(1, 2))),
        (UNet, UNetParams(32, (1,), (1,), (1,), 1, (1, 1), context_dim=24, linear_projection=True, heads=8, y_dim=16)),
    ],
)
def test_a_network_on_the_meta_device_takes_the_loaded_tensors_themselves(kind: Any, params: Any) -> None:
    tensors = {key: torch.randn(shape).half() for key, shape in shapes_of(kind(params)).items()}
    with torch.device("meta"):
        network: nn.Module = kind(params)
    assert all(tensor.is_meta for tensor in network.state_dict().values())
    network.load_state_dict(tensors, assign=True)
    held = [*network.parameters(), *network.buffers()]
    assert {tensor.data_ptr() for tensor in held} == {tensor.data_ptr() for tensor in tensors.values()}
    assert all(tensor.dtype == torch.float16 for tensor in held)
