"""What training and measuring the demo model rely on, and the demo checkpoint itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench import demo_quality
from bench.demo_quality import Settings, held_out_trials
from bench.train_demo import captions, export, judge, scenes, vocabulary
from bench.train_demo.optimiser import orthogonalised
from bench.train_demo.text_tower import TextTower
from diffusion.loader import Checkpoint, load_checkpoint
from diffusion.text.tokenizer import clip_tokenizer
from diffusion.weights import Weights

SUBJECTS = vocabulary.load()


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(export.CHECKPOINT, "cpu")


def test_ids_of_a_caption_are_the_ids_of_its_text() -> None:
    phrases = captions.build(SUBJECTS, clip_tokenizer())
    generator = torch.Generator().manual_seed(0)
    slots = captions.draw(scenes.draw(300, len(SUBJECTS), 0.5, generator), phrases, generator)
    for row, ids in zip(slots, phrases.assemble(slots).tolist()):
        text = clip_tokenizer()(phrases.text(row))
        assert ids == [captions.BEGIN, *text, *[captions.END] * (captions.LENGTH - 1 - len(text))]


def test_training_never_draws_a_held_out_scene() -> None:
    generator = torch.Generator().manual_seed(1)
    assert not scenes.held_out(scenes.draw(20_000, len(SUBJECTS), 0.5, generator)).any()


def test_every_wording_means_one_subject() -> None:
    wordings = [wording.lower() for subject in SUBJECTS for wording in subject.wordings]
    assert len(SUBJECTS) >= 1500
    assert len(wordings) == len(set(wordings))


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
