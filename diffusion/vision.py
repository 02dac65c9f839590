"""The image encoder of CLIP, built on transformers, with its configuration read from the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers.models.clip.configuration_clip import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPVisionModel

from diffusion.fill import Part, build, compute_dtype
from diffusion.mistaken import mistaken_for
from diffusion.networks.shapes import Shapes, count, shape_of
from diffusion.picture_prompts import Seen
from diffusion.residency import Home, home_of, within_memory
from diffusion.resize import covering, resized
from diffusion.weights import BadWeights, Weights

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures CLIP was trained with."""
OPENAI = (768, 1024)
"""Widths of the published encoders that have OpenAI's activation; those of OpenCLIP are wider."""
HEADS, HEAD_WIDTH = 16, 64


class VisionNetwork(nn.Module):
    """The transformer and its projection, under the names of transformers."""

    def __init__(self, config: CLIPVisionConfig, side: int) -> None:
        super().__init__()
        self.side = side
        self.vision_model = CLIPVisionModel(config)
        self.visual_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False)

    @staticmethod
    def from_shapes(shapes: Shapes) -> VisionNetwork:
        """Of these tensors; ValueError if they make no image encoder."""
        width, _, patch, _ = shape_of(shapes, "vision_model.embeddings.patch_embedding.weight", 4)
        positions = shape_of(shapes, "vision_model.embeddings.position_embedding.weight", 2)[0]
        if width % HEADS and width % HEAD_WIDTH:
            raise ValueError(f"image encoder: expected a width of {HEAD_WIDTH} for each head, got {width}")
        side = round((positions - 1) ** 0.5) * patch
        config = CLIPVisionConfig(
            hidden_size=width,
            intermediate_size=shape_of(shapes, "vision_model.encoder.layers.0.mlp.fc1.weight", 2)[0],
            projection_dim=shape_of(shapes, "visual_projection.weight", 2)[0],
            num_hidden_layers=count(shapes, "vision_model.encoder.layers."),
            num_attention_heads=HEADS if width > HEADS * HEAD_WIDTH else max(1, width // HEAD_WIDTH),
            image_size=side,
            patch_size=patch,
            hidden_act="quick_gelu" if width in OPENAI else "gelu",
        )
        return VisionNetwork(config, side)


@dataclass(frozen=True)
class ClipVision:
    """An image encoder; `origin` stands for its content."""

    network: VisionNetwork
    device: torch.device
    dtype: torch.dtype
    origin: str

    def look(self, image_B3HW: Tensor) -> Seen:
        """At pictures in 0..1: the largest square around the middle of each."""
        return self._seen(prepared(image_B3HW, self.network.side))

    def nothing(self) -> Seen:
        """Of one picture there is nothing on: zero everywhere, as the network sees it."""
        side = self.network.side
        return self._seen(torch.zeros(1, 3, side, side))

    def _seen(self, pixels_B3SS: Tensor) -> Seen:
        def call(rows: slice) -> Seen:
            output = self.network.vision_model(pixels_B3SS[rows].to(self.device, self.dtype), output_hidden_states=True)
            vector_BD = self.network.visual_projection(output.pooler_output)
            return Seen(vector_BD, output.hidden_states[-2])

        with torch.no_grad():
            return within_memory(self.network, pixels_B3SS, call, join=Seen.joined)


def prepared(image_B3HW: Tensor, side: int) -> Tensor:
    """Pictures in 0..1 as CLIP sees them: the largest square around the middle, the colours at mean 0, deviation 1."""
    square = resized(covering(image_B3HW, side, side), side, side, "bicubic").clamp(0, 1)
    mean, deviation = (square.new_tensor(three)[:, None, None] for three in (MEAN, DEVIATION))
    return (square - mean) / deviation


def load_vision(path: Path, device: str | Home) -> ClipVision:
    """A CLIP image encoder under the names of transformers, whatever is in the file beside it; BadWeights for other
    files."""
    weights, home = Weights.open(path), home_of(device)
    parts = ("vision_model.", "visual_projection.")
    own = {name: name for name in weights if name.startswith(parts) and not name.endswith("position_ids")}
    if not own:
        told = f"expected an image encoder of CLIP, with tensors named vision_model.*{mistaken_for(weights)}"
        raise BadWeights(path, told)
    tensors = weights.select(own)
    dtype = compute_dtype(home.device, tensors.dtypes, torch.float16)
    part = Part(path, "image encoder", tensors, tensors.shapes, home, dtype, weights.header.identity)
    network = build(part, VisionNetwork.from_shapes)
    # The one buffer that no file needs to have.
    embeddings = network.vision_model.embeddings
    positions_1L = torch.arange(embeddings.num_positions, device=home.device)[None]
    embeddings.position_ids = nn.Buffer(positions_1L, persistent=False)
    return ClipVision(network, home.device, dtype, f"vision:{weights.header.identity}")
