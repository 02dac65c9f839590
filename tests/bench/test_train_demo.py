"""What training and measuring the demo model rely on, and the demo checkpoint itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench import demo_quality
from bench.demo_quality import Settings, held_out_trials
from bench.train_demo import captions, export, judge, scenes, train_unet, vocabulary
from bench.train_demo.optimiser import orthogonalised
from bench.train_demo.text_tower import TextTower
from diffusion.loader import Checkpoint, load_checkpoint
from diffusion.text.tokenizer import clip_tokenizer
from diffusion.weights import Weights

SUBJECTS = vocabulary.load()


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(export.CHECKPOINT, "cpu")


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
    painter = train_unet.Painter()
    train_unet.add_low_rank(painter, 2)
    layer = painter.unet.input_blocks[3][1].transformer_blocks[0].attn1.to_q
    layer.parametrizations["weight"][0].up.data.normal_(generator=torch.Generator().manual_seed(7))
    tensors = train_unet.low_rank_tensors(painter.unet)
    name = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    change = tensors[f"{name}.lora_up.weight"] @ tensors[f"{name}.lora_down.weight"]
    torch.testing.assert_close(layer.parametrizations["weight"].original + change, layer.weight)
    assert {name for name, parameter in painter.named_parameters() if parameter.requires_grad} == {
        name for name, _ in painter.named_parameters() if name.endswith((".up", ".down"))
    }


def test_every_wording_means_one_subject() -> None:
    wordings = [wording.lower() for subject in SUBJECTS for wording in subject.wordings]
    assert len(SUBJECTS) >= 1500
    assert len(wordings) == len(set(wordings))
    assert len({subject.chinese for subject in SUBJECTS}) == len(SUBJECTS)


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


def test_trained_tower_is_the_products(checkpoint: Checkpoint) -> None:
    weights = Weights.open(export.CHECKPOINT).with_prefix("text_encoders.clip_l.transformer.")
    tower = TextTower(128, 4)
    tower.load_state_dict({name: weights[name].float() for name in tower.state_dict()})
    assert checkpoint.clip is not None
    conditioning = checkpoint.clip.encode("a fox on teal background").entries[0]
    ids = [captions.BEGIN, *clip_tokenizer()("a fox on teal background")]
    context, pooled = tower(torch.tensor([ids + [captions.END] * (captions.LENGTH - len(ids))]))
    torch.testing.assert_close(conditioning.context_BLD, context, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(conditioning.pooled_BD, pooled, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layout", [scenes.ALONE, scenes.BESIDE, scenes.ABOVE])
def test_checkpoint_paints_what_is_asked(checkpoint: Checkpoint, layout: int) -> None:
    trials = held_out_trials(layout, 1, torch.Generator().manual_seed(4))
    pictures = demo_quality.paint(checkpoint, trials, Settings(8, 3.0, "euler", "normal"), 1)
    assert demo_quality.right_subjects(pictures, trials, *judge.load()).all()
    assert demo_quality.right_grounds(pictures, trials).all()
