"""The command line as scripts meet it: results on standard output, the rest on standard error, exit codes kept."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffusion.inspection import inspected
from tests import command

ROOT = Path(__file__).parents[1]
PACK = """
import os, time
from pathlib import Path
from graph import Context, NO_CONTEXT, OutputFile, node

@node("cli.Number", category="cli")
def number(value: int = 0) -> int:
    return value

@node("cli.Fail", category="cli")
def fail(value: int) -> int:
    raise MemoryError("too big") if value == 9 else ValueError("no good")

@node("cli.Wait", category="cli")
def wait(value: int, ctx: Context = NO_CONTEXT) -> int:
    Path(os.environ["STARTED"]).touch()
    for step in range(6000):
        time.sleep(0.01)
        ctx.progress(step + 1, 6000)
    return value

@node("cli.Save", category="cli", sink=True)
def save(value: int, ctx: Context = NO_CONTEXT) -> list[OutputFile]:
    print("chatter")
    return [ctx.save(b"%d" % value, prefix="n", media_type="text/plain", width=1, height=1, temporary=False)]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder and a folder of packs, warmed by one command so that the definitions are known."""
    home = tmp_path_factory.mktemp("home")
    (home / "packs" / "cli").mkdir(parents=True)
    (home / "packs" / "cli" / "__init__.py").write_text(PACK)
    assert weft(home, "nodes").returncode == 0
    return home


def at(home: Path, name: str, *arguments: str) -> list[str]:
    places = ["--data", str(home / "data"), "--custom-nodes", str(home / "packs"), "--device", "cpu"]
    return [name, *places, *arguments]


def weft(home: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return command.weft(*at(home, *arguments), stdin=stdin, environment={"STARTED": os.devnull})


def started(home: Path, *arguments: str, began: Path | None = None) -> subprocess.Popen[bytes]:
    """The command as a shell starts it."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "server.py"), *at(home, *arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "STARTED": str(began)},
    )


def workflow(path: Path, middle: str | None = None, value: object = 7, last: str = "cli.Save") -> str:
    nodes = {"a": {"type": "cli.Number", "inputs": {"value": value}}}
    source = {"node": "a", "output": "int"}
    if middle:
        nodes["b"] = {"type": middle, "inputs": {"value": source}}
        source = {"node": "b", "output": "int"}
    nodes["c"] = {"type": last, "inputs": {"value": source}}
    path.write_text(json.dumps({"version": 1, "nodes": nodes}))
    return str(path)


def test_help_and_version_import_next_to_nothing() -> None:
    program = (
        "import sys, server; before = set(sys.modules)\n"
        "try: server.main(['--help'])\n"
        "except SystemExit as done: code = done.code\n"
        "print({'asyncio', 'aiohttp', 'sqlite3', 'torch', 'graph'} & set(sys.modules), code)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set() 0\n")
    for name in ("serve", "run", "validate", "explain", "nodes", "models", "merge", "cache", "fsck", "Exit codes"):
        assert name in done.stdout
    assert "worker" not in done.stdout


def test_run_prints_the_paths_of_results(home: Path, tmp_path: Path) -> None:
    done = weft(home, "run", workflow(tmp_path / "w.json"), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == f"{tmp_path / 'out' / 'n-00001.txt'}\n"
    assert b"chatter" in done.stderr
    assert (tmp_path / "out" / "n-00001.txt").read_text() == "7"


def test_run_with_json_and_set_from_standard_input(home: Path, tmp_path: Path) -> None:
    text = Path(workflow(tmp_path / "w.json")).read_bytes()
    with started(home, "run", "-", "--set", "a.value=12", "--json", "--out", str(tmp_path)) as process:
        printed, _ = process.communicate(text, timeout=120)
    assert process.returncode == 0
    result = json.loads(printed)
    (output,) = result["outputs"]["c"]
    assert Path(output["path"]).read_text() == "12"
    assert (result["state"], result["error"], output["media_type"]) == ("done", None, "text/plain")
    assert {node["state"] for node in result["nodes"].values()} == {"ran"}


def test_run_of_a_picture_that_carries_its_workflow(home: Path, tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    carried = b"workflow\0" + Path(workflow(tmp_path / "w.json")).read_bytes()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    picture = tmp_path / "p.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"tEXt", carried) + chunk(b"IEND", b""))
    assert weft(home, "validate", str(picture)).stdout == b"valid\n"


@pytest.mark.parametrize(
    ("value", "code", "message"), [(1, 1, b"no good"), (9, 5, b"too big")], ids=["failed", "out of memory"]
)
def test_a_failing_job(home: Path, tmp_path: Path, value: int, code: int, message: bytes) -> None:
    done = weft(home, "run", workflow(tmp_path / "w.json", "cli.Fail", value))
    assert (done.returncode, done.stdout) == (code, b"")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, b"FILE"),
        (["frobnicate"], 2, b"invalid choice"),
        (["run", "{good}", "--set", "nonsense"], 2, b"expected --set NODE.INPUT=VALUE"),
        (["validate", "{invalid}"], 3, b""),
        (["run", "{invalid}"], 3, b"a.value"),
        (["run", "{unknown}"], 4, b"cli.Nothing"),
        (["run", "{no model}"], 4, b"nowhere.safetensors"),
        (["run", "{good}", "--timeout", "0.2"], 7, b""),
        (["run", "/nowhere.json"], 65, b"No such file"),
        (["run", "{broken}"], 65, b"JSON"),
        (["run", "{good}", "--out", "/proc/nowhere"], 73, b"--out"),
        (["models", "--models", "/nowhere"], 78, b"no such folder"),
        (["serve", "--host", "0.0.0.0"], 78, b"--token-file"),
        (["serve", "--token-file", "/nowhere"], 78, b"--token-file"),
        (["serve", "--port", "99999"], 2, b"port"),
        (["run", "{good}", "--device", "cuda:99"], 78, b"cuda:99"),
    ],
)
def test_exit_codes(home: Path, tmp_path: Path, arguments: list[str], code: int, message: bytes) -> None:
    loader = {"type": "CheckpointLoader", "inputs": {"checkpoint": "nowhere.safetensors"}}
    decode = {
        "type": "VAEDecode",
        "inputs": {"vae": {"node": "l", "output": "vae"}, "latent": {"node": "e", "output": "latent"}},
    }
    save = {"type": "PreviewImage", "inputs": {"image": {"node": "d", "output": "image"}}}
    nodes = {"l": loader, "e": {"type": "EmptyLatent", "inputs": {}}, "d": decode, "s": save}
    (tmp_path / "no model.json").write_text(json.dumps({"version": 1, "nodes": nodes}))
    (tmp_path / "broken.json").write_text("{")
    workflow(tmp_path / "good.json", "cli.Wait")
    workflow(tmp_path / "invalid.json", value="seven")
    workflow(tmp_path / "unknown.json", last="cli.Nothing")
    places = {f"{{{path.stem}}}": str(path) for path in tmp_path.glob("*.json")}
    done = weft(home, *[places.get(argument, argument) for argument in arguments])
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr.decode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_cancel_a_run(home: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    began = tmp_path / "began"
    with started(home, "run", workflow(tmp_path / "w.json", "cli.Wait"), "--json", began=began) as process:
        while not began.exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert json.loads(output)["state"] == "cancelled"


def test_validate_says_everything_at_once(home: Path, tmp_path: Path) -> None:
    document = {
        "version": 1,
        "nodes": {"1": {"type": "cli.Numbr", "inputs": {}}, "2": {"type": "cli.Save", "inputs": {"valu": 1}}},
    }
    path = tmp_path / "w.json"
    path.write_text(json.dumps(document))
    done = weft(home, "validate", str(path), "--json")
    problems = json.loads(done.stdout)["problems"]
    assert done.returncode == 3
    assert {problem["code"] for problem in problems} >= {"unknown_node", "unknown_input", "missing_input"}
    text = weft(home, "validate", str(path)).stdout.decode()
    assert "cli.Number" in text
    assert len(text.splitlines()) == len(problems)


def test_nodes_and_models_are_listed(home: Path, tmp_path: Path) -> None:
    assert "cli.Number" in weft(home, "nodes").stdout.decode()
    catalogue = json.loads(weft(home, "nodes", "--json").stdout)
    assert catalogue["packs"]["cli"] == {
        "nodes": ["cli.Number", "cli.Fail", "cli.Wait", "cli.Save"],
        "error": None,
    }
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "mine.safetensors").touch()
    assert "vae/mine.safetensors" in weft(home, "models", "--models", str(tmp_path)).stdout.decode().splitlines()


DEMO = ROOT / "models" / "demo" / "checkpoints" / "weft-emoji.safetensors"


def test_a_model_is_inspected_by_name_and_by_path(home: Path) -> None:
    """The same facts as the node's, as JSON and line by line."""
    facts = inspected(DEMO)
    assert json.loads(weft(home, "models", "--inspect", str(DEMO), "--json").stdout) == facts
    lines = weft(home, "models", "--inspect", "checkpoints/weft-emoji.safetensors").stdout.decode().splitlines()
    assert f"family: {facts['family']}" in lines
    assert f"  AutoV2: {hashlib.sha256(DEMO.read_bytes()).hexdigest()[:10]}" in lines
    assert any(line.strip().startswith("precision") for line in lines)


def test_what_cannot_be_inspected_says_why(home: Path, tmp_path: Path) -> None:
    done = weft(home, "models", "--inspect", "nowhere.safetensors")
    assert (done.returncode, done.stdout) == (4, b"")
    pickle = tmp_path / "x.ckpt"
    pickle.write_bytes(b"PK\x03\x04")
    done = weft(home, "models", "--inspect", str(pickle))
    assert (done.returncode, done.stdout) == (65, b"")
    assert b"can run code when loaded" in done.stderr


def test_files_are_merged(home: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    a = {f"joint_blocks.{n}.weight": torch.randn(8, 8) for n in range(2)}
    save_file(a, tmp_path / "checkpoints" / "a.safetensors")
    save_file({name: tensor * 2 for name, tensor in a.items()}, tmp_path / "b.safetensors")
    out = tmp_path / "merged.safetensors"
    merge = ["merge", "--models", str(tmp_path), "a.safetensors", str(tmp_path / "b.safetensors"), "--out", str(out)]
    done = weft(home, *merge, "--alpha", "0.5", "--blocks", "J00:1", "--json")
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == {"path": str(out), "mixed": 2, "of_a_alone": 0, "left_out": 0}
    merged = load_file(out)
    for name, factor in (("joint_blocks.0.weight", 2.0), ("joint_blocks.1.weight", 1.5)):
        assert torch.allclose(merged[name], a[name] * factor)
    for wrong, code, words in (
        (["--alpha", "0.1"], 73, b"merged.safetensors"),
        (["--blocks", "J00"], 2, b"expected BLOCKS:RATIO"),
        (["--blocks", "IN00:1"], 65, b"this network has no IN00"),
    ):
        done = weft(home, *merge, *wrong)
        assert (done.returncode, done.stdout) == (code, b""), done.stderr.decode()
        assert words in done.stderr
    assert load_file(out).keys() == merged.keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.safetensors", "checkpoints", "merged.safetensors"]


def test_explain_without_a_server_says_what_the_disk_keeps(home: Path, tmp_path: Path) -> None:
    def states(*changed: str) -> set[str]:
        done = weft(home, "explain", path, "--json", *changed)
        assert done.returncode == 0, done.stderr.decode()
        return {node["state"] for node in json.loads(done.stdout)["nodes"].values()}

    path = workflow(tmp_path / "w.json", value=4242)
    for became in ("ran", "cached"):
        again = json.loads(weft(home, "run", path, "--json").stdout)
        assert {node["state"] for node in again["nodes"].values()} == {became}, "a process of its own each time"
    assert states() == {"cached"}
    assert states("--set", "a.value=4711") == {"run"}
    assert states("--cache-disk", "0") == {"run"}


def test_cache_without_a_server_shows_and_clears_what_lies_on_disk(home: Path, tmp_path: Path) -> None:
    def kept(*more: str) -> dict[str, int]:
        done = weft(home, "cache", "--json", *more)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)["tiers"]["disk"]

    path = workflow(tmp_path / "w.json")
    weft(home, "cache", "--clear", "disk")
    assert kept() == {"used": 0, "results": 0}
    weft(home, "run", path)
    before = kept()
    assert before["results"] > 0 < before["used"]
    assert weft(home, "cache").stdout.decode().startswith(f"disk  {before['results']} results  ")
    refused = weft(home, "cache", "--clear", "host")
    assert (refused.returncode, b"no server runs" in refused.stderr) == (8, True)
    assert kept() == before
    assert kept("--clear", "all") == {"used": 0, "results": 0}
    explained = json.loads(weft(home, "explain", path, "--json").stdout)
    assert {node["state"] for node in explained["nodes"].values()} == {"run"}
