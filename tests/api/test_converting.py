from __future__ import annotations

import json

from tests.api.world import API, World

PATH = f"{API}/workflows/convert"
ENCODE = {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox"}}


def test_a_workflow_of_comfyui_is_given_back_as_ours_with_what_it_lacks(world: World) -> None:
    before = world.state()
    answer = world.send_json("POST", PATH, {"1": ENCODE, "2": {"class_type": "Pack Glow", "inputs": {}}})
    assert answer.status == 200
    assert answer.json["workflow"]["nodes"]["1"] == {"type": "CLIPTextEncode", "inputs": {"text": "a fox"}}
    (note,) = answer.json["notes"]
    assert (note["code"], note["values"]["names"]) == ("missing", "Pack Glow")
    assert world.state() == before


def test_what_is_none_is_refused_whole(world: World) -> None:
    answer = world.send_json("POST", PATH, {"version": 1, "nodes": {}})
    assert (answer.status, answer.json["code"]) == (400, "bad_document")
    assert "each with a class_type" in answer.json["detail"]
    many = {str(id): {"class_type": "VAEDecode"} for id in range(20_001)}
    answer = world.send_json("POST", PATH, many)
    assert (answer.status, answer.json["problems"][0]["code"]) == (422, "too_large")
    deep = json.dumps({"1": ENCODE}).replace('"a fox"', "[" * 200 + "]" * 200).encode()
    assert world.send_json("POST", PATH, deep).status == 400
