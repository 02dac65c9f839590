"""Nodes that show how a picture came about."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion.inspection import inspected, viewed
from diffusion.latents import SD15
from diffusion.loader import load_checkpoint
from diffusion.prediction import Eps, Flow
from diffusion.reading import with_words
from diffusion.schedules import sigmas
from diffusion.weights import BadWeights
from nodes import film as films
from nodes.types import Latent
from nodes.understanding import schedule_plot
from tests.diffusion import tiny
from tests.diffusion.test_guidance import model_of, text
from tests.diffusion.test_sampling import PULLS
from tests.nodes.studio import Studio, changed
from tests.nodes.test_workflows import template

EMPTY = Latent(torch.zeros(2, 4, 8, 6))


@pytest.fixture(scope="module")
def filmed() -> films.Filmed:
    return films.ksampler_film(PULLS[1], text(1.0), text(0.5), EMPTY, seed=5, steps=4, cfg=2.0)


def test_a_film_has_every_step_and_the_same_end(filmed: films.Filmed) -> None:
    film = filmed.film
    assert film.sigmas == sigmas("normal", Flow(), 4)[:4]
    assert film.noisy_SBCHW.shape == film.estimates_SBCHW.shape == (4, 2, 4, 8, 6)
    last = SD15.process_out(film.noisy_SBCHW[-1].float())
    assert torch.allclose(last, filmed.latent.samples_BCHW, atol=0.02)
    shown = films.film_latents(film, "estimates", item=1, first=4)
    assert torch.allclose(shown.samples_BCHW[0], filmed.latent.samples_BCHW[1], atol=0.02)
    assert len(films.film_latents(film, "noisy", first=2, last=3).samples_BCHW) == 2
    for wrong in ({"first": 5}, {"item": 2}):
        with pytest.raises(ValueError, match="film: expected"):
            films.film_latents(film, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("sampler", "frames"), [("dpm_adaptive", 3), ("dpm_fast", 3)])
def test_a_film_of_a_sampler_that_takes_steps_of_its_own(sampler: str, frames: int) -> None:
    way: dict[str, Any] = {"seed": 5, "steps": 5, "cfg": 2.0, "sampler": sampler}
    film = films.ksampler_film(PULLS[0], text(1.0), text(0.5), EMPTY, **way).film
    steps = json.loads(films.film_statistics(film).text)
    assert len(steps) == len(film.sigmas) == len(film.noisy_SBCHW) >= frames
    assert list(film.sigmas) == sorted(set(film.sigmas), reverse=True)


def test_a_strip_shows_noise_above_and_estimates_below(filmed: films.Filmed) -> None:
    strip = films.film_strip(filmed.film, item=1, height=16)
    assert strip.shape == (1, 3, 32, 4 * 12)
    corner = (SD15.preview(filmed.film.estimates_SBCHW[2:3, 1].float()) + 1) / 2
    assert torch.allclose(strip[0, :, 16, 24], corner[0, :, 0, 0])


def test_numbers_of_a_film_and_of_a_latent(filmed: films.Filmed) -> None:
    steps = json.loads(films.film_statistics(filmed.film).text)
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    channel = filmed.film.noisy_SBCHW[1, :, 2].float()
    assert steps[1]["noisy"][2]["mean"] == pytest.approx(float(channel.mean()), abs=1e-5)
    assert steps[1]["noisy"][2]["std"] == pytest.approx(float(channel.std(correction=0)), abs=1e-5)
    broken = Latent(torch.tensor([1.0, 3.0, torch.nan, torch.inf]).view(1, 1, 2, 2))
    numbers = {"mean": 2.0, "std": 1.0, "min": 1.0, "max": 3.0, "not_finite": 2}
    assert json.loads(films.latent_statistics(broken).text) == [numbers]
    assert films.statistics(torch.full((1, 1, 1, 1), torch.nan)) == [{"not_finite": 1}]


@pytest.mark.parametrize("prediction", [Eps(), Flow()], ids=["eps", "flow"])
def test_a_schedule_is_plotted_with_its_cut_and_its_interval(prediction: Eps | Flow) -> None:
    model = model_of(PULLS[0].network, prediction, SD15)
    image, told = schedule_plot(model, 6, denoise=0.5, guidance_start=0.25, guidance_end=0.75)
    rows = json.loads(told)
    assert [row["sigma"] for row in rows] == list(sigmas("normal", prediction, 12))
    assert [row["sigma"] for row in rows if row["used"]] == list(sigmas("normal", prediction, 6, 0.5))
    assert [row["step"] for row in rows if row["used"]] == [*range(1, 8)]
    inside = [prediction.level(0.75) <= row["sigma"] <= prediction.level(0.25) for row in rows]
    assert [row["guided"] for row in rows] == inside
    assert 4 <= sum(inside) <= 8
    sigma = rows[3]["sigma"]
    assert rows[3]["log_snr"] == pytest.approx(2 * math.log(prediction.alpha(sigma) / sigma))
    assert image.shape == (1, 3, 320, 960)
    colours = {tuple(pixel) for pixel in (image[0].flatten(1).T * 255).round().unique(dim=0).int().tolist()}
    assert {(36, 99, 235), (226, 236, 252), (190, 190, 200)} <= colours


def test_the_tokens_of_a_prompt(tmp_path: Path) -> None:
    path = tiny.save(tmp_path / "x.safetensors", tiny.checkpoint_of("sdxl"))
    clip = load_checkpoint(path, "cpu").clip
    assert clip is not None
    clip = with_words(clip, tiny.save(tmp_path / "toy.safetensors", {"clip_l": torch.zeros(2, 64)}))
    view = viewed(clip, "größer (cats:1.3) embedding:toy")
    (chunk,) = view["clip_l"]
    tokens = [(token["text"], token["weight"]) for token in chunk["tokens"]]
    assert tokens[0] == ("<|startoftext|>", 1.0)
    assert tokens[-4:] == [("cats ", 1.3), ("embedding:toy", 1.0), ("embedding:toy", 1.0), ("<|endoftext|>", 1.0)]
    assert "".join(text for text, _ in tokens[1:-4]) == r"grö\xc3\x9fer "  # one letter in two tokens
    assert chunk["padding"] == 77 - len(chunk["tokens"])
    assert len(view["clip_g"][0]["tokens"]) == len(chunk["tokens"]) - 2
    assert len(viewed(clip, "a " * 100)["clip_l"]) == 2


@pytest.mark.parametrize("family", ["sd15", "sd2", "sdxl", "sd3"])
def test_a_checkpoint_is_told_from_its_header(tmp_path: Path, family: str) -> None:
    tensors = tiny.checkpoint_of(family)
    path = tiny.save(tmp_path / "x.safetensors", {n: t.half() if "model" in n else t for n, t in tensors.items()})
    told = inspected(path)
    assert "Stable Diffusion" in told["family"]
    assert told["hashes"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (told["network"]["missing"]["count"], told["network"]["extra"]["count"]) == (0, 0)
    assert told["parts"]["network"]["precision"] == {"F16": told["parts"]["network"]["tensors"]}
    assert told["network"]["parameters"] == told["parts"]["network"]["parameters"]
    assert sum(part["tensors"] for part in told["parts"].values()) == len(tensors)
    assert {"vae", "network"} <= told["parts"].keys()
    assert told["prediction"]["kind"] == ("Flow" if family == "sd3" else "Eps")
    json.dumps(told)


def test_what_is_missing_left_over_or_of_no_family_is_told(tmp_path: Path) -> None:
    tensors = tiny.checkpoint_of("sd15")
    tensors["model.diffusion_model.more"] = torch.zeros(1)
    del tensors["model.diffusion_model.out.2.bias"]
    told: dict[str, Any] = inspected(tiny.save(tmp_path / "x.safetensors", tensors))
    assert told["network"]["missing"] == {"count": 1, "names": ["out.2.bias"]}
    assert told["network"]["extra"] == {"count": 1, "names": ["more"]}
    other = inspected(tiny.save(tmp_path / "y.safetensors", {"a": torch.zeros(3)}))
    assert other["family"] is None
    assert other["parts"] == {"other": {"tensors": 1, "parameters": 3, "bytes": 12, "precision": {"F32": 1}}}
    assert "y.safetensors" in other["problem"]
    (tmp_path / "z.safetensors").write_bytes(b"no such thing")
    with pytest.raises(BadWeights):
        inspected(tmp_path / "z.safetensors")


def test_in_a_workflow_the_film_paints_what_the_sampler_paints(studio: Studio) -> None:
    document = template("default", n4_width=64, n4_height=48)
    filmed = changed(document)
    filmed["nodes"]["5"]["type"] = "KSamplerFilm"
    assert studio.value(filmed, "6")["image"].equal(studio.value(document, "6")["image"])
    filmed["nodes"]["told"] = {"type": "FilmStatistics", "inputs": {"film": {"node": "5", "output": "film"}}}
    filmed["nodes"]["show"] = {"type": "ShowText", "inputs": {"text": {"node": "told", "output": "text"}}}
    studio.ran(filmed)
    (file,) = [file for file in studio.saved() if file.folder == "temp"]
    assert (file.media_type, len(json.loads(studio.read(file)))) == ("application/json", 3)
