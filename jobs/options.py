"""What can be said on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.exits import Exit, Failure

TIERS = ("device", "host", "disk")
_UNITS: Mapping[str, int] = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parser(version: str) -> argparse.ArgumentParser:
    places = argparse.ArgumentParser(add_help=False)
    places.add_argument("--data", type=Path, metavar="DIR", help="folder for everything that is written")
    places.add_argument("--models", type=Path, metavar="DIR", action="append", default=[], help="root of model folders")
    places.add_argument("--custom-nodes", type=Path, metavar="DIR", action="append", default=[], help="folder of packs")
    places.add_argument("--device", metavar="cpu|cuda:N", help="where models run (default: the first GPU, else cpu)")
    for tier in TIERS:
        text = f"bytes of results kept on the {tier}, such as 0, 512M or 4G (default: what the machine can spare)"
        places.add_argument(f"--cache-{tier}", type=size, metavar="SIZE", help=text)
    text = "bytes of weights on the device; a larger model runs block by block (default: what the device can spare)"
    places.add_argument("--weights-device", type=size, metavar="SIZE", help=text)
    places.add_argument(
        "--debug-values", action="store_true", help="fail nodes that change what they were given (slow)"
    )
    document = argparse.ArgumentParser(add_help=False)
    document.add_argument(
        "file", metavar="FILE", help="workflow as JSON, a PNG that carries one (also of ComfyUI), or - for stdin"
    )
    document.add_argument("--set", metavar="NODE.INPUT=VALUE", action="append", default=[], help="change a value first")
    report = argparse.ArgumentParser(add_help=False)
    report.add_argument("--json", action="store_true", help="one JSON document on standard output")
    token = argparse.ArgumentParser(add_help=False)
    token.add_argument("--token-file", type=Path, metavar="FILE", help="file with the token that clients must show")

    codes = ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in Exit)
    top = argparse.ArgumentParser(
        prog="server.py", description="A node-graph studio for diffusion image models.", epilog=f"Exit codes: {codes}."
    )
    top.add_argument("--version", action="version", version=f"Weft {version}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    command = commands.add_parser("serve", parents=[places, token], help="start the studio (the default)")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    command.add_argument("--port", type=int, help="0 for any (default: 8188, or the next free one)")
    command.add_argument("--no-open", action="store_true", help="do not open a browser")
    text = "how often a job that kills its worker runs (default: 2)"
    command.add_argument("--attempts", type=_count, default=2, metavar="N", help=text)
    _worker_options(command)
    command = commands.add_parser("run", parents=[places, document, report], help="run a workflow without a server")
    command.add_argument("--out", type=Path, metavar="DIR", help="folder for results (default: output under --data)")
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="give up after this long")
    commands.add_parser("validate", parents=[places, document, report], help="say all that is wrong with a workflow")
    commands.add_parser(
        "explain", parents=[places, document, report, token], help="say what would run, what is cached, and why"
    )
    commands.add_parser("nodes", parents=[places, report], help="list the nodes")
    command = commands.add_parser("models", parents=[places, report], help="list the models, or say what one holds")
    command.add_argument("--inspect", metavar="FILE", help="name of a model or path of a file: its parts and hashes")
    _merge_options(commands.add_parser("merge", parents=[places, report], help="make one checkpoint of several"))
    command = commands.add_parser("cache", parents=[places, report, token], help="say how much is kept, or let it go")
    command.add_argument("--clear", choices=(*TIERS, "all"), metavar="TIER", help="device, host, disk or all")
    command = commands.add_parser("fsck", parents=[places, report], help="compare recorded results with the files")
    command.add_argument("--repair", action="store_true", help="make good what differs")
    command = commands.add_parser("worker", parents=[places])
    command.add_argument("--recorder", type=Path, required=True)
    command.add_argument("--number", type=int, default=0)
    _worker_options(command)
    top.set_defaults(number=0, workers=1)
    return top


def _merge_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("files", metavar="FILE", nargs="+", help="name of a model or path of a file: A, B and others")
    command.add_argument("--out", type=Path, metavar="FILE", required=True, help="file to write; there must be none")
    command.add_argument("--formula", default="weighted_sum", help="as in the node CheckpointMerge (%(default)s)")
    command.add_argument("--alpha", type=float, default=0.5, help="how much of B (default: %(default)s)")
    command.add_argument("--beta", type=float, default=0.0, help="second number of some formulas")
    command.add_argument("--gamma", type=float, default=1.0, help="third number of some formulas")
    command.add_argument("--seed", type=int, default=0, help="for formulas that draw at random")
    command.add_argument("--curve", default="flat", help="alpha along the blocks (default: %(default)s)")
    command.add_argument("--blocks", default="", metavar="RULES", help="alphas of blocks, such as IN00-IN05:0.2, M00:1")
    command.add_argument(
        "--precision", default="as it is", choices=("as it is", "float16", "bfloat16", "float32"), help="of the numbers"
    )


def folders(option: str, given: Sequence[Path]) -> list[Path]:
    """The folders an option names, from the root on. Failure for one that is none."""
    for folder in given:
        if not folder.is_dir():
            raise Failure(Exit.BAD_CONFIGURATION, f"{option} {folder}: there is no such folder")
    return [folder.resolve() for folder in given]


def _worker_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        help="how many jobs run at once, each in a process of its own (default: one per GPU, else 1)",
    )
    command.add_argument(
        "--recycle-above",
        type=size,
        default=4 << 30,
        metavar="SIZE",
        help="replace a worker between jobs when its memory grew by so much more than it keeps results (default: 4G; "
        "0: never)",
    )


def worker_arguments(options: argparse.Namespace, data: Path) -> list[str]:
    """The arguments of the worker command of a server with these options."""
    arguments = ["worker", "--data", str(data)]
    for option, values in (("--models", options.models), ("--custom-nodes", options.custom_nodes)):
        arguments += [part for value in values for part in (option, str(value))]
    for name in ("device", "workers", "recycle_above", "weights_device", *(f"cache_{tier}" for tier in TIERS)):
        value = getattr(options, name)
        arguments += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return [*arguments, "--debug-values"] if options.debug_values else arguments


def size(text: str) -> int:
    """Bytes of "0", "512M", "4G", "1.5T" (powers of 1024). argparse.ArgumentTypeError for anything else."""
    number, unit = text.strip().upper().removesuffix("B"), ""
    if number and number[-1] in _UNITS:
        number, unit = number[:-1], number[-1]
    try:
        size = float(number) * _UNITS[unit]
    except ValueError:
        size = -1.0
    if not 0 <= size < 2**62:
        raise argparse.ArgumentTypeError(f"expected a size in bytes such as 0, 512M or 4G, got {text!r}")
    return int(size)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return int(text)
