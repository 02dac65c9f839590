"""Programs written for ComfyUI work here: they send a prompt, listen, fetch the picture, as over there."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from compat.protocol.machine import device
from tests.test_server_process import serving

CLIENT = "a-program"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("peer")
    shutil.copytree(Path(__file__).parent / "packs", home / "packs", ignore=shutil.ignore_patterns("__pycache__"))
    with serving(home, "--port", "0") as server:
        while get(f"{server.url}/api/v1/health")["worker"] != "ready":
            time.sleep(0.05)
        yield server.url


def ask(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """As urllib does it: a body without more is said to be a form."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def get(url: str) -> Any:
    status, body = ask(url)
    assert status == 200, body
    return json.loads(body)


def post(url: str, value: object) -> tuple[int, Any]:
    status, body = ask(url, json.dumps(value).encode())
    return status, json.loads(body) if body else None


def prompt(seed: int = 5, steps: int = 2) -> dict[str, Any]:
    def node(kind: str, **inputs: object) -> dict[str, object]:
        return {"class_type": kind, "inputs": inputs}

    sampling = {"seed": seed, "steps": steps, "cfg": 4, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    return {
        "3": node("KSampler", **sampling, **links),
        "4": node("CheckpointLoaderSimple", ckpt_name="weft-emoji.safetensors"),
        "5": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "6": node("CLIPTextEncode", text="a red apple", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="peer/apple", images=["8", 0]),
    }


def run(url: str, nodes: dict[str, Any], flags: dict[str, Any] | None = None, **more: object) -> list[Any]:
    """All that a program is told of a prompt, from the first message to `executing` nothing."""

    async def listening() -> list[Any]:
        heard: list[Any] = []
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/ws?clientId={CLIENT}") as socket:
            if flags is not None:
                await socket.send_str(json.dumps({"type": "feature_flags", "data": flags}))
            status, answer = await asyncio.to_thread(
                post, f"{url}/prompt", {"prompt": nodes, "client_id": CLIENT, **more}
            )
            assert status == 200, answer
            async for message in socket:
                heard.append(json.loads(message.data) if message.type == aiohttp.WSMsgType.TEXT else message.data)
                if is_end(heard[-1], answer["prompt_id"]):
                    break
        return heard

    return asyncio.run(asyncio.wait_for(listening(), 120))


def is_end(message: Any, id: str) -> bool:
    if not isinstance(message, dict) or message["type"] != "executing":
        return False
    return message["data"]["node"] is None and message["data"]["prompt_id"] == id


def types(heard: list[Any]) -> list[str]:
    return [message["type"] for message in heard if isinstance(message, dict)]


def of(heard: list[Any], kind: str) -> list[Any]:
    return [message["data"] for message in heard if isinstance(message, dict) and message["type"] == kind]


def test_a_program_gets_its_picture(url: str) -> None:
    heard = run(url, prompt())
    assert types(heard)[0] == "status"
    assert of(heard, "status")[0]["sid"] == CLIENT
    order = [kind for kind in types(heard) if kind.startswith("execution") or kind == "executed"]
    assert order == ["execution_start", "execution_cached", "executed", "execution_success"]
    assert {data["node"] for data in of(heard, "executing")} == {*prompt(), None}
    assert [data["value"] for data in of(heard, "progress") if data["node"] == "3"] == [1, 2]
    assert all(node["state"] == "finished" for node in of(heard, "progress_state")[-1]["nodes"].values())
    previews = [message for message in heard if isinstance(message, bytes)]
    assert previews
    assert all(each[:8] == bytes([0, 0, 0, 1, 0, 0, 0, 1]) and each[8:10] == b"\xff\xd8" for each in previews)

    (shown,) = of(heard, "executed")
    (picture,) = shown["output"]["images"]
    assert (picture["subfolder"], picture["type"]) == ("peer", "output")
    query = urllib.parse.urlencode(picture)
    status, data = ask(f"{url}/api/view?{query}")
    assert status == 200
    assert Image.open(io.BytesIO(data)).size == (64, 64)
    small = Image.open(io.BytesIO(ask(f"{url}/view?{query}&preview=webp;80")[1]))
    assert small.format == "WEBP"

    id = shown["prompt_id"]
    entry = get(f"{url}/history/{id}")[id]
    assert entry["outputs"] == {"9": {"images": [picture]}}
    assert entry["status"]["completed"] is True
    assert entry["prompt"][1:3] == [id, prompt()]
    assert get(f"{url}/history?max_items=1").keys() == {id}
    (job,) = get(f"{url}/api/jobs?status=completed&limit=1")["jobs"]
    assert (job["id"], job["outputs_count"], job["preview_output"]["nodeId"]) == (id, 1, "9")

    again = run(url, prompt())
    assert sorted(of(again, "execution_cached")[0]["nodes"]) == sorted(prompt())
    assert [data["node"] for data in of(again, "executing")] == [None], "only what runs is announced"
    assert of(again, "executed")[0]["output"] == {"images": [picture]}


def test_previews_say_of_which_node_they_are_to_those_who_can_read_it(url: str) -> None:
    heard = run(url, prompt(seed=6), {"supports_preview_metadata": True})
    assert of(heard, "feature_flags")[0]["supports_preview_metadata"] is True
    preview = next(message for message in heard if isinstance(message, bytes))
    length = int.from_bytes(preview[4:8], "big")
    assert preview[:4] == bytes([0, 0, 0, 4])
    assert json.loads(preview[8 : 8 + length])["node_id"] == "3"
    assert preview[8 + length :][:2] == b"\xff\xd8"


def test_pictures_for_the_program_alone_come_by_the_socket(url: str) -> None:
    nodes = prompt(seed=7)
    nodes["9"] = {"class_type": "SaveImageWebsocket", "inputs": {"images": ["8", 0]}}
    heard = run(url, nodes)
    announced = [number for number, each in enumerate(heard) if isinstance(each, dict) and each["type"] == "executing"]
    last = max(number for number in announced if heard[number]["data"]["node"] == "9")
    pictures = [each for each in heard[last:] if isinstance(each, bytes)]
    assert [Image.open(io.BytesIO(each[8:])).format for each in pictures] == ["PNG"]
    assert of(heard, "executed") == []


def test_nodes_of_its_packs_run_for_a_program(url: str) -> None:
    nodes = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 24, "height": 16, "batch_size": 1, "color": 0x336699}},
        "2": {"class_type": "Pack Brighten+", "inputs": {"image": ["1", 0], "amount": 0.2, "how": "add"}},
        "3": {"class_type": "PackSend", "inputs": {"images": ["2", 0]}},
    }
    assert get(f"{url}/object_info/PackSend")["PackSend"]["output_node"]
    heard = run(url, nodes)
    assert [data["node"] for data in of(heard, "executing")] == ["1", "2", "3", None]
    (sent,) = [message for message in heard if isinstance(message, bytes)]
    assert sent[:8] == bytes([0, 0, 0, 1, 0, 0, 0, 2])
    assert Image.open(io.BytesIO(sent[8:])).getpixel((0, 0)) == (0x33 + 51, 0x66 + 51, 0x99 + 51)


def test_what_can_be_made_of_a_prompt_is_made(url: str) -> None:
    nodes = prompt(seed=8)
    nodes["10"] = {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0]}}
    nodes["11"] = {"class_type": "SaveImage", "inputs": {"images": ["10", 0], "filename_prefix": "x"}}
    status, answer = post(f"{url}/prompt", {"prompt": nodes})
    assert status == 200
    (error,) = answer["node_errors"]["10"]["errors"]
    assert (error["type"], error["extra_info"]) == ("required_input_missing", {"input_name": "vae"})
    assert answer["node_errors"]["10"]["dependent_outputs"] == ["11"]


@pytest.mark.parametrize(
    ("change", "type"),
    [
        ({"steps": 0}, "value_smaller_than_min"),
        ({"steps": 100_000}, "value_bigger_than_max"),
        ({"sampler_name": "nope"}, "value_not_in_list"),
        ({"steps": "many"}, "invalid_input_type"),
        ({"model": ["6", 0]}, "return_type_mismatch"),
    ],
)
def test_a_refusal_says_what_is_wrong_with_which_input(url: str, change: dict[str, Any], type: str) -> None:
    nodes = prompt()
    nodes["3"]["inputs"] |= change
    status, answer = post(f"{url}/api/prompt", {"prompt": nodes})
    assert (status, answer["error"]["type"]) == (400, "prompt_outputs_failed_validation")
    found = answer["node_errors"]["3"]
    assert (found["class_type"], found["dependent_outputs"]) == ("KSampler", ["9"])
    (error,) = found["errors"]
    assert error["type"] == type
    ((name, value),) = change.items()
    assert (error["extra_info"]["input_name"], error["extra_info"]["received_value"]) == (name, value)


def test_a_prompt_that_is_none_is_refused(url: str) -> None:
    unknown = {**prompt(), "12": {"class_type": "PackGlow", "inputs": {}}}
    nameless = {**prompt(), "12": {"inputs": {}}}
    without = {id: node for id, node in prompt().items() if id != "9"}
    for body, type in (
        ({}, "no_prompt"),
        ({"prompt": unknown}, "invalid_prompt"),
        ({"prompt": nameless}, "invalid_prompt"),
        ({"prompt": without}, "prompt_no_outputs"),
        ({"prompt": prompt(), "partial_execution_targets": []}, "prompt_no_outputs"),
    ):
        status, answer = post(f"{url}/prompt", body)
        assert (status, answer["error"]["type"]) == (400, type)
    assert post(f"{url}/prompt", {"prompt": unknown})[1]["error"]["details"] == "Node ID '#12'"


def broken() -> list[dict[str, Any]]:
    """Prompts with one thing that does not belong where it is."""
    found: list[dict[str, Any]] = []
    strange: list[Any] = [
        None,
        0,
        -1,
        1e308,
        "",
        "x" * 5000,
        [],
        {},
        ["3", 0],
        ["3"],
        ["none", 0],
        ["3", 99],
        ["3", "0"],
    ]
    for value in [*strange, True, [["3", 0]], {"__value__": [1]}, {"node": "3", "output": "latent"}]:
        for id, name in (("3", "model"), ("3", "seed"), ("3", "sampler_name"), ("4", "ckpt_name"), ("9", "images")):
            nodes = prompt(seed=99)
            nodes[id]["inputs"][name] = value
            found.append({"prompt": nodes})
        found += [{"prompt": {**prompt(), "9": {"class_type": "SaveImage", "inputs": value}}}, {"prompt": value}]
        found += [{"prompt": {**prompt(), "9": value}}, {"prompt": {"": value}}]
        found += [
            {"prompt": {}, name: value} for name in ("client_id", "extra_data", "number", "partial_execution_targets")
        ]
    looped = prompt()
    looped["6"]["inputs"]["clip"] = ["9", 0]
    looped["5"]["inputs"]["width"] = ["3", 0]
    return [*found, {"prompt": looped}]


def test_a_broken_prompt_is_refused_whole(url: str) -> None:
    while get(f"{url}/prompt")["exec_info"]["queue_remaining"]:
        time.sleep(0.02)
    for body in broken():
        status, answer = post(f"{url}/prompt", body)
        assert status in (200, 400), (body, answer)
        if status == 400:
            assert answer["error"]["message"]
    post(f"{url}/queue", {"clear": True})
    ask(f"{url}/interrupt", b"")
    for path in ("queue", "interrupt", "free", "history"):
        for value in (None, [], 1, "x", {"clear": 1, "delete": "x"}, {"delete": [1, None]}, {"prompt_id": []}):
            assert post(f"{url}/{path}", value)[0] == 200


def test_prompts_wait_are_seen_and_are_taken_back(url: str) -> None:
    while get(f"{url}/prompt")["exec_info"]["queue_remaining"]:
        time.sleep(0.02)
    first = post(f"{url}/prompt", {"prompt": prompt(seed=20, steps=900), "prompt_id": "long"})[1]["prompt_id"]
    ids = [post(f"{url}/prompt", {"prompt": prompt(seed=30 + n, steps=900)})[1]["prompt_id"] for n in range(3)]
    front = post(f"{url}/prompt", {"prompt": prompt(seed=40, steps=900), "front": True})[1]["prompt_id"]
    assert first == "long"
    queue = get(f"{url}/queue")
    while ids_of(queue["queue_running"]) != [first]:
        time.sleep(0.02)
        queue = get(f"{url}/queue")
    assert ids_of(queue["queue_pending"]) == [front, *ids]
    assert queue["queue_pending"][0][4] == ["9"]
    assert get(f"{url}/prompt")["exec_info"]["queue_remaining"] == 5
    assert post(f"{url}/queue", {"delete": [ids[0]]})[0] == 200
    assert ids_of(get(f"{url}/queue")["queue_pending"]) == [front, *ids[1:]]
    assert post(f"{url}/interrupt", {"prompt_id": ids[1]})[0] == 200, "it does not run: nothing happens"
    assert post(f"{url}/queue", {"clear": True})[0] == 200
    assert get(f"{url}/queue")["queue_pending"] == []
    assert ask(f"{url}/interrupt", b"")[0] == 200
    while get(f"{url}/queue")["queue_running"]:
        time.sleep(0.02)
    assert get(f"{url}/history/{first}")[first]["status"]["messages"][-1][0] == "execution_interrupted"
    assert get(f"{url}/api/jobs/{front}")["status"] == "cancelled"
    assert post(f"{url}/history", {"delete": [front]})[0] == 200
    assert get(f"{url}/history/{front}") == {}


def ids_of(items: list[Any]) -> list[str]:
    return [item[1] for item in items]


def form(fields: dict[str, str], picture: bytes, name: str) -> tuple[bytes, dict[str, str]]:
    parts = [f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields.items()]
    head = f'--b\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode()
    return b"".join(parts) + head + picture + b"\r\n--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}


def png(colour: str, mode: str = "RGB") -> bytes:
    written = io.BytesIO()
    Image.new(mode, (16, 16), colour).save(written, "PNG")
    return written.getvalue()


def test_a_picture_that_takes_a_name_again_is_meant_by_it(url: str) -> None:
    def upload(colour: str) -> Any:
        status, body = ask(f"{url}/upload/image", *form({"overwrite": "true"}, png(colour), "in.png"))
        assert status == 200, body
        return json.loads(body)

    red, blue = upload("red"), upload("blue")
    assert red == {"name": "in.png", "subfolder": "", "type": "input"}
    assert blue["name"] != "in.png"
    seen = Image.open(io.BytesIO(ask(f"{url}/view?filename=in.png&type=input")[1]))
    assert seen.getpixel((0, 0)) == (0, 0, 255)
    nodes = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "in.png"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    (shown,) = of(run(url, nodes), "executed")
    data = ask(f"{url}/view?{urllib.parse.urlencode(shown['output']['images'][0])}")[1]
    assert Image.open(io.BytesIO(data)).getpixel((0, 0)) == (0, 0, 255)


def test_a_mask_becomes_the_transparency_of_its_picture(url: str) -> None:
    ask(f"{url}/upload/image", *form({}, png("green"), "whole.png"))
    reference = json.dumps({"filename": "whole.png", "type": "input", "subfolder": ""})
    mask = form({"original_ref": reference}, png("#00000040", "RGBA"), "mask.png")
    name = json.loads(ask(f"{url}/upload/mask", *mask)[1])["name"]
    masked = Image.open(io.BytesIO(ask(f"{url}/view?filename={name}&type=input")[1]))
    assert masked.getpixel((0, 0)) == (0, 128, 0, 64)
    alpha = Image.open(io.BytesIO(ask(f"{url}/view?filename={name}&type=input&channel=a")[1]))
    assert (alpha.mode, alpha.getpixel((0, 0))) == ("L", 64)


def test_what_programs_ask_first(url: str) -> None:
    assert "weft-emoji.safetensors" in get(f"{url}/models/checkpoints")
    assert "checkpoints" in get(f"{url}/api/models")
    info = get(f"{url}/object_info/CheckpointLoaderSimple")["CheckpointLoaderSimple"]
    assert "weft-emoji.safetensors" in info["input"]["required"]["ckpt_name"][0]
    assert len(get(f"{url}/object_info")) > 100
    assert get(f"{url}/object_info/Nothing") == {}
    (card,) = get(f"{url}/system_stats")["devices"]
    assert (card["type"], card["index"]) == ("cpu", None)
    assert 0 < card["vram_free"] <= card["vram_total"]
    assert get(f"{url}/features")["supports_preview_metadata"] is True
    assert isinstance(get(f"{url}/embeddings"), list)
    assert isinstance(get(f"{url}/view_metadata/checkpoints?filename=weft-emoji.safetensors"), dict)
    for path in ("/models/none", "/view_metadata/checkpoints?filename=none", "/view?filename=none.png", "/api/jobs/x"):
        assert ask(url + path)[0] == 404


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../../b.png", "..\\b.png"])
def test_no_name_leads_out_of_the_folders(url: str, path: str) -> None:
    for query in ({"filename": path}, {"filename": "b.png", "subfolder": path}):
        assert ask(f"{url}/view?{urllib.parse.urlencode(query)}")[0] == 404
    status, body = ask(f"{url}/upload/image", *form({"subfolder": path}, png("red"), path.replace("\\", "\\\\")))
    assert status in (200, 400)
    if status == 200:
        assert "/" not in json.loads(body)["name"]


def test_pages_of_other_sites_are_kept_out_whatever_the_body_is_said_to_be(url: str) -> None:
    body = json.dumps({"prompt": prompt()}).encode()
    for said in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert ask(f"{url}/prompt", body, {"Content-Type": "text/plain", **said})[0] == 403
    assert ask(f"{url}/prompt", body, {"Host": "evil.example"})[0] == 421


def test_workflows_made_for_programs_are_jobs_like_all(url: str, tmp_path: Path) -> None:
    heard = run(url, prompt())
    id = of(heard, "execution_start")[0]["prompt_id"]
    newest = get(f"{url}/api/v1/jobs?limit=1")["jobs"][0]
    assert newest["client"] == CLIENT
    assert newest["state"] == "done"
    assert id != newest["id"]


def test_the_memory_of_a_graphics_card_is_told() -> None:
    told = device({"device": "cuda:1", "device_bytes": 80 << 30})
    assert (told["type"], told["index"], told["vram_total"]) == ("cuda", 1, 80 << 30)
    assert told["vram_free"] == 80 << 30
