"""The encoder of T5 v1.1 (gated, one relative bias for all layers), built on transformers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.t5.configuration_t5 import T5Config
from transformers.models.t5.modeling_t5 import T5Stack

from diffusion.networks.shapes import Shapes, count, shape_of
from diffusion.residency import within_memory
from diffusion.text.chunks import NONE_LEARNED, Chunk, Learned, t5_chunk
from diffusion.text.encode import Encoded, with_rows
from diffusion.text.prompt import Segment
from diffusion.text.slots import T5Rules
from diffusion.text.tokenizer import T5_END, T5_PAD

_FIRST = "encoder.block.0.layer.0.SelfAttention"


def t5_config(shapes: Shapes) -> T5Config:
    """The configuration of a T5 encoder, from its tensors' shapes."""
    vocabulary, width = shape_of(shapes, "shared.weight", 2)
    buckets, heads = shape_of(shapes, f"{_FIRST}.relative_attention_bias.weight", 2)
    inner, _ = shape_of(shapes, f"{_FIRST}.q.weight", 2)
    if inner % heads:
        raise ValueError(f"T5: expected heads that divide {inner}, got {heads}")
    return T5Config(
        vocab_size=vocabulary,
        d_model=width,
        d_kv=inner // heads,
        d_ff=shape_of(shapes, "encoder.block.0.layer.1.DenseReluDense.wi_1.weight", 2)[0],
        num_layers=count(shapes, "encoder.block."),
        num_heads=heads,
        relative_attention_num_buckets=buckets,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        is_encoder_decoder=False,
        use_cache=False,
    )


class T5Network(nn.Module):
    """Embedding and encoder, under the names checkpoints give them."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = T5Stack(config)
        del self.encoder.embed_tokens  # `shared` takes its place

    def forward(self, ids_BL: Tensor, learned_ND: Tensor | None = None) -> Tensor:
        words_VD = self.shared.weight if learned_ND is None else with_rows(self.shared, learned_ND)
        return self.encoder(inputs_embeds=F.embedding(ids_BL, words_VD)).last_hidden_state


@dataclass(frozen=True)
class T5Tower:
    """A T5 text encoder; padding is attended to, as in training."""

    network: T5Network
    rules: T5Rules
    device: torch.device

    @property
    def width(self) -> int:
        return self.network.shared.embedding_dim

    @property
    def vocabulary(self) -> int:
        return self.network.shared.num_embeddings

    def chunks(self, segments: Sequence[Segment], learned: Learned = NONE_LEARNED) -> list[Chunk]:
        return [t5_chunk(segments, self.rules.min_length, learned)]

    def padding(self, length: int) -> list[int]:
        return [T5_END, *[T5_PAD] * (length - 1)]

    def __call__(self, ids_BL: Tensor, learned_ND: Tensor | None = None) -> Encoded:
        def call(rows: slice) -> Encoded:
            return Encoded(self.network(ids_BL[rows].to(self.device), learned_ND), None)

        return within_memory(self.network, ids_BL, call, join=Encoded.joined)


def encoder_names(names: Iterable[str]) -> dict[str, str]:
    """Which of a file's tensors are the encoder's; the token embedding counts once, whichever name it has."""
    kept = {name: name for name in names if name.startswith(("encoder.", "shared."))}
    embedding = kept.pop("encoder.embed_tokens.weight", None)
    return kept if embedding is None else {"shared.weight": embedding, **kept}
