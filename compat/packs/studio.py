"""ComfyUI as packs see it: its modules by name, put where `import` finds them, and the nodes of a pack's classes."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import inspect
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

import nodes
from compat.packs import builtin
from compat.packs.calls import caller
from compat.packs.classes import declared, spec_of
from compat.packs.host import api, execution, helpers, management, server, utils
from compat.packs.host.folders import Folders
from compat.packs.placeholder import HostModule, missing
from compat.packs.schemas import classes_of
from compat.packs.values import TYPES
from diffusion import samplers
from diffusion.schedules import SCHEDULES
from graph.node import NodeSpec
from graph.registry import Registry
from jobs.files import FileStore
from jobs.packs import Foreign

ROOTS: Final = (
    "comfy",
    "comfy_api",
    "comfy_execution",
    "comfy_extras",
    "execution",
    "folder_paths",
    "latent_preview",
    "node_helpers",
    "server",
)
"""Modules at the top there, which mean nothing here but to packs. `nodes` is ours too, and gets its names beside."""
MAPPINGS: Final = "NODE_CLASS_MAPPINGS"


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules of ComfyUI by name: those that are offered, and placeholders below the roots."""

    def __init__(self, modules: Mapping[str, ModuleType]) -> None:
        self._modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in ROOTS:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self._modules.get(spec.name) or HostModule(spec.name, {})

    def exec_module(self, module: ModuleType) -> None:
        """It is what it is."""


class Studio:
    """What packs find of ComfyUI, made of the built-in nodes, files and the roots of the models folders."""

    def __init__(self, builtins: Sequence[NodeSpec], files: FileStore, models: Sequence[Path], base: Path) -> None:
        self._files = files
        classes = builtin.classes(Registry(builtins), files)
        self._nodes = {
            **classes,
            MAPPINGS: dict(classes),
            "NODE_DISPLAY_NAME_MAPPINGS": {},
            "EXTENSION_WEB_DIRS": {},
            "MAX_RESOLUTION": builtin.MAX_RESOLUTION,
            "common_ksampler": _common_ksampler(classes),
        }
        self._modules = _modules(Folders(files, models, base))
        self._hidden: dict[str, ModuleType] = {}

    def open(self) -> Foreign:
        """Have the modules found from now on; what reads packs. Once in a process: `import` is for all of it."""
        self._hidden = {name: sys.modules.pop(name) for name in ROOTS if name in sys.modules}
        sys.meta_path.insert(0, Finder(self._modules))
        nodes.__getattr__ = self._node_name
        return self.nodes_of

    def close(self) -> None:
        """Have them not found any more."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
        for name in [name for name in sys.modules if name.partition(".")[0] in ROOTS]:
            del sys.modules[name]
        sys.modules.update(self._hidden)
        delattr(nodes, "__getattr__")

    def _node_name(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module 'nodes' has no attribute {name!r}")
        return self._nodes[name] if name in self._nodes else missing(f"nodes.{name}")

    def nodes_of(self, module: ModuleType, taken: Registry) -> tuple[list[NodeSpec], str | None] | None:
        """The nodes of a pack that is written for ComfyUI, and which are left out, as they cannot be read or have the
        name of a node that is `taken`; None for a pack that is not."""
        if isinstance(mappings := getattr(module, MAPPINGS, None), dict):
            titles = cast("Mapping[str, str]", getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", None) or {})
            found = cast("Mapping[str, type[Any]]", mappings)
        elif (listed := classes_of(module)) is not None:
            found, titles = listed
        else:
            return None
        specs: list[NodeSpec] = []
        told: list[str] = []
        for id, node in found.items():
            if id in taken:
                told.append(f"{id} is left out: a node of that name comes with {taken[id].source}")
                continue
            try:
                specs.append(self._spec(str(id), node, str(titles.get(id) or id), module.__name__))
            except Exception as error:  # noqa: BLE001 - whatever a class raises is its own failure
                told.append(f"{id} is left out: it cannot be read: {type(error).__name__}: {error}")
        return specs, "\n".join(told) or None

    def _spec(self, id: str, node: type[Any], title: str, pack: str) -> NodeSpec:
        read = declared(node)
        return spec_of(id, node, title, pack, read, caller(node, read, self._files.root))


def _modules(folders: Folders) -> dict[str, ModuleType]:
    """The modules that are offered, by name."""
    schedules, ways = list(SCHEDULES), samplers.names()
    sampler = type(
        "KSampler", (), {"SAMPLERS": ways, "SCHEDULERS": schedules, "DISCARD_PENULTIMATE_SIGMA_SAMPLERS": set()}
    )
    offered: dict[str, dict[str, Any]] = {
        "folder_paths": _members(folders),
        "node_helpers": _public(helpers),
        "server": _public(server),
        "execution": {},
        "latent_preview": {"prepare_callback": _no_callback, "get_previewer": _no_callback},
        "comfy": {},
        "comfy.utils": _public(utils),
        "comfy.model_management": _public(management),
        "comfy.cli_args": {
            "args": _arguments(folders),
            "PerformanceFeature": missing("comfy.cli_args.PerformanceFeature"),
        },
        "comfy.samplers": {
            "KSampler": sampler,
            "SAMPLER_NAMES": ways,
            "SCHEDULER_NAMES": schedules,
            "SCHEDULER_HANDLERS": dict.fromkeys(schedules),
        },
        "comfy.comfy_types": _types(),
        "comfy.comfy_types.node_typing": _types(),
        "comfy_execution": {},
        "comfy_execution.graph": {"ExecutionBlocker": execution.ExecutionBlocker},
        "comfy_execution.graph_utils": {"GraphBuilder": execution.GraphBuilder, "is_link": execution.is_link},
    }
    for version in ("latest", "v0_0_1", "v0_0_2"):
        here = f"comfy_api.{version}"
        offered |= {f"{here}.io": api.io(), f"{here}.ui": api.ui(), here: {"ComfyExtension": api.ComfyExtension}}
        offered |= {f"{here}._io": api.io(), f"{here}._ui": api.ui()}
    made = {name: HostModule(name, members) for name, members in offered.items()}
    for name, module in made.items():
        above, _, last = name.rpartition(".")
        if above in made:
            setattr(made[above], last, module)
            setattr(made[above], last.upper(), module)
    return dict(made)


def _members(folders: Folders) -> dict[str, Any]:
    return {name: value for name, value in inspect.getmembers(folders) if not name.startswith("_")}


def _public(module: ModuleType) -> dict[str, Any]:
    """What a module of ours defines, without what it imports from the standard library and from us."""
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def _arguments(folders: Folders) -> Namespace:
    """The command line of ComfyUI as it would stand."""
    return Namespace(
        disable_metadata=False,
        preview_method="auto",
        cpu=False,
        lowvram=False,
        highvram=False,
        gpu_only=False,
        base_directory=folders.base_path,
        output_directory=folders.output_directory,
        listen="127.0.0.1",
        port=8188,
        multi_user=False,
        verbose="INFO",
    )


def _types() -> dict[str, Any]:
    """Names of types, as an enumeration of texts."""
    names = {name: name for name in (*TYPES, "UPSCALE_MODEL", "AUDIO", "VIDEO", "STYLE_MODEL", "GLIGEN", "POINT")}
    kinds = StrEnum("IO", {**names, "ANY": "*", "PRIMITIVE": "STRING,FLOAT,INT,BOOLEAN", "NUMBER": "FLOAT,INT"})
    plain = dict.fromkeys(("InputTypeDict", "InputTypeOptions", "HiddenInputTypeDict", "FileLocator"), dict)
    return {"IO": kinds, **plain, "ComfyNodeABC": object, "CheckLazyMixin": object}


def _no_callback(*_: object, **__: object) -> None:
    """Weft shows the steps of its samplers by itself."""


def _common_ksampler(classes: Mapping[str, type[Any]]) -> Any:
    def common_ksampler(
        model: Any,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        positive: Any,
        negative: Any,
        latent: Any,
        denoise: float = 1.0,
        disable_noise: bool = False,
        start_step: int | None = None,
        last_step: int | None = None,
        force_full_denoise: bool = False,
    ) -> Any:
        """A generation, whole or some of its steps, as the samplers' nodes do it; a tuple of the latent."""
        shared = {
            "model": model,
            "steps": steps,
            "cfg": cfg,
            "sampler_name": sampler_name,
            "scheduler": scheduler,
            "positive": positive,
            "negative": negative,
            "latent_image": latent,
        }
        if start_step is None and last_step is None and not disable_noise:
            return classes["KSampler"]().sample(**shared, seed=seed, denoise=denoise)
        return classes["KSamplerAdvanced"]().sample(
            **shared,
            noise_seed=seed,
            add_noise="disable" if disable_noise else "enable",
            start_at_step=start_step or 0,
            end_at_step=10000 if last_step is None else last_step,
            return_with_leftover_noise="disable" if force_full_denoise else "enable",
        )

    return common_ksampler
