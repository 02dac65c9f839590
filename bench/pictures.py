"""What the templates make, as small pictures: `python -m bench.pictures [NAME ...]` runs those that can run, and
writes NAME.webp beside each; with `--whole FOLDER` the whole picture into FOLDER.

A workflow with sweeps is run as the page runs it, which needs Node.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from jobs.exits import Exit

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "web" / "templates", ROOT / "docs" / "workflows")
SIDE = 128
LARGEST = 8192
WHOLE_QUALITY = 75


def smallest(picture: Image.Image) -> bytes:
    """A square WebP of at most LARGEST bytes."""
    fitted = picture.convert("RGB")
    fitted.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (SIDE, SIDE), fitted.getpixel((0, 0)))
    square.paste(fitted, ((SIDE - fitted.width) // 2, (SIDE - fitted.height) // 2))
    for quality in range(90, 0, -10):
        file = io.BytesIO()
        square.save(file, "WEBP", quality=quality, method=6)
        if file.tell() <= LARGEST:
            return file.getvalue()
    raise ValueError(f"expected a picture of at most {LARGEST} bytes")


def paint(document: dict[str, Any], data: Path) -> Path | None:
    """The last picture a workflow makes; None where it needs models that are not there or makes no picture."""
    command = ["run", "-", "--data", str(data), "--json"]
    ran = _server(command, json.dumps(document))
    if ran.returncode == Exit.MISSING:
        return None
    ran.check_returncode()
    made = [Path(each) for each in _paths(json.loads(ran.stdout))]
    return made[-1] if made else None


def swept(document: dict[str, Any], catalogue: dict[str, Any], models: dict[str, list[str]]) -> dict[str, Any]:
    """The workflow that runs the sweeps of another one; itself where nothing is swept."""
    asked = json.dumps({"workflow": document, "catalogue": catalogue, "models": models})
    ran = subprocess.run(
        ["node", "bench/swept.js"], cwd=ROOT, input=asked, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(ran.stdout)


def _server(arguments: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "server.py", *arguments], cwd=ROOT, input=text, stdout=subprocess.PIPE, text=True, check=False
    )


def _paths(value: object) -> list[str]:
    if isinstance(value, dict):
        return [path for each in value.values() for path in _paths(each)]
    if isinstance(value, list):
        return [path for each in value for path in _paths(each)]
    return [value] if isinstance(value, str) and value.endswith((".png", ".webp")) else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="templates (default: all)")
    parser.add_argument("--whole", type=Path, metavar="FOLDER", help="write whole pictures there")
    options = parser.parse_args()
    catalogue, models = (json.loads(_server([each, "--json"]).stdout) for each in ("nodes", "models"))
    with tempfile.TemporaryDirectory() as data:
        for path in sorted(path for folder in FOLDERS for path in folder.glob("*.json")):
            if options.names and path.stem not in options.names:
                continue
            made = paint(swept(json.loads(path.read_text()), catalogue, models), Path(data))
            if made is None:
                print(f"{path.stem}: needs models that are not here, or makes no picture")
                continue
            into = options.whole / f"{path.stem}.webp" if options.whole else path.with_suffix(".webp")
            with Image.open(made) as picture:
                if options.whole:
                    picture.convert("RGB").save(into, "WEBP", quality=WHOLE_QUALITY, method=6)
                else:
                    into.write_bytes(smallest(picture))
            print(f"{path.stem}: {into.stat().st_size} bytes")


if __name__ == "__main__":
    main()
