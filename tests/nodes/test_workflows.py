"""Whole graphs of built-in nodes through the engine: pictures come out, and only what changed runs again."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from bench.pictures import smallest
from graph.events import Failed, Preview, Progress, Skipped, Started
from graph.workflow import parse
from tests.nodes.studio import Document, Studio, changed, link

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(ROOT.glob("web/templates/*.json"))
SAVED = sorted(ROOT.glob("tests/workflows/*.json"))


def template(name: str, **values: object) -> Document:
    """A template with few steps."""
    document = json.loads((ROOT / "web" / "templates" / f"{name}.json").read_text())
    for node in document["nodes"].values():
        if node["type"] == "KSampler":
            node["inputs"]["steps"] = 3
    return changed(document, **values)


@pytest.fixture
def default() -> Document:
    return template("default", n4_width=64, n4_height=48)


def test_a_seed_runs_the_sampler_and_what_follows(studio: Studio, default: Document) -> None:
    assert studio.ran(default) == sorted(node["type"] for node in default["nodes"].values())
    assert studio.ran(changed(default, n5_seed=2)) == ["KSampler", "SaveImage", "VAEDecode"]


def test_a_prompt_runs_its_encoder_and_what_follows(studio: Studio, default: Document) -> None:
    studio.ran(default)
    again = studio.ran(changed(default, n2_text="a cat"))
    assert again == ["CLIPTextEncode", "KSampler", "SaveImage", "VAEDecode"]
    assert next(e.node for e in studio.events if isinstance(e, Started)) == "2"


def test_undo_runs_nothing(studio: Studio, default: Document) -> None:
    studio.ran(default)
    studio.ran(changed(default, n5_seed=2))
    studio.ran(changed(default, n2_text="a cat"))
    assert studio.ran(default) == []


def test_the_same_seed_is_the_same_file(studio: Studio, models: Path, tmp_path: Path, default: Document) -> None:
    studio.ran(default)
    (first,) = studio.saved()
    other = Studio(models, tmp_path / "elsewhere")
    other.ran(default)
    (second,) = other.saved()
    assert studio.read(first) == other.read(second)


def test_a_deleted_picture_is_saved_again(studio: Studio, default: Document) -> None:
    studio.ran(default)
    (file,) = studio.saved()
    studio.files.path(file.folder, file.name).unlink()
    assert studio.ran(default) == ["SaveImage"]


def test_same_words_by_another_way_stop_the_change(studio: Studio, default: Document) -> None:
    """Weights of 1 change the text, but not what it means: the encoder runs, the sampler does not."""
    studio.ran(default)
    assert studio.ran(changed(default, n2_text="(a dog face on blue background:1)")) == ["CLIPTextEncode"]


def test_a_saved_picture_opens_as_its_workflow(studio: Studio, default: Document) -> None:
    default["view"]["note"] = "größer 🙂"
    studio.ran(default)
    (file,) = studio.saved()
    assert (file.width, file.height) == (64, 48)
    with Image.open(io.BytesIO(studio.read(file))) as picture:
        text = picture.info["workflow"]
        assert picture.size == (64, 48)
    assert json.loads(text) == default
    assert studio.ran(dict(parse(text.encode()).document)) == []


def test_image_to_image(studio: Studio) -> None:
    document = template("image-to-image", n5_width=64, n5_height=48)
    studio.ran(document)
    assert len(studio.saved()) == 2
    assert studio.ran(changed(document, n10_denoise=0.5)) == ["KSampler", "SaveImage", "VAEDecode"]


def test_merging(studio: Studio) -> None:
    document = template("merge", n6_width=64, n6_height=48, n2_checkpoint="other.safetensors")
    studio.ran(document)
    assert studio.ran(changed(document, n3_ratio=0.25)) == ["KSampler", "ModelMerge", "SaveImage", "VAEDecode"]
    kinds = changed(document, n2_checkpoint="sd15.safetensors")
    assert studio.run(kinds).state == "failed"
    assert "not built alike" in error_of(studio, "3")


def test_a_four_channel_model_on_the_same_canvas(studio: Studio, default: Document) -> None:
    document = changed(default, n1_checkpoint="sd15.safetensors", n4_batch=3)
    studio.ran(document)
    assert [file.name for file in studio.saved()] == [f"weft-{n:05d}.png" for n in (1, 2, 3)]
    assert studio.value(document, "5")["latent"].samples_BCHW.shape == (3, 4, 6, 8)


def test_parts_in_files_of_their_own_paint_the_same_picture(studio: Studio, default: Document) -> None:
    whole = changed(default, n1_checkpoint="sd15.safetensors")
    clip, model, vae = link("clip", "clip"), link("model", "model"), link("vae", "vae")
    split = changed(whole, n2_clip=clip, n3_clip=clip, n5_model=model, n6_vae=vae)
    split["nodes"] |= {
        "clip": {"type": "CLIPLoader", "inputs": {"text_encoder": "clip_l.safetensors"}},
        "model": {"type": "UNetLoader", "inputs": {"unet": "sd15.safetensors"}},
        "vae": {"type": "VAELoader", "inputs": {"vae": "sd15.safetensors"}},
    }
    assert studio.value(split, "6")["image"].equal(studio.value(whole, "6")["image"])


def test_an_mmdit_in_a_file_of_its_own(studio: Studio, default: Document) -> None:
    split = changed(default, n5_model=link("model", "model"))
    split["nodes"]["model"] = {"type": "MMDiTLoader", "inputs": {"mmdit": "sd3.safetensors"}}
    assert studio.value(split, "6")["image"].equal(studio.value(default, "6")["image"])
    split["nodes"]["model"]["inputs"]["mmdit"] = "sd15.safetensors"
    assert studio.run(split).state == "failed"
    assert "expected a MMDiT" in error_of(studio, "model")


def test_a_checkpoint_without_a_part_says_what_to_add(studio: Studio, default: Document) -> None:
    document = changed(default, n1_checkpoint="network-only.safetensors")
    document["nodes"]["other"] = default["nodes"]["1"]
    document = changed(document, n2_clip=link("other", "clip"))
    assert studio.run(document).state == "failed"
    assert "holds no text encoder; add a CLIPLoader" in error_of(studio, "3")
    document = changed(document, n3_clip=link("other", "clip"))
    assert studio.run(document).state == "failed"
    assert "holds no VAE; add a VAELoader" in error_of(studio, "6")


def error_of(studio: Studio, node: str) -> str:
    return next(event.error.message for event in studio.events if isinstance(event, Failed) and event.node == node)


def test_progress_and_previews(studio: Studio, default: Document) -> None:
    studio.ran(default)
    steps = [(e.step, e.total) for e in studio.events if isinstance(e, Progress) and e.node == "5"]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    previews = [e for e in studio.events if isinstance(e, Preview)]
    assert previews
    assert all(e.node == "5" for e in previews)
    with Image.open(io.BytesIO(previews[-1].data)) as picture:
        assert (Image.MIME[picture.format or ""], picture.size) == ("image/jpeg", (256, 192))


def test_cancelling_stops_within_a_step(studio: Studio, default: Document) -> None:
    """Asked to stop while step 2 is under way, the sampler never reports it."""

    def stop_after_1() -> bool:
        return any(isinstance(e, Progress) and e.step == 1 for e in studio.events)

    assert studio.run(changed(default, n5_steps=1000), cancelled=stop_after_1).state == "cancelled"
    assert [e.step for e in studio.events if isinstance(e, Progress)] == [1]
    assert {e.node for e in studio.events if isinstance(e, Skipped)} >= {"6", "7"}
    assert studio.saved() == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_templates_run_on_a_fresh_clone_and_make_their_pictures(tmp_path: Path, path: Path) -> None:
    demo = Studio(ROOT / "models" / "demo", tmp_path)
    demo.ran(json.loads(path.read_text()))
    with Image.open(io.BytesIO(demo.read(demo.saved()[-1]))) as made, Image.open(path.with_suffix(".webp")) as kept:
        apart = ImageStat.Stat(ImageChops.difference(Image.open(io.BytesIO(smallest(made))), kept.convert("RGB")))
    assert max(apart.mean) < 2, "python -m bench.pictures paints it anew"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_templates_are_drawn(path: Path) -> None:
    document = json.loads(path.read_text())
    places = document["view"]["nodes"]
    assert places.keys() == document["nodes"].keys()
    for id, node in document["nodes"].items():
        for value in node["inputs"].values():
            if isinstance(value, dict):
                assert places[value["node"]]["x"] < places[id]["x"] or places[value["node"]]["y"] < places[id]["y"]


def test_every_template_has_a_title_and_every_title_a_template() -> None:
    """In English; the tests of the page hold the other languages to the same keys."""
    told = (ROOT / "web" / "strings" / "en" / "later" / "templates.js").read_text()
    titles = re.findall(r'"template\.([^".]+)":', told)
    assert set(titles) == {path.stem for path in (*TEMPLATES, *ROOT.glob("docs/workflows/*.json"))}


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_documents_saved_by_every_version_still_run(studio: Studio, path: Path) -> None:
    document = json.loads(path.read_text())
    studio.ran(document)
    pictures = studio.saved()
    assert pictures
    with Image.open(io.BytesIO(studio.read(pictures[0]))) as picture:
        assert json.loads(picture.info["workflow"]) == document
