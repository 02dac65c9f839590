"""Weft's entry point: the command line, and the one place where the parts are wired together.

Each command imports what it needs when it runs: `--help` imports next to nothing, `serve` imports no torch.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.exits import Exit, Failure

if TYPE_CHECKING:
    import asyncio

    from graph.events import Event
    from graph.workflow import Workflow
    from jobs.catalogue import Catalogue
    from jobs.engine import Engine
    from jobs.files import FileStore
    from jobs.home import HomeLock

VERSION = "0.1.0"
HERE = Path(__file__).resolve().parent
PORT = 8188
PORTS_TRIED = 100
SHORTEST_TOKEN = 16
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def parser() -> argparse.ArgumentParser:
    places = argparse.ArgumentParser(add_help=False)
    places.add_argument("--data", type=Path, metavar="DIR", help="folder for everything that is written")
    places.add_argument("--models", type=Path, metavar="DIR", action="append", default=[], help="root of model folders")
    places.add_argument("--custom-nodes", type=Path, metavar="DIR", action="append", default=[], help="folder of packs")
    places.add_argument("--device", metavar="cpu|cuda:N", help="where models run (default: the first GPU, else cpu)")
    document = argparse.ArgumentParser(add_help=False)
    document.add_argument("file", metavar="FILE", help="workflow as JSON, a PNG that carries one, or - for stdin")
    document.add_argument("--set", metavar="NODE.INPUT=VALUE", action="append", default=[], help="change a value first")
    report = argparse.ArgumentParser(add_help=False)
    report.add_argument("--json", action="store_true", help="one JSON document on standard output")
    token = argparse.ArgumentParser(add_help=False)
    token.add_argument("--token-file", type=Path, metavar="FILE", help="file with the token that clients must show")

    codes = ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in Exit)
    top = argparse.ArgumentParser(
        prog="server.py", description="A node-graph studio for diffusion image models.", epilog=f"Exit codes: {codes}."
    )
    top.add_argument("--version", action="version", version=f"Weft {VERSION}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    command = commands.add_parser("serve", parents=[places, token], help="start the studio (the default)")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    command.add_argument("--port", type=int, help=f"0 for any (default: {PORT}, or the next free one)")
    command.add_argument("--no-open", action="store_true", help="do not open a browser")
    command = commands.add_parser("run", parents=[places, document, report], help="run a workflow without a server")
    command.add_argument("--out", type=Path, metavar="DIR", help="folder for results (default: output under --data)")
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="give up after this long")
    commands.add_parser("validate", parents=[places, document, report], help="say all that is wrong with a workflow")
    commands.add_parser(
        "explain", parents=[places, document, report, token], help="say what would run, what is cached, and why"
    )
    commands.add_parser("nodes", parents=[places, report], help="list the nodes")
    commands.add_parser("models", parents=[places, report], help="list the models")
    command = commands.add_parser("worker", parents=[places])
    command.add_argument("--recorder", type=Path, required=True)
    return top


def main(arguments: Sequence[str]) -> int:
    """Run one command, `serve` if none is named; its exit code."""
    chosen = list(arguments)
    if not chosen or (chosen[0].startswith("-") and chosen[0] not in ("-h", "--help", "--version")):
        chosen.insert(0, "serve")
    options = parser().parse_args(chosen)
    commands: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "serve": serve,
        "run": run,
        "validate": validate,
        "explain": explain,
        "nodes": nodes,
        "models": models,
        "worker": worker,
    }
    try:
        code = commands[options.command](options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.CANNOT_WRITE
    except Failure as failure:
        print(f"weft: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


# The parts


def data_folder(options: argparse.Namespace) -> Path:
    from jobs.home import default_home

    folder: Path = options.data or default_home(sys.platform, os.environ, Path.home())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Failure(Exit.CANNOT_WRITE, f"cannot write to the data folder {folder}: {error.strerror}") from error
    return folder.resolve()


def folders(option: str, given: Sequence[Path]) -> list[Path]:
    for folder in given:
        if not folder.is_dir():
            raise Failure(Exit.BAD_CONFIGURATION, f"{option} {folder}: there is no such folder")
    return [folder.resolve() for folder in given]


def pack_folders(options: argparse.Namespace) -> list[Path]:
    return [*folders("--custom-nodes", options.custom_nodes), HERE / "custom_nodes"]


def file_store(options: argparse.Namespace, data: Path, output: Path | None = None) -> FileStore:
    from diffusion.header import read_header
    from jobs.files import FileStore
    from jobs.hashes import Hashes

    roots = [*folders("--models", options.models), HERE / "models", HERE / "models" / "demo"]
    fixed = {"web": HERE / "web", "templates": HERE / "web" / "templates"}
    return FileStore(roots, data, Hashes(data / "hashes.db"), fixed, output, read_header)


def stored_catalogue(options: argparse.Namespace, data: Path, files: FileStore) -> Catalogue:
    from jobs.catalogue import Catalogue

    sources = [HERE / "graph", HERE / "nodes", HERE / "diffusion", *pack_folders(options)]
    return Catalogue(data / "catalogue.json", sources, files)


def compose(options: argparse.Namespace, files: FileStore) -> Engine:
    """The engine with all nodes. This is what imports torch."""
    from graph.cache import Cache, Memory
    from graph.context import Context
    from graph.graph import Builder
    from jobs.engine import Engine
    from jobs.outputs import OutputWriter
    from jobs.packs import load_packs
    from nodes import builtin
    from nodes.values import NodeTraits

    registry, packs = load_packs(builtin(), pack_folders(options))
    writer = OutputWriter(files.root("output"), files.root("temp"))
    return Engine(
        registry=registry,
        packs=packs,
        builder=Builder(registry, files),
        cache=Cache([Memory(memory_budget())], NodeTraits(files)),
        files=files,
        context=Context(save=writer.save, device=device(options)),
        limits={"cpu": os.cpu_count() or 1, "io": 8},
    )


def device(options: argparse.Namespace) -> str:
    import torch

    count = torch.cuda.device_count()
    chosen = options.device or ("cuda:0" if count else "cpu")
    if chosen != "cpu" and chosen not in [f"cuda:{index}" for index in range(count)]:
        found = f"{count} CUDA device(s)" if count else "no CUDA device"
        raise Failure(Exit.BAD_CONFIGURATION, f"--device {chosen}: expected cpu or cuda:N, and there is {found} here")
    return chosen


def memory_budget() -> int:
    """Bytes of results kept in memory: a quarter of what the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (AttributeError, ValueError, OSError):
        return 4 << 30


# The studio


def serve(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    import asyncio
    import logging

    from jobs.home import HomeLock, HomeTaken

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    token = None if options.token_file is None else read_token(options.token_file)
    if token is None and not is_loopback(options.host):
        raise Failure(
            Exit.BAD_CONFIGURATION,
            f"--host {options.host} lets other machines in, so --token-file FILE is needed: "
            f"a file with a secret of at least {SHORTEST_TOKEN} characters",
        )
    data = data_folder(options)
    try:
        lock = HomeLock(data)
    except HomeTaken as error:
        raise Failure(Exit.UNAVAILABLE, str(error)) from error
    with contextlib.closing(listen(options.host, options.port)) as listener:
        return asyncio.run(serve_until_told(options, data, listener, token, lock))


async def serve_until_told(
    options: argparse.Namespace, data: Path, listener: socket.socket, token: str | None, lock: HomeLock
) -> int:
    import asyncio

    from aiohttp import web

    from api.app import build_app, login_path
    from api.config import Config
    from jobs.database import Database, DatabaseTooNew
    from jobs.files import remove_parts
    from jobs.rows import MIGRATIONS
    from jobs.service import Jobs
    from jobs.supervisor import Supervisor

    files = file_store(options, data)
    remove_parts(data)
    supervisor = Supervisor(worker_command(options, data), data / "worker.record", sys.stderr.buffer.write)
    jobs = Jobs(Database(data / "jobs.db", MIGRATIONS), stored_catalogue(options, data, files), supervisor)
    app = build_app(Config(options.host, VERSION, token), jobs, files)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    on_signals(told)
    try:
        await jobs.start()
    except DatabaseTooNew as error:
        raise Failure(Exit.BAD_DATA, str(error)) from error
    await runner.setup()
    await web.SockSite(runner, listener).start()
    url = f"http://{shown_host(options.host)}:{listener.getsockname()[1]}"
    lock.tell(url)
    print(f"Weft is at {url}{login_path(app)}", flush=True)
    if not options.no_open:
        open_browser(url + login_path(app))
    number = await told
    await jobs.stop()
    await runner.cleanup()
    lock.release()
    return 128 + number


def worker_command(options: argparse.Namespace, data: Path) -> list[str]:
    command = [sys.executable, str(HERE / "server.py"), "worker", "--data", str(data)]
    for option, values in (("--models", options.models), ("--custom-nodes", options.custom_nodes)):
        command += [part for value in values for part in (option, str(value))]
    return command + (["--device", options.device] if options.device else [])


def read_token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(Exit.BAD_CONFIGURATION, f"--token-file {path}: {error}") from error
    if len(token) < SHORTEST_TOKEN:
        raise Failure(
            Exit.BAD_CONFIGURATION,
            f"--token-file {path}: expected at least {SHORTEST_TOKEN} characters, got {len(token)}; "
            "`python -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one",
        )
    return token


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket on `port`; without one on PORT or, and it is said, the next free one."""
    if port is not None:
        return listen_on(host, port)
    for candidate in range(PORT, PORT + PORTS_TRIED):
        with contextlib.suppress(Failure):
            listener = listen_on(host, candidate)
            if candidate != PORT:
                print(f"Port {PORT} is taken; using {candidate}.", file=sys.stderr)
            return listener
    return listen_on(host, PORT)


def listen_on(host: str, port: int) -> socket.socket:
    try:
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, OverflowError) as error:
        raise Failure(Exit.BAD_CONFIGURATION, f"cannot listen on {host} port {port}: {error}") from error
    family, kind, protocol, _, address = resolved[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except (OSError, OverflowError) as error:
        listener.close()
        raise Failure(Exit.UNAVAILABLE, f"cannot listen on {host} port {port}: {error}") from error
    return listener


def shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - shown, not bound
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def on_signals(told: asyncio.Future[int]) -> None:
    """Complete `told` with the number of the first signal that asks to stop; a second one ends the process."""
    loop = told.get_loop()

    def handle(number: int) -> None:
        if told.done():
            os._exit(128 + number)
        told.set_result(number)

    for number in SIGNALS:
        if os.name == "posix":
            loop.add_signal_handler(number, handle, number)
        else:
            signal.signal(number, lambda number, _: loop.call_soon_threadsafe(handle, number))


def open_browser(url: str) -> None:
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), name="browser", daemon=True).start()


def worker(options: argparse.Namespace) -> int:
    """The hidden command that `serve` starts as its worker."""
    from jobs import worker

    data = data_folder(options)
    files = file_store(options, data)
    worker.main(lambda: compose(options, files), warm, options.recorder)
    return Exit.DONE


def warm() -> None:
    """Import what the first job would wait for."""
    import transformers  # noqa: F401  # pyright: ignore[reportUnusedImport]


# Without a server


def run(options: argparse.Namespace) -> int:
    """Run a workflow in this process: progress on standard error, paths of the results on standard output."""
    from jobs import report
    from jobs.console import Console
    from jobs.local import run_here
    from jobs.summary import Summary

    data = data_folder(options)
    workflow = read_document(options)
    output = data / "output" if options.out is None else options.out.resolve()
    try:
        files = file_store(options, data, output)
    except OSError as error:
        raise Failure(Exit.CANNOT_WRITE, f"--out {output}: {error.strerror}") from error
    check(options, data, files, workflow)
    engine = compose(options, files)
    summary = Summary()
    console = Console.on(sys.stderr, os.environ, titles(workflow))

    def emit(event: Event) -> None:
        summary.fold(event.to_json())
        console.show(event)

    outcome, code = run_here(engine, workflow, emit, options.timeout)
    console.close()
    written = report.written_files(outcome)
    places = {folder: files.root(folder) for folder in ("output", "temp")}
    if options.json:
        print(report.run_json(outcome, summary.nodes, written, places))
    elif written:
        print(report.run_text(written, places))
    return code


def validate(options: argparse.Namespace) -> int:
    """Say everything that is wrong with a workflow, on standard output."""
    from graph.problems import InvalidGraph
    from jobs import report
    from jobs.exits import problems_exit

    data = data_folder(options)
    workflow = read_document(options)
    catalogue = known_catalogue(options, data, file_store(options, data))
    try:
        catalogue.builder.build(workflow)
    except InvalidGraph as error:
        print(report.problems_json(error.problems) if options.json else report.problems_text(error.problems))
        return problems_exit(error.problems, workflow, catalogue.registry)
    print(report.problems_json(()) if options.json else "valid")
    return Exit.DONE


def explain(options: argparse.Namespace) -> int:
    """Say what would run and what is cached: by the server of the data folder, which has the cache, if one runs."""
    from jobs import report
    from jobs.home import server_of

    data = data_folder(options)
    workflow = read_document(options)
    url = server_of(data)
    if url is None:
        files = file_store(options, data)
        check(options, data, files, workflow)
        plan = compose(options, files).explain(workflow, None)
    else:
        plan = ask_server(url, workflow, options)
    print(json.dumps({"nodes": plan}, indent=1) if options.json else report.plan_text(plan, titles(workflow)))
    return Exit.DONE


def nodes(options: argparse.Namespace) -> int:
    from jobs import report

    data = data_folder(options)
    catalogue = known_catalogue(options, data, file_store(options, data))
    print(json.dumps(catalogue.to_json(), indent=1) if options.json else report.nodes_text(catalogue.registry))
    return Exit.DONE


def models(options: argparse.Namespace) -> int:
    from jobs import report

    found = file_store(options, data_folder(options)).models()
    print(json.dumps(found, indent=1) if options.json else report.models_text(found))
    return Exit.DONE


def read_document(options: argparse.Namespace) -> Workflow:
    from jobs.documents import BadAssignment, BadDocument, assign, read_workflow

    try:
        return assign(read_workflow(options.file, sys.stdin.buffer), options.set)
    except BadAssignment as error:
        raise Failure(Exit.USAGE, str(error)) from error
    except BadDocument as error:
        raise Failure(Exit.BAD_DATA, str(error)) from error
    except OSError as error:
        raise Failure(Exit.BAD_DATA, f"{options.file}: {error.strerror}") from error


def titles(workflow: Workflow) -> dict[str, str]:
    return {id: str(node.get("title") or node.get("type")) for id, node in workflow.nodes.items()}


def known_catalogue(options: argparse.Namespace, data: Path, files: FileStore) -> Catalogue:
    """The definitions without importing the nodes, unless nobody has since they changed."""
    catalogue = stored_catalogue(options, data, files)
    if not catalogue.known:
        catalogue.update(json.dumps(compose(options, files).catalogue()).encode())
    return catalogue


def check(options: argparse.Namespace, data: Path, files: FileStore, workflow: Workflow) -> None:
    """Fail with everything that is wrong with a workflow, before anything slow is imported."""
    from graph.problems import InvalidGraph
    from jobs import report
    from jobs.exits import problems_exit

    catalogue = known_catalogue(options, data, files)
    try:
        catalogue.builder.build(workflow)
    except InvalidGraph as error:
        code = problems_exit(error.problems, workflow, catalogue.registry)
        raise Failure(code, f"{options.file} cannot run:\n{report.problems_text(error.problems)}") from error


def ask_server(url: str, workflow: Workflow, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    import urllib.error
    import urllib.request

    headers = {"Content-Type": "application/json"}
    if options.token_file is not None:
        headers["Authorization"] = f"Bearer {read_token(options.token_file)}"
    body = json.dumps({"workflow": workflow.document}).encode()
    request = urllib.request.Request(f"{url}/api/v1/jobs/explain", body, headers)  # noqa: S310 - url is our own
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:  # noqa: S310
            return json.load(answer)["nodes"]
    except urllib.error.HTTPError as error:
        code = Exit.INVALID if error.code == 422 else Exit.NO_SERVER
        raise Failure(code, f"{url} refused: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise Failure(Exit.NO_SERVER, f"cannot reach the server at {url}: {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
