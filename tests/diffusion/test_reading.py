"""Prompts read another way: clip skip, learned words, other weights, T5 that is missing, a text for each encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from diffusion.loader import load_checkpoint
from diffusion.model import CLIP, Weighting
from diffusion.reading import from_layer, with_t5, with_words
from diffusion.text.a1111 import parse_a1111
from diffusion.text.chunks import clip_chunks
from diffusion.text.encode import keeping_mean
from diffusion.text.prompt import Segment, with_learned
from diffusion.text.tokenizer import CLIP_BEGIN, CLIP_END
from diffusion.weights import BadWeights
from tests.diffusion import tiny

VECTORS = torch.randn(3, 768, generator=torch.Generator().manual_seed(9))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reading")
    narrow = tiny.checkpoint_of("sd15")
    text = "cond_stage_model.transformer."
    wide = {name: tensor for name, tensor in narrow.items() if not name.startswith(text)}
    clip = tiny.clip_of(layers=3, width=768)
    tiny.save(folder / "sd15.safetensors", wide | tiny.prefixed(text, tiny.plain(clip)))
    tiny.save(folder / "sd3.safetensors", tiny.checkpoint_of("sd3"))
    return folder


def clip_in(path: Path) -> CLIP:
    clip = load_checkpoint(path, "cpu").clip
    assert clip is not None
    return clip


@pytest.fixture(scope="module")
def clip(folder: Path) -> CLIP:
    return clip_in(folder / "sd15.safetensors")


def rows(clip: CLIP, text: str) -> Tensor:
    (entry,) = clip.encode(text).entries
    return entry.context_BLD


def test_an_earlier_layer_is_that_of_transformers(clip: CLIP) -> None:
    reference = tiny.clip_of(layers=3, width=768)
    tokens = clip.towers["clip_l"].chunks([Segment("a cat", 1.0)])[0]
    with torch.no_grad():
        output = reference.text_model(torch.tensor([[token.id for token in tokens]]), output_hidden_states=True)
        for layer in (1, 2, 3):
            assert output.hidden_states is not None
            expected = reference.text_model.final_layer_norm(output.hidden_states[-layer])
            assert torch.allclose(rows(from_layer(clip, layer), "a cat"), expected, rtol=1e-4, atol=1e-4)
    assert from_layer(clip, 2).origin != clip.origin
    for layer in (0, 4):
        with pytest.raises(ValueError, match="clip_l has 3, got one"):
            from_layer(clip, layer)


@pytest.mark.parametrize(
    ("tensors", "names"),
    [
        ({"emb_params": VECTORS}, ["toy"]),
        ({"clip_l": VECTORS, "clip_g": torch.zeros(3, 1280)}, ["toy"]),
        ({"string_to_param.*": VECTORS}, ["toy"]),
        ({"<cat-toy>": VECTORS[0]}, ["toy"]),
        (
            {"bundle_emb.one.string_to_param.*": VECTORS, "bundle_emb.two.clip_l": VECTORS + 0, "up": torch.zeros(1)},
            ["one", "two"],
        ),
    ],
)
def test_every_form_of_file(clip: CLIP, tmp_path: Path, tensors: Mapping[str, Tensor], names: list[str]) -> None:
    learned = with_words(clip, tiny.save(tmp_path / "toy.safetensors", tensors))
    assert sorted(learned.words) == names
    for name in names:
        ((slot, vectors),) = learned.words[name].items()
        assert slot == "clip_l"
        assert torch.equal(vectors, VECTORS[: len(vectors)])
        assert rows(learned, f"a embedding:{name}").shape == (1, 77, 768)


def test_a_word_that_is_learned_to_be_a_known_one_is_that_one(clip: CLIP, tmp_path: Path) -> None:
    """Vectors copied from the vocabulary say what their tokens say, wherever and with whatever weight they stand."""
    words = clip.towers["clip_l"].network.text_model.embeddings.token_embedding.weight  # type: ignore[attr-defined]
    ids = [token.id for token in clip.towers["clip_l"].chunks([Segment("red cat", 1.0)])[0][1:3]]
    path = tiny.save(tmp_path / "toy.safetensors", {"emb_params": words[ids].detach().clone()})
    learned = with_words(clip, path)
    for theirs, known in (
        ("a embedding:toy on grass", "a red cat on grass"),
        ("embedding:toy.pt, (embedding:toy:1.4), x", "red cat, (red cat:1.4), x"),
        ("a " * 80 + "(embedding:toy)", "a " * 80 + "(red cat)"),
    ):
        assert torch.equal(rows(learned, theirs), rows(clip, known))
    assert not torch.allclose(rows(learned, "a embedding:toy"), rows(clip, "a cat red"), atol=1e-3)
    assert torch.equal(rows(learned, "no such word"), rows(clip, "no such word"))


def test_chunks_keep_a_learned_word_whole() -> None:
    parts = with_learned([Segment("a " * 73 + "embedding:toy b", 1.5)], ["toy"])
    first, second = clip_chunks(parts, 0, 77, {"toy": range(60000, 60004)})
    assert [token.id for token in second[:6]] == [CLIP_BEGIN, 60000, 60001, 60002, 60003, 321]
    assert [token.weight for token in second[:7]] == [1.0, *[1.5] * 5, 1.0]
    assert first[74].id == CLIP_END


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("embedding:toy", [("toy", True)]),
        ("a embedding:toy-2, b", [("a ", False), ("toy-2", True), (", b", False)]),
        ("embedding:toy.safetensors b", [("toy", True), (" b", False)]),
        ("xembedding:toy", [("xembedding:toy", False)]),
        ("embedding:toy embedding:toy", [("toy", True), (" ", False), ("toy", True)]),
    ],
)
def test_where_a_learned_word_stands(text: str, parts: list[tuple[str, bool]]) -> None:
    found = with_learned([Segment(text, 1.0)], ["toy", "toy-2"])
    assert [(part.text, part.learned) for part in found if part.text] == parts


def test_a_word_nobody_learned_is_refused(clip: CLIP) -> None:
    with pytest.raises(ValueError, match=r"got 'toys' \(loaded: none\); add an EmbeddingLoader"):
        clip.encode("a embedding:toys")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"emb_params": torch.zeros(2, 1024)}, r"vectors 1024 wide; the text encoders take clip_l 768 wide"),
        ({"clip_l": torch.zeros(2, 1024)}, r"vectors clip_l 1024 wide; the text encoders take clip_l 768 wide"),
        ({"clip_g": torch.zeros(2, 1280)}, r"vectors clip_g 1280 wide"),
        ({"a": VECTORS, "b": torch.zeros(1)}, r"expected the vectors of a learned word, got 2 tensors: a, b"),
        ({"emb_params": torch.zeros(2, 2, 768)}, r"expected vectors, got torch.float32 of shape \[2, 2, 768\]"),
        ({"emb_params": torch.zeros(0, 768)}, r"expected vectors"),
        ({"emb_params": VECTORS * float("inf")}, r"expected finite numbers"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    clip: CLIP, tmp_path: Path, tensors: Mapping[str, Tensor], message: str
) -> None:
    with pytest.raises(BadWeights, match=message):
        with_words(clip, tiny.save(tmp_path / "toy.safetensors", tensors))


def test_pickles_are_refused_and_names_are_taken_once(clip: CLIP, tmp_path: Path) -> None:
    torch.save({"string_to_param": {"*": VECTORS}}, tmp_path / "toy.pt")
    with pytest.raises(BadWeights, match="can run code when loaded"):
        with_words(clip, tmp_path / "toy.pt")
    learned = with_words(clip, tiny.save(tmp_path / "toy.safetensors", {"emb_params": VECTORS}))
    with pytest.raises(ValueError, match="'toy' is there already"):
        with_words(learned, tmp_path / "toy.safetensors")


def test_t5_reads_learned_words(tmp_path: Path) -> None:
    from transformers import T5Config

    from diffusion.text.slots import T5Rules
    from diffusion.text.t5 import T5Network, T5Tower

    torch.manual_seed(0)
    config = T5Config(vocab_size=32128, d_model=32, d_kv=16, d_ff=48, num_layers=1, num_heads=2)
    config.feed_forward_proj, config.is_gated_act, config.dense_act_fn = "gated-gelu", True, "gelu_new"
    config.is_encoder_decoder = config.use_cache = False
    tower = T5Tower(T5Network(config).eval(), T5Rules(8), torch.device("cpu"))
    known = tower.chunks([Segment("cat", 1.0)])[0]
    ids = {"toy": range(tower.vocabulary, tower.vocabulary + 1)}
    vector = tower.network.shared.weight[known[0].id][None]
    learned = tower.chunks([Segment("toy", 1.0, learned=True)], ids)[0]
    with torch.no_grad():
        outputs = [tower(torch.tensor([[t.id for t in chunk]]), vector).hidden_BLD for chunk in (known, learned)]
    assert torch.equal(*outputs)


@pytest.mark.parametrize(("absent", "tokens"), [(None, 154), (77, 154), (256, 333), (0, 77)])
def test_what_stands_for_t5(folder: Path, absent: int | None, tokens: int) -> None:
    clip = with_t5(clip_in(folder / "sd3.safetensors"), 77, absent)
    context_BLD = rows(clip, "a cat")
    assert context_BLD.shape == (1, tokens, 64)
    assert context_BLD[:, :77].any()
    assert not context_BLD[:, 77:].any()


def test_a_text_for_each_encoder(tmp_path: Path) -> None:
    clip = clip_in(tiny.save(tmp_path / "sdxl.safetensors", tiny.checkpoint_of("sdxl")))
    mixed, cat, dog = clip.encode_each({"clip_l": "cat", "clip_g": "dog"}), rows(clip, "cat"), rows(clip, "dog")
    (entry,) = mixed.entries
    assert torch.equal(entry.context_BLD[..., :64], cat[..., :64])
    assert torch.equal(entry.context_BLD[..., 64:128], dog[..., 64:128])
    with pytest.raises(ValueError, match="expected a text for clip_g, got those of clip_l"):
        clip.encode_each({"clip_l": "cat"})


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1),
                ("house", 1.573),
                (" ", 1.1),
                ("on", 1),
                (" a ", 1.1),
                ("hill", 0.55),
                (", sun, ", 1.1),
                ("sky", 1.4641),
                (".", 1.1),
            ],
        ),
        ("(a:0) [b", [("a", 0.0), (" ", 1.0), ("b", 1 / 1.1)]),
        ("x) y] z:2", [("x) y] z:2", 1.0)]),
        ("a [b (c] d)", [("a ", 1.0), ("b ", 1 / 1.1), ("c", 1.0), (" d", 1.1)]),
        ("", []),
    ],
)
def test_web_ui_syntax(text: str, parts: list[tuple[str, float]]) -> None:
    found = parse_a1111(text)
    assert [part.text for part in found] == [text for text, _ in parts]
    assert [part.weight for part in found] == pytest.approx([weight for _, weight in parts])


def test_web_ui_weights_multiply_rows_and_keep_the_mean(clip: CLIP) -> None:
    from dataclasses import replace

    web = replace(clip, weighting=Weighting(parse_a1111, keeping_mean))
    plain, weighted = rows(web, "a red cat")[0], rows(web, "a (red:1.7) cat")[0]
    expected = plain.clone()
    expected[2] *= 1.7
    expected *= plain.mean() / expected.mean()
    assert torch.allclose(weighted, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(plain, rows(clip, "a red cat")[0])


def test_brackets_without_end_are_read_in_time() -> None:
    assert len(parse_a1111("([" * 20_000 + "x" + ")" * 20_000)) == 1
