"""The command line in processes forked from one that has imported torch: they begin with nothing left to import."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT_S = 120
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
"""Not on Windows: there each imports for itself."""
STREAMS = {"stdin": os.O_RDONLY, "stdout": os.O_WRONLY | os.O_CREAT, "stderr": os.O_WRONLY | os.O_CREAT}


def weft(
    *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """What `python server.py ARGUMENTS` does, run in the repository; `environment` is added to what there is."""
    context = multiprocessing.get_context("forkserver") if FORKS else multiprocessing.get_context("spawn")
    if FORKS:
        context.set_forkserver_preload(["server", "nodes", "diffusion.text.towers"])
    with tempfile.TemporaryDirectory(prefix="weft-command-") as name:
        folder = Path(name)
        (folder / "stdin").write_bytes(stdin)
        process = context.Process(target=_run, args=(arguments, folder, dict(environment or {})))
        process.start()
        process.join(LIMIT_S)
        code = process.exitcode
        process.kill()
        process.join()
        process.close()
        assert code is not None, f"{arguments} took more than {LIMIT_S} s"
        told = [(folder / stream).read_bytes() for stream in ("stdout", "stderr")]
    return subprocess.CompletedProcess(arguments, code, *told)


def _run(arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> None:
    for number, (name, flags) in enumerate(STREAMS.items()):
        os.dup2(os.open(folder / name, flags, 0o600), number)
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ.update(environment)
    os.chdir(ROOT)
    import server

    sys.exit(server.main(arguments))
