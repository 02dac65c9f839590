"""A generation from its parts: noise, guide, sampler and levels, each chosen on its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion.prediction import COSINE, Eps, FluxFlow, LearnedEps, V, flux_shift
from graph.events import Failed
from nodes.predictions import model_sampling_continuous_edm, model_sampling_discrete
from tests.diffusion.test_guidance import Recorder, model_of
from tests.nodes.studio import Document, Studio, changed, link

ROOT = Path(__file__).parents[2]


@pytest.fixture
def document(studio: Studio) -> Document:
    """The default workflow on the tiny model: 1 loader, 2 and 3 prompts, 4 latent, 5 KSampler."""
    document = json.loads((ROOT / "web" / "templates" / "default.json").read_text())
    kinds = {entry["type"]: id for id, entry in document["nodes"].items()}
    assert {kind: kinds[kind] for kind in ("CheckpointLoader", "EmptyLatent", "KSampler")} == {
        "CheckpointLoader": "1",
        "EmptyLatent": "4",
        "KSampler": "5",
    }
    return changed(document, n4_width=64, n4_height=48, n4_batch=2, n5_steps=4, n5_cfg=3.0, n5_seed=7)


def latent(studio: Studio, document: Document, node: str = "5", output: str = "latent") -> Tensor:
    return studio.value(document, node)[output].samples_BCHW


def with_nodes(document: Document, **nodes: Any) -> Document:
    added = {id: {"type": kind, "inputs": inputs} for id, (kind, inputs) in nodes.items()}
    return {**document, "nodes": {**document["nodes"], **added}}


def taken_apart(document: Document, **changes: Any) -> Document:
    """The same generation by SamplerCustomAdvanced, node "run"."""
    old = document["nodes"]["5"]["inputs"]
    nodes = {
        "noise": ("RandomNoise", {"seed": old["seed"]}),
        "guide": ("CFGGuider", {name: old[name] for name in ("model", "positive", "negative", "cfg")}),
        "sampler": ("KSamplerSelect", {"sampler": old["sampler"]}),
        "sigmas": ("BasicScheduler", {"model": old["model"], "steps": old["steps"], "schedule": old["schedule"]}),
        "run": (
            "SamplerCustomAdvanced",
            {
                "noise": link("noise", "noise"),
                "guide": link("guide", "guide"),
                "sampler": link("sampler", "sampler"),
                "sigmas": link("sigmas", "sigmas"),
                "latent": old["latent"],
            },
        ),
    }
    return with_nodes(document, **(nodes | changes))


def test_the_parts_make_what_ksampler_makes(studio: Studio, document: Document) -> None:
    whole = latent(studio, document)
    assert torch.equal(latent(studio, taken_apart(document), "run"), whole)
    assert torch.equal(latent(studio, taken_apart(document), "run", "denoised"), whole)
    studio.ran(taken_apart(document))
    assert "CFGGuider" not in studio.ran(changed(taken_apart(document), nnoise_seed=8))


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "lcm", "dpmpp_sde", "seeds_2", "seeds_3", "dpmpp_2m"])
def test_two_in_a_row_share_a_generation(studio: Studio, document: Document, sampler: str) -> None:
    document = changed(document, n5_sampler=sampler)
    inputs = document["nodes"]["5"]["inputs"]
    common = {name: value for name, value in inputs.items() if name != "denoise"}
    first = {**common, "end_at_step": 2, "return_with_leftover_noise": True}
    second = {**common, "start_at_step": 2, "add_noise": False, "latent": link("first", "latent")}
    both = with_nodes(document, first=("KSamplerAdvanced", first), second=("KSamplerAdvanced", second))
    whole, parts = latent(studio, document), latent(studio, both, "second")
    if sampler != "dpmpp_2m":  # which remembers the step before
        assert torch.allclose(parts, whole, atol=1e-3)
    assert not torch.allclose(latent(studio, both, "first"), whole, atol=1e-2)
    assert torch.equal(latent(studio, changed(both, nsecond_seed=9), "second"), parts) == (
        sampler in ("euler", "dpmpp_2m")
    )
    clean = latent(studio, changed(both, nfirst_return_with_leftover_noise=False), "first")
    assert not torch.equal(clean, latent(studio, both, "first"))


@pytest.mark.parametrize("sampler", ["euler", "seeds_3"])
def test_a_picture_of_a_batch_is_painted_alone(studio: Studio, document: Document, sampler: str) -> None:
    document = changed(document, n4_batch=4, n5_sampler=sampler)
    two = with_nodes(document, two=("LatentFromBatch", {"latent": link("4", "latent"), "index": 1, "count": 3}))
    one = with_nodes(two, one=("LatentFromBatch", {"latent": link("two", "latent"), "index": 1}))
    alone = latent(studio, changed(one, n5_latent=link("one", "latent")))
    assert torch.allclose(alone, latent(studio, document)[2:3], atol=1e-4)


def test_levels_split_in_two_make_the_whole_way(studio: Studio, document: Document) -> None:
    parts = taken_apart(
        document,
        split=("SplitSigmas", {"sigmas": link("sigmas", "sigmas"), "step": 3}),
        no_noise=("DisableNoise", {"seed": 7}),
    )
    run = parts["nodes"]["run"]["inputs"]
    high = {**run, "sigmas": link("split", "high")}
    low = {**run, "sigmas": link("split", "low"), "noise": link("no_noise", "noise"), "latent": link("high", "latent")}
    both = with_nodes(parts, high=("SamplerCustomAdvanced", high), low=("SamplerCustomAdvanced", low))
    assert torch.allclose(latent(studio, both, "low"), latent(studio, document), atol=1e-4)


LEVELS = [
    ("PolyexponentialScheduler", {"rho": 1.5}),
    ("LaplaceScheduler", {}),
    ("CurveScheduler", {"points": "0: 1, 0.5: 0.3, 1: 0"}),
    ("AlignYourStepsScheduler", {"kind": "SDXL"}),
    ("VPScheduler", {}),
    ("SDTurboScheduler", {}),
]


@pytest.mark.parametrize(("kind", "inputs"), LEVELS)
def test_levels_of_every_node_lead_down_to_nothing(
    studio: Studio, document: Document, kind: str, inputs: dict[str, object]
) -> None:
    model = {} if kind in ("AlignYourStepsScheduler", "VPScheduler") else {"model": link("1", "model")}
    graph = with_nodes(document, levels=(kind, {**model, **inputs, "steps": 6}))
    sigmas = studio.value(graph, "levels")["sigmas"]
    assert len(sigmas) == 7
    assert sigmas[-1] == 0
    assert list(sigmas) == sorted(sigmas, reverse=True)
    upwards = with_nodes(graph, up=("FlipSigmas", {"sigmas": link("levels", "sigmas")}))
    assert studio.value(upwards, "up")["sigmas"] == (1e-4, *sigmas[-2::-1])


@pytest.mark.parametrize("sampler", ["ddpm", "dpmpp_sde", "euler_ancestral", "lms"])
def test_a_level_that_comes_twice_is_one(studio: Studio, document: Document, sampler: str) -> None:
    """Laplace's levels on a flow: all that lie beyond pure noise are pure noise."""
    laplace = ("LaplaceScheduler", {"model": link("1", "model"), "steps": 3})
    parts = with_nodes(taken_apart(changed(document, n5_sampler=sampler)), levels=laplace)
    parts = changed(parts, nrun_sigmas=link("levels", "sigmas"))
    assert studio.value(parts, "levels")["sigmas"][:2] == (1.0, 1.0)
    assert latent(studio, parts, "run").isfinite().all()


def test_levels_upwards_find_the_noise_of_a_picture(studio: Studio, document: Document) -> None:
    """Of a flow up to its top, where nothing of the picture is left; going on from there leads back to it."""
    painted = link("5", "latent")
    parts = taken_apart(
        changed(document, n5_steps=30, n5_cfg=1.0),
        none=("DisableNoise", {}),
        up=("FlipSigmas", {"sigmas": link("sigmas", "sigmas")}),
    )
    run = {**parts["nodes"]["run"]["inputs"], "noise": link("none", "noise")}
    up = {**run, "sigmas": link("up", "sigmas"), "latent": painted}
    both = with_nodes(parts, raised=("SamplerCustomAdvanced", up))
    both = with_nodes(both, back=("SamplerCustomAdvanced", {**run, "latent": link("raised", "latent")}))
    raised, back, original = (latent(studio, both, node) for node in ("raised", "back", "5"))
    assert raised.isfinite().all()
    assert float((back - original).norm()) < 0.5 * float((raised - original).norm())


@pytest.mark.parametrize(
    ("changes", "port", "message"),
    [
        ({"nrun_sigmas": link("up", "sigmas"), "nsampler_sampler": "ddpm"}, "sampler", "followed by ddim, deis"),
        ({"nrun_sigmas": link("eps", "sigmas")}, "sigmas", "at most 1, as flows have, got 14.615"),
    ],
)
def test_levels_that_cannot_be_followed_are_told(
    studio: Studio, document: Document, changes: dict[str, object], port: str, message: str
) -> None:
    parts = taken_apart(
        document,
        up=("FlipSigmas", {"sigmas": link("sigmas", "sigmas")}),
        eps=("AlignYourStepsScheduler", {}),
    )
    assert studio.run(changed(parts, **changes), ["run"]).state == "failed"
    (failure,) = (event.error for event in studio.events if isinstance(event, Failed))
    assert (failure.node, failure.port) == ("run", port)
    assert message in failure.message


GUIDED = [
    ("RescaleCFG", {"amount": 0.7}),
    ("CFGZeroStar", {}),
    ("APG", {}),
    ("CFGFirstChannels", {}),
    ("GuidanceInterval", {"start": 0.3, "end": 0.8}),
    ("GuidanceCurve", {"points": "0: 4, 1: 1.5"}),
    ("PerturbedAttentionGuidance", {}),
    ("SkipLayerGuidance", {"blocks": "1", "start": 0.0, "end": 1.0}),
]


@pytest.mark.parametrize(("kind", "inputs"), GUIDED)
def test_each_kind_of_guidance_paints_a_picture_of_its_own(
    studio: Studio, document: Document, kind: str, inputs: dict[str, object]
) -> None:
    guided = with_nodes(document, guided=(kind, {"model": link("1", "model"), **inputs}))
    guided = changed(guided, n5_model=link("guided", "model"))
    found, plain = latent(studio, guided), latent(studio, document)
    assert found.isfinite().all()
    assert not torch.allclose(found, plain, atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "inputs", "message"),
    [
        ("SkipLayerGuidance", {"blocks": "77"}, "numbers from 0 to 1"),
        ("GuidanceInterval", {"start": 0.9, "end": 0.1}, "start <= end"),
        ("SelfAttentionGuidance", {}, "expected a U-Net"),
    ],
)
def test_what_does_not_fit_is_told(
    studio: Studio, document: Document, kind: str, inputs: dict[str, object], message: str
) -> None:
    guided = with_nodes(document, guided=(kind, {"model": link("1", "model"), **inputs}))
    assert studio.run(changed(guided, n5_model=link("guided", "model"))).state == "failed"
    (failure,) = (event for event in studio.events if isinstance(event, Failed))
    assert message in failure.error.message


def test_a_flow_is_shifted_by_number_and_by_size(studio: Studio, document: Document) -> None:
    plain = latent(studio, document)
    inputs = {"model": link("1", "model"), "shift": 3.0}
    shifted = changed(with_nodes(document, shift=("ModelSamplingSD3", inputs)), n5_model=link("shift", "model"))
    assert torch.equal(latent(studio, shifted), plain)
    assert not torch.allclose(latent(studio, changed(shifted, nshift_shift=6.0)), plain, atol=1e-3)
    by_size = with_nodes(
        document, shift=("ModelSamplingFlux", {"model": link("1", "model"), "latent": link("4", "latent")})
    )
    model = studio.value(by_size, "shift")["model"]
    assert model.prediction == FluxFlow(flux_shift(4 * 3))


@pytest.mark.parametrize("kind", ["ModelSamplingDiscrete", "ModelSamplingContinuousEDM"])
def test_a_flow_is_not_taken_for_what_it_is_not(studio: Studio, document: Document, kind: str) -> None:
    wrong = with_nodes(document, wrong=(kind, {"model": link("1", "model")}))
    assert studio.run(changed(wrong, n5_model=link("wrong", "model"))).state == "failed"
    (failure,) = (event for event in studio.events if isinstance(event, Failed))
    assert failure.error.message == "model: expected one that predicts eps or v, got one that predicts a flow"


GUIDES = [
    ("BasicGuider", ("conditioning",), {}),
    ("DualCFGGuider", ("first", "second", "negative"), {}),
    ("DualCFGGuider", ("first", "second", "negative"), {"style": "nested"}),
    ("PerpNegGuider", ("positive", "negative", "empty"), {}),
]


def test_guides_by_one_and_by_three_prompts(studio: Studio, document: Document) -> None:
    old = document["nodes"]["5"]["inputs"]
    third = with_nodes(document, third=("CLIPTextEncode", {"clip": link("1", "clip"), "text": "a cat"}))
    sources = (old["positive"], link("third", "conditioning"), old["negative"])
    found = list[Tensor]()
    for kind, ports, settings in GUIDES:
        inputs = dict(zip(ports, sources, strict=False))
        apart = taken_apart(third, guide=(kind, {"model": old["model"], **inputs, **settings}))
        found.append(latent(studio, apart, "run"))
    for place, one in enumerate(found):
        assert one.isfinite().all()
        assert not any(torch.allclose(one, other, atol=1e-3) for other in found[:place])


def test_noise_as_comfyui_makes_it(studio: Studio, document: Document) -> None:
    parts = taken_apart(document, noise=("RandomNoise", {"seed": 7, "rule": "comfy"}))
    assert not torch.allclose(latent(studio, parts, "run"), latent(studio, document), atol=1e-2)


def test_eta_by_a_node(studio: Studio, document: Document) -> None:
    plain = taken_apart(document, sampler=("KSamplerSelect", {"sampler": "ddim"}))
    none = taken_apart(document, sampler=("SamplerEta", {"eta": 0.0}))
    all = taken_apart(document, sampler=("SamplerEta", {"eta": 1.0}))
    ddpm = taken_apart(document, sampler=("KSamplerSelect", {"sampler": "ddpm"}))
    assert torch.equal(latent(studio, none, "run"), latent(studio, plain, "run"))
    assert torch.allclose(latent(studio, all, "run"), latent(studio, ddpm, "run"), atol=1e-4)


def test_what_a_model_predicts_can_be_said() -> None:
    model = model_of(Recorder(), Eps())
    assert model_sampling_discrete(model, "v").prediction == V()
    marked = model_sampling_discrete(model, "v", zero_terminal_snr=True).prediction
    assert marked.sigma_max > 4000
    assert model_sampling_discrete(model, betas="cosine").prediction == Eps(COSINE)
    dit = model_of(Recorder(), LearnedEps())
    assert model_sampling_discrete(dit, betas="linear").prediction == LearnedEps()
    edm = model_sampling_continuous_edm(model, 80.0, 0.01).prediction
    assert (edm.sigma_min, edm.sigma_max) == pytest.approx((0.01, 80.0))
    with pytest.raises(ValueError, match="less than sigma_max"):
        model_sampling_continuous_edm(model, 1.0, 2.0)
