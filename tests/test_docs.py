"""The documents are true: their examples run, their tables name what exists, and no place is forgotten."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from docs.generate import TARGET, nodes_page
from jobs.exits import Exit
from jobs.packs import load_packs
from tests import command

ROOT = Path(__file__).parents[1]
USAGE, PACKS = (ROOT / "docs" / f"{name}.md" for name in ("usage", "packs"))

# What stands for the names of a reader's own files.
MODELS: dict[str, str] = dict.fromkeys(("a.safetensors", "b.safetensors"), "weft-emoji-unet.safetensors")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def in_a_new_process(arguments: list[str], home: Path) -> str:
    environment = {**os.environ, "WEFT_HOME": str(home)}
    done = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_node_reference_is_up_to_date() -> None:
    assert TARGET.read_text("utf-8") == nodes_page(), "run `make docs`"


@pytest.mark.parametrize("line", "".join(blocks(USAGE, "bash")).splitlines())
def test_command_lines(line: str, tmp_path: Path) -> None:
    python, program, *arguments = (MODELS.get(word, word) for word in shlex.split(line))
    assert (python, program) == ("python", "server.py")
    if "--out" in arguments:
        arguments[arguments.index("--out") + 1] = str(tmp_path / "pictures")
    done = command.weft(*arguments, environment={"WEFT_HOME": str(tmp_path / "home")})
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.strip()
    assert "--out" not in arguments or all(Path(path).is_file() for path in done.stdout.decode().split())


PROGRAMS = [block for block in blocks(USAGE, "python") if "urllib" not in block]


@pytest.mark.parametrize("program", PROGRAMS, ids=["comfyui", "nodes", "engine"])
def test_python_examples(program: str, tmp_path: Path) -> None:
    in_a_new_process([sys.executable, "-c", program], tmp_path)


def test_http_example(tmp_path: Path) -> None:
    (program,) = (b for b in blocks(USAGE, "python") if "urllib" in b)
    serve = [sys.executable, "server.py", "serve", "--no-open", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(serve, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            address = next(found for line in server.stdout if (found := re.search(r"http://[\w.:\[\]]+", line)))
            program = program.replace("http://127.0.0.1:8188", address[0])
            outputs = in_a_new_process([sys.executable, "-c", program], tmp_path)
            (pictures,) = json.loads(outputs.replace("'", '"')).values()
            with urllib.request.urlopen(address[0] + pictures[0]["url"]) as answer:
                assert answer.read(8) == b"\x89PNG\r\n\x1a\n"
        finally:
            server.terminate()


def test_the_packs_of_the_guide_work(tmp_path: Path) -> None:
    import torch

    for program in blocks(PACKS, "python"):
        name = re.match(r"# custom_nodes/(\w+)/__init__\.py\n", program)
        assert name is not None
        (tmp_path / name[1]).mkdir()
        (tmp_path / name[1] / "__init__.py").write_text(program, "utf-8")
    registry, packs = load_packs([], [tmp_path])
    assert [(pack.name, pack.error) for pack in packs] == [("slow_blur", None), ("tint", None)]
    image = torch.rand(2, 3, 8, 8)
    for id in ("tint.Tint", "slow_blur.Blur"):
        function = registry[id].fn
        assert function is not None
        assert function(image).shape == image.shape
        assert not torch.equal(function(image), image)


def test_every_exit_code_is_documented() -> None:
    table = USAGE.read_text("utf-8").split("| exit code |")[1].split("\n\n")[0]
    documented = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(",")}
    assert documented == {int(code) for code in Exit}


def test_every_option_is_documented() -> None:
    commands = ("serve", "run", "explain", "cache", "fsck")
    printed = "".join(command.weft(name, "--help").stdout.decode() for name in commands)
    assert printed.count("usage:") == len(commands)
    text = USAGE.read_text("utf-8") + (ROOT / "README.md").read_text("utf-8")
    assert {o for o in re.findall(r"--[a-z-]+", printed) if o not in text} - {"--help"} == set()


def test_the_architecture_page_names_every_folder() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    folders = {p.parent.name for p in ROOT.glob("[!.]*/*.py")} - {"tests", "docs"}
    assert {f for f in folders if f"{f}/" not in text} == set()


def test_documents_link_to_what_exists() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "models" / "README.md"]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
