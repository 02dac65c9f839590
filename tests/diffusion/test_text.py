"""Tokenizers, prompt weights, chunks and text towers against golden values and transformers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel

from diffusion.residency import Fixed
from diffusion.text.chunks import clip_chunks, t5_chunk
from diffusion.text.clip import ClipTower
from diffusion.text.encode import Encoding, TextTower, encode_prompt
from diffusion.text.join import join_clip
from diffusion.text.prompt import Segment, parse_prompt
from diffusion.text.slots import ClipRules, T5Rules, TextSlot
from diffusion.text.tokenizer import CLIP_BEGIN, CLIP_END, DATA
from diffusion.text.towers import HEADS, build_tower
from diffusion.weights import BadWeights, Weights
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error

GOLDEN = json.loads((Path(__file__).parent / "golden" / "prompts.json").read_text())
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("bpe_simple_vocab_16e6.txt.gz", "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"),
        ("spiece.model", "d60acb128cf7b7f2536e8f38a5b18a05535c9e14c7a355904270e15b0945ea86"),
    ],
)
def test_vocabulary_files_are_unchanged(name: str, digest: str) -> None:
    assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("prompt", GOLDEN["segments"])
def test_segments_equal_the_golden_ones(prompt: str) -> None:
    assert parse_prompt(prompt) == [Segment(text, weight) for text, weight in GOLDEN["segments"][prompt]]


@pytest.mark.parametrize("prompt", GOLDEN["tokens"], ids=lambda prompt: prompt[:20])
def test_tokens_and_chunks_equal_the_golden_ones(prompt: str) -> None:
    segments, golden = parse_prompt(prompt), GOLDEN["tokens"][prompt]
    assert [[[*token[:2]] for token in chunk] for chunk in clip_chunks(segments, CLIP_END, 77)] == golden["clip_l"]
    assert [[[*token[:2]] for token in chunk] for chunk in clip_chunks(segments, 0, 77)] == golden["clip_g"]
    assert [[*token[:2]] for token in t5_chunk(segments, 77)] == golden["t5xxl"][0]


@pytest.mark.parametrize(
    ("prompt", "segments"),
    [
        ("(a (b)", [("(a ", 1.0), ("b", 1.1)]),
        ("a) (b:2)", [("a) ", 1.0), ("b", 2.0)]),
        ("(a:nan)", [("a:nan", 1.1)]),
        ("(a:inf)", [("a:inf", 1.1)]),
        ("(a: 1.5 )", [("a", 1.5)]),
        ("(a\\:1.5)", [("a\\", 1.5)]),
        ("(a\\):2)", [("a)", 2.0)]),
        ("\\\\(a)", [("\\(a)", 1.0)]),
        ("(a:0)(b)", [("a", 0.0), ("b", 1.1)]),
        ("", []),
    ],
)
def test_prompt_syntax_at_its_edges(prompt: str, segments: list[tuple[str, float]]) -> None:
    assert [(segment.text, segment.weight) for segment in parse_prompt(prompt)] == segments


def test_deep_nesting_is_only_deep() -> None:
    assert parse_prompt("(" * 200_000) == [Segment("(" * 200_000, 1.0)]
    [segment] = parse_prompt("(" * 100_000 + "x:0.5" + ")" * 100_000)
    assert segment == Segment("x", 0.5)


def test_a_short_segment_stays_in_one_chunk_and_a_long_one_is_split() -> None:
    seventy_three = Segment("a " * 73, 1.0)
    short, long = Segment("b c d e", 2.0), Segment("b c d e f g h i", 2.0)
    weights = [[token.weight for token in chunk] for chunk in clip_chunks([seventy_three, short], 0, 77)]
    assert weights == [[1.0] * 77, [1.0, *[2.0] * 4, *[1.0] * 72]]
    weights = [[token.weight for token in chunk] for chunk in clip_chunks([seventy_three, long], 0, 77)]
    assert weights == [[*[1.0] * 74, 2.0, 2.0, 1.0], [1.0, *[2.0] * 6, *[1.0] * 70]]


def tower_of(path: Path, rules: ClipRules | T5Rules) -> TextTower:
    return build_tower(Weights.open(path), TextSlot("tower", (), rules), Fixed(CPU))


def rules_of(*, layer: int, final_norm: bool, activation: str = "quick_gelu", projected: bool = False) -> ClipRules:
    return ClipRules(activation, layer, final_norm, projected, pad=CLIP_END)


IDS = torch.tensor(
    [
        [CLIP_BEGIN, 320, 2368, CLIP_END, *[CLIP_END] * 73],
        [CLIP_BEGIN, *range(500, 575), CLIP_END],
    ]
)


@pytest.mark.parametrize("layout", ["transformers", "without text_model.", "OpenCLIP"])
@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_a_clip_tower_equals_transformers(layout: str, activation: str, tmp_path: Path) -> None:
    reference = tiny.clip_of(activation, layers=3, width=128)
    bare = {name.removeprefix("text_model."): tensor for name, tensor in reference.state_dict().items()}
    tensors = {
        "transformers": dict(reference.state_dict()),
        "without text_model.": bare,
        "OpenCLIP": tiny.openclip_of(reference),
    }
    path = tiny.save(tmp_path / "x.safetensors", tensors[layout])
    with torch.no_grad():
        expected = reference(IDS, output_hidden_states=True)
        layers, norm = expected.hidden_states, reference.text_model.final_layer_norm
        last = tower_of(path, rules_of(layer=1, final_norm=True, activation=activation))(IDS)
        normed = tower_of(path, rules_of(layer=2, final_norm=True, activation=activation))(IDS)
        inner = tower_of(path, rules_of(layer=2, final_norm=False, activation=activation, projected=True))(IDS)
        assert last.pooled_BP is not None
        assert inner.pooled_BP is not None
        assert relative_error(last.hidden_BLD, expected.last_hidden_state) <= TOLERANCE
        assert relative_error(normed.hidden_BLD, norm(layers[-2])) <= TOLERANCE
        assert relative_error(inner.hidden_BLD, layers[-2]) <= TOLERANCE
        assert relative_error(inner.pooled_BP, expected.text_embeds) <= TOLERANCE
        at_end = expected.last_hidden_state[torch.arange(2), [3, 76]]
        assert relative_error(last.pooled_BP, at_end) <= TOLERANCE


def test_a_clip_tower_equals_the_formula(tmp_path: Path) -> None:
    """OpenCLIP's transformer from torch's own layers, with nothing of transformers in it."""
    source = tiny.clip_of("gelu", layers=2, width=128)
    tensors = tiny.openclip_of(source)
    path = tiny.save(tmp_path / "x.safetensors", tensors)
    mask_LL = torch.full((77, 77), -torch.inf).triu(1)
    x = tensors["token_embedding.weight"][IDS] + tensors["positional_embedding"]
    with torch.no_grad():
        for layer in range(2):
            part = {k.removeprefix(f"transformer.resblocks.{layer}."): v for k, v in tensors.items()}
            attention = nn.MultiheadAttention(128, 2, batch_first=True)
            attention.load_state_dict({k[5:]: v for k, v in part.items() if k.startswith("attn.")})
            h = nn.functional.layer_norm(x, (128,), part["ln_1.weight"], part["ln_1.bias"])
            x = x + attention(h, h, h, attn_mask=mask_LL, need_weights=False)[0]
            h = nn.functional.layer_norm(x, (128,), part["ln_2.weight"], part["ln_2.bias"])
            h = nn.functional.gelu(h @ part["mlp.c_fc.weight"].T + part["mlp.c_fc.bias"])
            x = x + h @ part["mlp.c_proj.weight"].T + part["mlp.c_proj.bias"]
        x = nn.functional.layer_norm(x, (128,), tensors["ln_final.weight"], tensors["ln_final.bias"])
    got = tower_of(path, rules_of(layer=1, final_norm=True, activation="gelu", projected=True))(IDS)
    assert got.pooled_BP is not None
    assert relative_error(got.hidden_BLD, x) <= TOLERANCE
    assert relative_error(got.pooled_BP, x[[0, 1], [3, 76]] @ tensors["text_projection"]) <= TOLERANCE


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("transformer.resblocks.0.attn.in_proj_weight", (2, 64)),
        ("transformer.resblocks.0.attn.in_proj_bias", ()),
        ("text_projection", (64,)),
        ("positional_embedding", (77,)),
        ("token_embedding.weight", (49407, 64)),
        ("positional_embedding", (2, 64)),
    ],
)
def test_a_tower_that_is_none_is_refused(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    tensors = tiny.openclip_of(tiny.clip_of(width=64)) | {name: torch.zeros(shape)}
    with pytest.raises(BadWeights, match=r"x\.safetensors: tower: "):
        tower_of(tiny.save(tmp_path / "x.safetensors", tensors), rules_of(layer=1, final_norm=True))


def test_no_part_of_a_tower_is_left_without_memory(tmp_path: Path) -> None:
    path = tiny.save(tmp_path / "x.safetensors", tiny.clip_of(width=64).state_dict())
    tower = tower_of(path, rules_of(layer=1, final_norm=True))
    assert isinstance(tower, ClipTower)
    assert not any(tensor.is_meta for tensor in (*tower.network.parameters(), *tower.network.buffers()))


def test_heads_that_are_not_64_wide_are_stated(tmp_path: Path) -> None:
    tensors = tiny.clip_of(width=64).state_dict()
    rules = rules_of(layer=1, final_norm=True)
    four = tiny.save(tmp_path / "4.safetensors", tensors, {HEADS: "4"})
    one = tiny.save(tmp_path / "1.safetensors", tensors)
    assert not torch.allclose(tower_of(four, rules)(IDS).hidden_BLD, tower_of(one, rules)(IDS).hidden_BLD, atol=1e-3)
    for heads in ("0", "five", "3", "9" * 5000):
        with pytest.raises(BadWeights, match="heads"):
            tower_of(tiny.save(tmp_path / "x.safetensors", tensors, {HEADS: heads}), rules)


def test_a_t5_tower_equals_transformers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = T5Config(vocab_size=32128, d_model=32, d_kv=16, d_ff=48, num_layers=3, num_heads=4)
    config.feed_forward_proj, config.is_gated_act, config.dense_act_fn = "gated-gelu", True, "gelu_new"
    reference = T5EncoderModel(config).eval()
    randomise(reference, seed=3)
    tensors = dict(reference.state_dict())
    ids = torch.tensor([[t.id for t in t5_chunk(parse_prompt("a photo of a cat"), 77)]])
    with torch.no_grad():
        expected = reference(ids).last_hidden_state
    for leave_out in ("shared.weight", "encoder.embed_tokens.weight"):
        kept = {name: tensor.clone() for name, tensor in tensors.items() if name != leave_out}
        tower = tower_of(tiny.save(tmp_path / "x.safetensors", kept), T5Rules(min_length=77))
        assert relative_error(tower(ids).hidden_BLD, expected) <= TOLERANCE
        assert tower(ids).pooled_BP is None


def test_weights_move_tokens_away_from_the_empty_prompt(tmp_path: Path) -> None:
    path = tiny.save(tmp_path / "x.safetensors", tiny.clip_of(width=64).state_dict())
    tower = tower_of(path, rules_of(layer=2, final_norm=False, projected=True))
    plain, weighted = (encode_prompt(tower, parse_prompt(text)) for text in ("a red cat", "a (red:1.7) (cat:-0.5)"))
    empty_LD = encode_prompt(tower, []).context_1LD[0]
    expected_LD = plain.context_1LD[0].clone()
    for position, weight in ((2, 1.7), (3, -0.5)):
        expected_LD[position] = empty_LD[position] + weight * (expected_LD[position] - empty_LD[position])
    assert relative_error(weighted.context_1LD[0], expected_LD) <= TOLERANCE
    assert plain.pooled_1P is not None
    assert weighted.pooled_1P is not None
    assert torch.allclose(weighted.pooled_1P, plain.pooled_1P, atol=1e-5)


def test_chunks_follow_each_other_and_the_first_gives_the_vector(tmp_path: Path) -> None:
    path = tiny.save(tmp_path / "x.safetensors", tiny.clip_of(width=64).state_dict())
    tower = tower_of(path, rules_of(layer=2, final_norm=False))
    head, tail = "a " * 75, "b " * 20
    both, first, second = (encode_prompt(tower, parse_prompt(text)) for text in (head + tail, head, tail))
    assert both.context_1LD.shape == (1, 154, 64)
    assert torch.allclose(both.context_1LD, torch.cat((first.context_1LD, second.context_1LD), dim=1), atol=1e-4)
    assert both.pooled_1P is not None
    assert first.pooled_1P is not None
    assert torch.allclose(both.pooled_1P, first.pooled_1P, atol=1e-4)


def encoding(tokens: int, width: int) -> Encoding:
    return Encoding(torch.randn(1, tokens, width), torch.randn(1, width))


def columns(rows: Tensor, *present: tuple[int, int]) -> bool:
    """Whether exactly these columns hold something."""
    filled = torch.zeros(rows.shape[-1], dtype=torch.bool)
    for start, end in present:
        filled[start:end] = True
    return bool((rows.flatten(0, -2).abs().amax(0) > 0).eq(filled).all())


@pytest.mark.parametrize(
    ("towers", "width", "present"),
    [
        ({"clip_l": 768, "clip_g": 1280}, 4096, [(0, 768), (768, 2048)]),
        ({"clip_l": 768}, 4096, [(0, 768)]),
        ({"clip_g": 1280}, 4096, [(768, 2048)]),
        ({}, 4096, []),
        ({"clip_l": 384}, 384, [(0, 384)]),
        ({"clip_l": 64, "clip_g": 128}, 192, [(0, 64), (64, 192)]),
    ],
)
def test_towers_side_by_side(towers: dict[str, int], width: int, present: list[tuple[int, int]]) -> None:
    joined = join_clip({name: encoding(77, size) for name, size in towers.items()}, width, width)
    assert joined.context_1LD.shape == (1, 77, width)
    assert joined.pooled_1P.shape == (1, width)
    assert columns(joined.context_1LD, *present)
    assert columns(joined.pooled_1P, *present)


def test_towers_side_by_side_are_cut_to_the_shorter_and_never_to_the_narrower() -> None:
    joined = join_clip({"clip_l": encoding(154, 768), "clip_g": encoding(77, 1280)}, 2048, 2048)
    assert joined.context_1LD.shape == (1, 77, 2048)
    for towers in ({"clip_l": encoding(77, 768)}, {"clip_g": encoding(77, 1280)}):
        with pytest.raises(ValueError, match="the network takes 700"):
            join_clip(towers, 700, 700)
