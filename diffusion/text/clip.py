"""The text tower of CLIP, built on transformers, with its configuration read from the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

from diffusion.networks.shapes import Shapes, count, shape_of
from diffusion.residency import within_memory
from diffusion.text.chunks import NONE_LEARNED, Chunk, Learned, clip_chunks
from diffusion.text.encode import Encoded, with_rows
from diffusion.text.prompt import Segment
from diffusion.text.slots import ClipRules
from diffusion.text.tokenizer import CLIP_BEGIN, CLIP_END, CLIP_VOCABULARY

_HEAD_WIDTH = 64
_WORDS = "embeddings.token_embedding.weight"


@dataclass(frozen=True)
class ClipParams:
    """Sizes of a CLIP text tower; `projection` is None where the checkpoint has no text projection."""

    width: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    projection: int | None

    def __post_init__(self) -> None:
        if self.layers < 1 or self.heads < 1 or self.width % self.heads:
            raise ValueError(
                f"CLIP: expected layers, and heads that divide the width; "
                f"got {self.layers} layers, width {self.width}, {self.heads} heads"
            )
        if self.vocabulary < CLIP_VOCABULARY or self.positions < 3:
            raise ValueError(
                f"CLIP: expected {CLIP_VOCABULARY} token embeddings and at least 3 positions, "
                f"got {self.vocabulary} and {self.positions}"
            )

    @classmethod
    def from_shapes(cls, shapes: Shapes, heads: int | None = None) -> ClipParams:
        """Read the sizes from tensors named as in transformers; heads are 64 wide unless their number is given."""
        vocabulary, width = shape_of(shapes, "text_model.embeddings.token_embedding.weight", 2)
        if heads is None and width % _HEAD_WIDTH:
            raise ValueError(f"CLIP: width {width} is no multiple of {_HEAD_WIDTH}; state its number of heads")
        return cls(
            width=width,
            layers=count(shapes, "text_model.encoder.layers."),
            heads=heads or width // _HEAD_WIDTH,
            feed_forward=shape_of(shapes, "text_model.encoder.layers.0.mlp.fc1.weight", 2)[0],
            vocabulary=vocabulary,
            positions=shape_of(shapes, "text_model.embeddings.position_embedding.weight", 2)[0],
            projection=shape_of(shapes, "text_projection.weight", 2)[0] if "text_projection.weight" in shapes else None,
        )


class ClipNetwork(nn.Module):
    """The transformer and its projection, under the names checkpoints give them."""

    def __init__(self, params: ClipParams, activation: str) -> None:
        super().__init__()
        self.params = params
        config = CLIPTextConfig(
            vocab_size=params.vocabulary,
            hidden_size=params.width,
            intermediate_size=params.feed_forward,
            num_hidden_layers=params.layers,
            num_attention_heads=params.heads,
            max_position_embeddings=params.positions,
            hidden_act=activation,
            bos_token_id=CLIP_BEGIN,
            eos_token_id=CLIP_END,
        )
        self.text_model = CLIPTextModel(config)
        projection = params.projection
        self.text_projection = None if projection is None else nn.Linear(params.width, projection, bias=False)


@dataclass(frozen=True)
class ClipTower:
    """A CLIP text encoder with the rules its family reads it by."""

    network: ClipNetwork
    rules: ClipRules
    device: torch.device

    @property
    def width(self) -> int:
        return self.network.params.width

    @property
    def vocabulary(self) -> int:
        return self.network.params.vocabulary

    def chunks(self, segments: Sequence[Segment], learned: Learned = NONE_LEARNED) -> list[Chunk]:
        return clip_chunks(segments, self.rules.pad, self.network.params.positions, learned)

    def padding(self, length: int) -> list[int]:
        return [CLIP_BEGIN, CLIP_END, *[self.rules.pad] * (length - 2)]

    def __call__(self, ids_BL: Tensor, learned_ND: Tensor | None = None) -> Encoded:
        """Rows of the layer the rules name; the vector is the last layer's, at the first end token."""

        def call(rows: slice) -> Encoded:
            return self._encoded(ids_BL[rows].to(self.device), learned_ND)

        return within_memory(self.network, ids_BL, call, join=Encoded.joined)

    def _encoded(self, ids_BL: Tensor, learned_ND: Tensor | None) -> Encoded:
        model = self.network.text_model
        words = {} if learned_ND is None else {_WORDS: with_rows(model.embeddings.token_embedding, learned_ND)}
        output = functional_call(model, words, (ids_BL,), {"output_hidden_states": True})
        assert output.hidden_states is not None
        hidden_BLD = output.hidden_states[-self.rules.layer]
        if self.rules.final_norm:
            hidden_BLD = model.final_layer_norm(hidden_BLD)
        pooled_BP = output.pooler_output
        if self.rules.projected and self.network.text_projection is not None:
            pooled_BP = self.network.text_projection(pooled_BP)
        return Encoded(hidden_BLD, pooled_BP)


def transformers_layout(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A tower's tensors under the names of transformers, from those of transformers or OpenCLIP.

    OpenCLIP fuses query, key and value, and stores its projection transposed. Position ids and the contrastive scale
    are left out. ValueError for tensors that are of neither layout.
    """
    if "positional_embedding" in tensors:
        return _from_openclip(tensors)
    bare = not any(name.startswith("text_model.") for name in tensors)
    return {
        name if name.startswith("text_projection.") or not bare else f"text_model.{name}": tensor
        for name, tensor in tensors.items()
        if name.rsplit(".", 1)[-1] not in ("position_ids", "logit_scale")
    }


def _from_openclip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed = (
        ("ln_1", "layer_norm1"),
        ("ln_2", "layer_norm2"),
        ("mlp.c_fc", "mlp.fc1"),
        ("mlp.c_proj", "mlp.fc2"),
        ("attn.out_proj", "self_attn.out_proj"),
    )
    embeddings = {
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "ln_final.weight": "text_model.final_layer_norm.weight",
        "ln_final.bias": "text_model.final_layer_norm.bias",
    }
    result: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name in embeddings:
            result[embeddings[name]] = tensor
        elif name in ("text_projection", "text_projection.weight"):
            if tensor.ndim != 2:
                raise ValueError(f"tensor {name!r}: expected a matrix, got shape {list(tensor.shape)}")
            result["text_projection.weight"] = tensor.T.contiguous()
        elif name != "logit_scale":
            name = name.replace("transformer.resblocks.", "text_model.encoder.layers.")
            for theirs, ours in renamed:
                name = name.replace(f".{theirs}.", f".{ours}.")
            layer, fused, kind = name.partition(".attn.in_proj_")
            if fused:
                if tensor.ndim == 0 or tensor.shape[0] % 3:
                    raise ValueError(
                        f"tensor {name!r}: expected rows of query, key and value, got {list(tensor.shape)}"
                    )
                for part, rows in zip("qkv", tensor.chunk(3), strict=True):
                    result[f"{layer}.self_attn.{part}_proj.{kind}"] = rows
            else:
                result[name] = tensor
    return result
