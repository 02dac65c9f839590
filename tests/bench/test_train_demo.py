"""What training and measuring the demo models rely on, and the demo models themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench import demo_classes, demo_inpaint, demo_tiny, demo_trials
from bench.demo_trials import KINDS, Settings, Trial, held_out_trials, trials_of
from bench.train_demo import (
    captions,
    export,
    judge,
    loop,
    pool,
    scenes,
    train_dit,
    train_mmdit,
    train_unet,
    unets,
    vocabulary,
)
from bench.train_demo.captioned import Captioned
from bench.train_demo.loop import Pace
from bench.train_demo.optimiser import Average, Optimiser, Run, orthogonalised
from bench.train_demo.parallel import Group
from bench.train_demo.pool import Latents, Pool
from bench.train_demo.text_tower import TextTower
from diffusion.latents import SD3, SD15
from diffusion.loader import Checkpoint, load_checkpoint, load_dit, load_unet, load_vae
from diffusion.networks.dit import DiTParams
from diffusion.networks.shapes import Shapes
from diffusion.steering import load_controlnet
from diffusion.text.tokenizer import clip_tokenizer
from diffusion.weights import Weights

SUBJECTS = vocabulary.load()


UNET = export.FOLDER / export.KINDS["sd15"].file
DIT = export.FOLDER / export.KINDS["dit"].file


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(export.CHECKPOINT, "cpu")


@pytest.fixture(scope="module")
def unet() -> Checkpoint:
    return load_checkpoint(UNET, "cpu")


@pytest.fixture(scope="module")
def phrases() -> captions.Phrases:
    return captions.build(SUBJECTS, clip_tokenizer())


def test_ids_of_a_caption_are_the_ids_of_its_text(phrases: captions.Phrases) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = scenes.draw(300, len(SUBJECTS), 0.4, generator, 0.3)
    slots = captions.draw(drawn, phrases, generator, 0.4)
    for row, ids in zip(slots, phrases.assemble(slots).tolist()):
        text = clip_tokenizer()(phrases.text(row))
        assert ids == [captions.BEGIN, *text, *[captions.END] * (captions.LENGTH - 1 - len(text))]


def test_training_never_draws_a_held_out_scene() -> None:
    generator = torch.Generator().manual_seed(1)
    assert not scenes.held_out(scenes.draw(20_000, len(SUBJECTS), 0.4, generator, 0.3)).any()


@pytest.mark.parametrize(
    ("layout", "english", "chinese"),
    [
        (scenes.THREE, ("three fox", "3 fox"), ("三个狐狸", "三只狐狸")),
        (scenes.SMALL, ("a small fox", "a tiny fox"), ("小狐狸", "一个小狐狸", "小小的狐狸")),
        (scenes.TOP_LEFT, ("left corner", "at the top left"), ("，左上角",)),
    ],
)
def test_captions_name_counts_sizes_and_places(
    phrases: captions.Phrases, layout: int, english: tuple[str, ...], chinese: tuple[str, ...]
) -> None:
    fox = torch.full((40,), next(n for n, subject in enumerate(SUBJECTS) if subject.name == "fox"))
    drawn = scenes.Scenes(fox, fox, torch.full_like(fox, layout), torch.zeros_like(fox))
    for share, wanted in ((0.0, english), (1.0, chinese)):
        texts = [phrases.text(row) for row in captions.draw(drawn, phrases, torch.Generator().manual_seed(5), share)]
        assert all(any(phrase in text for phrase in wanted) for text in texts if text)
        assert sum(map(bool, texts)) > 20


@pytest.mark.parametrize(
    ("name", "several"),
    [
        ("fox", "foxes"),
        ("butterfly", "butterflies"),
        ("piece of cake", "pieces of cake"),
        ("glasses", "glasses"),
        ("monkey", "monkeys"),
        ("cat with wry smile", "cats with wry smile"),
    ],
)
def test_plural(name: str, several: str) -> None:
    assert captions.plural(name) == several


@pytest.mark.parametrize("layout", range(len(scenes.PLACES)))
def test_subjects_are_drawn_where_they_are_judged(layout: int) -> None:
    square = np.full((2, scenes.SIDE, scenes.SIDE, 4), 255, np.uint8)
    square[1, ..., 1:3] = 0
    sprites = scenes.Sprites(square, "cpu")
    first, second = torch.tensor([0]), torch.tensor([int(layout in (scenes.BESIDE, scenes.ABOVE))])
    drawn = scenes.Scenes(first, second, torch.tensor([layout]), torch.tensor([list(scenes.GROUNDS).index("black")]))
    picture = sprites.render(drawn, torch.Generator().manual_seed(6))
    for number, crop in enumerate(judge.crops(picture, layout)):
        middle = crop[0, :, judge.CROP // 2, judge.CROP // 2]
        expected = torch.tensor([1.0, -1.0, -1.0] if number and second.item() else [1.0, 1.0, 1.0])
        torch.testing.assert_close(middle, expected, rtol=0, atol=0.01)
    covered = (picture[0, 0] > 0.5).float().mean()
    assert covered < 0.9 if layout == scenes.ALONE else covered < 0.24 * len(scenes.PLACES[layout])


def test_low_rank_changes_have_kohyas_names_and_add_up() -> None:
    painter = unets.Painter()
    unets.add_low_rank(painter, 2)
    layer = painter.unet.input_blocks[3][1].transformer_blocks[0].attn1.to_q
    layer.parametrizations["weight"][0].up.data.normal_(generator=torch.Generator().manual_seed(7))
    tensors = {key: tensor.float() for key, tensor in unets.low_rank_tensors(painter.unet).items()}
    name = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    change = tensors[f"{name}.lora_up.weight"] @ tensors[f"{name}.lora_down.weight"]
    torch.testing.assert_close(layer.parametrizations["weight"].original + change, layer.weight, rtol=0, atol=2e-3)
    assert {name for name, parameter in painter.named_parameters() if parameter.requires_grad} == {
        name for name, _ in painter.named_parameters() if name.endswith((".up", ".down"))
    }


def test_every_wording_means_one_subject() -> None:
    wordings = [wording.lower() for subject in SUBJECTS for wording in subject.wordings]
    assert len(SUBJECTS) >= 1500
    assert len(wordings) == len(set(wordings))
    assert len({subject.chinese for subject in SUBJECTS}) == len(SUBJECTS)


def test_as_many_held_out_scenes_as_asked_for() -> None:
    generator = torch.Generator().manual_seed(2)
    assert [len(held_out_trials(scenes.BESIDE, 2, generator)) for _ in range(12)] == [2] * 12


def test_prompts_name_what_is_judged() -> None:
    for layout, words in ((scenes.BESIDE, ("left of", "right of")), (scenes.ABOVE, ("above", "below"))):
        for trial in held_out_trials(layout, 20, torch.Generator().manual_seed(2)):
            word = next(word for word in words if f" {word} " in trial.prompt)
            before, after = trial.prompt.split(f" {word} ")
            named = (trial.first, trial.second) if word == words[0] else (trial.second, trial.first)
            assert before.endswith(SUBJECTS[named[0]].name)
            assert SUBJECTS[named[1]].name in after


def test_orthogonalised_keeps_directions_and_evens_lengths() -> None:
    matrices = torch.randn(3, 24, 48, generator=torch.Generator().manual_seed(3))
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    ours = left.mT @ orthogonalised(matrices) @ right.mT
    lengths = ours.diagonal(dim1=1, dim2=2)
    assert lengths.min() > 0.6
    assert lengths.max() < 1.3
    assert (ours - torch.diag_embed(lengths)).abs().max() < 0.1


def test_checkpoint_is_small_and_says_what_it_is() -> None:
    header = Weights.open(export.CHECKPOINT).header
    assert Path(header.path).stat().st_size <= 40_000_000
    assert header.metadata["modelspec.license"] == "OFL-1.1"
    assert header.metadata["weft.absent_t5"] == "drop"


def test_trained_towers_are_the_products(checkpoint: Checkpoint) -> None:
    trained = export.networks_of(export.CHECKPOINT, export.KINDS["sd3"])
    painter = train_mmdit.Painter()
    painter.load_state_dict(trained)
    assert checkpoint.clip is not None
    conditioning = checkpoint.clip.encode("a fox on teal background").entries[0]
    ids = [captions.BEGIN, *clip_tokenizer()("a fox on teal background")]
    ids_BL = torch.tensor([ids + [captions.END] * (captions.LENGTH - len(ids))])
    sides = painter.text_l(ids_BL), painter.text_g(train_mmdit.padded_with_nothing(ids_BL))
    context, pooled = (torch.cat(parts, -1) for parts in zip(*sides))
    torch.testing.assert_close(conditioning.context_BLD, context, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(conditioning.pooled_BD, pooled, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["one", "above", "counts", "two, Chinese"])
def test_checkpoint_paints_what_is_asked(checkpoint: Checkpoint, kind: str) -> None:
    first, *_ = trials_of(KINDS[kind], 1, torch.Generator().manual_seed(4))
    paints_what_is_asked(checkpoint, first)


@pytest.mark.parametrize("kind", ["one", "counts", "places", "two, Chinese"])
def test_unet_paints_what_is_asked(unet: Checkpoint, kind: str) -> None:
    first, *_ = trials_of(KINDS[kind], 1, torch.Generator().manual_seed(4))
    paints_what_is_asked(unet, first)


def paints_what_is_asked(checkpoint: Checkpoint, trials: list[Trial]) -> None:
    pictures = demo_trials.paint(checkpoint, trials, Settings(8, 3.0, "euler", "normal"), 1)
    assert demo_trials.right_subjects(pictures, trials, *judge.load()).all()
    assert demo_trials.right_grounds(pictures, trials).all()


def test_dit_paints_the_class_asked_for(unet: Checkpoint) -> None:
    assert unet.vae is not None
    fox = next(n for n, subject in enumerate(SUBJECTS) if subject.name == "fox")
    picture = demo_classes.paint(load_dit(DIT, "cpu"), unet.vae, [fox], Settings(10, 3.0, "euler", "normal"))
    assert judge.nearest(*judge.load(), judge.crops(picture * 2 - 1, scenes.ALONE)[0]).item() == fox


@pytest.mark.parametrize("kind", ["sd15", "inpaint"])
def test_a_hole_is_filled_and_the_rest_stays(unet: Checkpoint, kind: str) -> None:
    filler = unet if kind == "sd15" else unet._replace(model=load_unet(export.FOLDER / export.KINDS[kind].file, "cpu"))
    trial = held_out_trials(scenes.BESIDE, 1, torch.Generator().manual_seed(10))[0]
    other, settings = (trial.second + 7) % len(SUBJECTS), Settings(8, 3.0, "euler", "normal")
    filled = demo_inpaint.fill(unet, filler, trial, other, settings)
    found = demo_inpaint.figures([filled])
    assert found["kept within, of 255"] == 0
    assert (filled.after_13HW - filled.before_13HW).abs().max() > 0.1
    assert found["filled right"] == 1


@pytest.mark.parametrize(("kind", "tiny"), demo_tiny.PAIRS)
def test_tiny_decoders_show_what_the_full_ones_do(kind: str, tiny: str) -> None:
    full = load_checkpoint(export.FOLDER / export.KINDS[kind].file, "cpu").vae
    assert full is not None
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(1, 3, 4, 4, generator=generator)
    latent = full.encode(nn.functional.interpolate(coarse, (128, 128), mode="bicubic").clamp(0, 1))
    small = load_vae(export.FOLDER / export.KINDS[tiny].file, "cpu")
    assert demo_tiny.psnr(small.decode(latent), full.decode(latent)) > 25


def test_weights_are_small_and_each_has_a_recipe() -> None:
    files = {str(path.relative_to(export.FOLDER)) for path in export.FOLDER.rglob("*.safetensors")}
    assert files == {kind.file for kind in export.KINDS.values()}
    assert sum((export.FOLDER / file).stat().st_size for file in files) <= 64_000_000


def test_chinese_prompts_are_those_of_training(phrases: captions.Phrases) -> None:
    known = {text.replace(" ", "") for text in phrases.texts}
    for kind in ("one, Chinese", "two, Chinese", "counts and places, Chinese"):
        for trials in trials_of(KINDS[kind], 12, torch.Generator().manual_seed(8)):
            for trial in trials:
                first, *rest = trial.prompt.split("，")
                assert first in known
                assert all(f"，{part}" in known or part in known for part in rest)


@pytest.fixture(scope="module")
def random_pictures() -> scenes.Sprites:
    generator = np.random.default_rng(9)
    return scenes.Sprites(generator.integers(0, 255, (len(SUBJECTS), 16, 16, 4), np.uint8), "cpu")


def averaged_encode(channels: int) -> Latents:
    """Latents that are the picture made small, to train without an autoencoder."""

    def encode(x_B3HW: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x_B3HW, 8).repeat(1, 6, 1, 1)[:, :channels]

    return Latents(encode, SD3 if channels == 16 else SD15)


def trained(painter: nn.Module, split: object, source: loop.Source) -> Run:
    matrices, others = split(painter)
    run = Run(painter, Optimiser(matrices, others, 1e-3), Average(painter, loop.AVERAGED))
    loop.train(run, source, Pace("test", 1e-3, 1.0, float("inf"), 1), Group(0, 1, torch.device("cpu")))
    return run


def pool_of(sprites: scenes.Sprites, views: pool.Views) -> Iterator[tuple[loop.Batch, scenes.Scenes]]:
    return Pool(sprites, views, torch.Generator().manual_seed(2), 4, 4, 0.5, 0.25).batches(loop.TELL)


@pytest.mark.parametrize("kind", ["plain", "inpaint", "control"])
def test_what_a_unets_training_leaves_is_read_by_the_product(
    kind: str, random_pictures: scenes.Sprites, phrases: captions.Phrases, tmp_path: Path
) -> None:
    latents = averaged_encode(4)
    painter = train_unet.KINDS[kind]()
    if kind != "plain":
        train_unet.start_from(painter, UNET)
        painter.text.requires_grad_(False)
    before = {name: p.detach().clone() for name, p in painter.named_parameters()}
    views = train_unet.VIEWS[kind](latents) if kind in train_unet.VIEWS else latents
    batches = pool_of(random_pictures, views)
    run = trained(painter, train_unet.split, Captioned(batches, phrases, torch.Generator().manual_seed(1)))
    assert run.step == loop.TELL
    changed = {name for name, p in painter.named_parameters() if not torch.equal(p, before[name])}
    learnt = {name for name, p in painter.named_parameters() if p.requires_grad}
    assert changed <= learnt
    assert len(changed) > len(learnt) / 2
    if kind == "control":
        train_unet.save_half(painter.control, tmp_path / "control.safetensors")
        path = export.write(export.KINDS["edges"], [tmp_path / "control.safetensors"], None, tmp_path)
        load_controlnet(path, "cpu")
        return
    train_unet.save_half(painter.unet, tmp_path / "unet.safetensors")
    tensors = export.tensors_of([tmp_path / "unet.safetensors"], export.KINDS["flat"])
    save_file(tensors, tmp_path / "out.safetensors")
    network = load_unet(tmp_path / "out.safetensors", "cpu").network
    trained_shapes: Shapes = {name: tuple(p.shape) for name, p in painter.unet.state_dict().items()}
    assert {name: tuple(p.shape) for name, p in network.state_dict().items()} == trained_shapes


def test_two_towers_and_mmdit_learn_and_are_exported(
    random_pictures: scenes.Sprites, phrases: captions.Phrases, tmp_path: Path
) -> None:
    batches = pool_of(random_pictures, averaged_encode(16))
    source = Captioned(batches, phrases, torch.Generator().manual_seed(1), 40)
    run = trained(train_mmdit.Painter(), train_mmdit.split, source)
    train_unet.save_half(run.painter, tmp_path / "painter.safetensors")
    tensors = export.tensors_of([tmp_path / "painter.safetensors"], export.KINDS["sd3"])
    save_file(tensors, tmp_path / "out.safetensors", {"weft.absent_t5": "drop"})
    found = load_checkpoint(tmp_path / "out.safetensors", "cpu")
    assert found.clip is not None
    both = found.clip.encode("a fox").entries[0]
    assert both.context_BLD.shape == (1, 77, 2 * train_mmdit.TEXT_WIDTH)
    ids = [captions.BEGIN, *clip_tokenizer()("a fox")]
    padded = torch.tensor([ids + [captions.END] * (captions.LENGTH - len(ids))])
    stored = {name: tensor.float() for name, tensor in Weights.open(tmp_path / "out.safetensors").items()}
    tower = TextTower(train_mmdit.TEXT_WIDTH, train_mmdit.TEXT_LAYERS, "gelu")
    prefix = export.KINDS["sd3"].prefixes["text_g."]
    tower.load_state_dict({name: stored[prefix + name] for name in tower.state_dict()})
    context, pooled = tower(train_mmdit.padded_with_nothing(padded))
    torch.testing.assert_close(both.context_BLD[..., train_mmdit.TEXT_WIDTH :], context, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(both.pooled_BD[..., train_mmdit.TEXT_WIDTH :], pooled, rtol=1e-4, atol=1e-4)


def test_a_dit_learns_and_goes_on_from_its_state(random_pictures: scenes.Sprites, tmp_path: Path) -> None:
    painter = train_dit.Painter(DiTParams(1, 64, len(SUBJECTS) + 1, 2, 8, 4, 4))
    source = train_dit.Labelled(pool_of(random_pictures, averaged_encode(4)))
    run = trained(painter, train_dit.split, source)
    loop.leave(run, lambda painter: train_unet.save_half(painter, tmp_path / "dit.safetensors"), tmp_path / "state.pt")
    assert load_file(tmp_path / "dit.safetensors")
    again = train_dit.Painter(painter.dit.params)
    other = Run(again, Optimiser(*train_dit.split(again), 1e-3), Average(again, loop.AVERAGED))
    other.resume(tmp_path / "state.pt", torch.device("cpu"))
    assert other.step == run.step == loop.TELL
    for ours, theirs in zip(again.parameters(), painter.parameters()):
        assert torch.equal(ours, theirs)


def test_holes_are_what_an_inpainting_network_sees() -> None:
    torch.manual_seed(3)
    x = torch.ones(6, 3, 128, 128)
    z, beside = unets.Holes(averaged_encode(4))(x)
    mask, around = beside[:, :1].float(), beside[:, 1:].float()
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert 0 < mask.mean() < 1
    inside = nn.functional.max_pool2d(1 - mask, 3, 1, 1) == 0
    outside = nn.functional.max_pool2d(mask, 3, 1, 1) == 0
    for seen, wanted, where in ((around, torch.zeros_like(around), inside), (around, z.float(), outside)):
        assert ((seen - wanted) * where).abs().max() < z.max() / 2  # what the mask's edge leaves of one latent
