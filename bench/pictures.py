"""What the templates make, as small pictures: `python -m bench.pictures [NAME ...]` runs those that can run, and
writes NAME.webp beside each."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "web" / "templates", ROOT / "docs" / "workflows")
SIDE = 128
LARGEST = 8192


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


def paint(path: Path, data: Path) -> Path | None:
    """The last picture a template makes; None where it needs models that are not there or makes no picture."""
    command = [sys.executable, "server.py", "run", str(path), "--data", str(data), "--json"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode == 4:
        return None
    if ran.returncode != 0:
        raise RuntimeError(f"{path.name}: {ran.stderr[-500:]}")
    made = [Path(each) for each in _paths(json.loads(ran.stdout))]
    return made[-1] if made else None


def _paths(value: object) -> list[str]:
    if isinstance(value, dict):
        return [path for each in value.values() for path in _paths(each)]
    if isinstance(value, list):
        return [path for each in value for path in _paths(each)]
    return [value] if isinstance(value, str) and value.endswith((".png", ".webp")) else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="templates (default: all)")
    names = parser.parse_args().names
    with tempfile.TemporaryDirectory() as data:
        for path in sorted(path for folder in FOLDERS for path in folder.glob("*.json")):
            if names and path.stem not in names:
                continue
            made = paint(path, Path(data))
            if made is None:
                print(f"{path.stem}: needs models that are not here, or makes no picture")
                continue
            with Image.open(made) as picture:
                body = smallest(picture)
            path.with_suffix(".webp").write_bytes(body)
            print(f"{path.stem}: {len(body)} bytes")


if __name__ == "__main__":
    main()
