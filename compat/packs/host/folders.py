"""`folder_paths`: where models, uploads and results lie, by the names packs know."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from compat.packs.classes import Names
from jobs.files import MODEL_FOLDERS, WEIGHTS, FileStore, parts_of

OLDER: Final[Mapping[str, str]] = {"unet": "diffusion_models", "clip": "text_encoders"}
"""Folders of models under the names they had before."""
WRITTEN: Final = ("output", "temp", "input")
COUNTED: Final = 5


class Folders:
    """What `folder_paths` offers, of a store of files and the roots of its models folders."""

    def __init__(self, files: FileStore, models: Sequence[Path], base: Path) -> None:
        self._files = files
        self.base_path = str(base)
        self.models_dir = str(models[0])
        self.supported_pt_extensions = set(WEIGHTS)
        self.folder_names_and_paths: dict[str, tuple[list[str], set[str]]] = {
            folder: ([str(root / folder) for root in models], set(WEIGHTS)) for folder in MODEL_FOLDERS
        }
        self.folder_names_and_paths["custom_nodes"] = ([str(base / "custom_nodes")], set())
        self.output_directory, self.temp_directory, self.input_directory = (str(files.root(name)) for name in WRITTEN)
        self.user_directory = str(files.root("workflows").parent)

    def get_filename_list(self, folder_name: str) -> list[str]:
        """Names of the files in a folder of models."""
        folder = self.map_legacy(folder_name)
        if folder in MODEL_FOLDERS:
            return Names(folder, self._files.names(folder))
        return sorted({name for root in self.get_folder_paths(folder) for name in self._found(root, folder)})

    def get_full_path(self, folder_name: str, filename: str) -> str | None:
        """Where a file of a folder of models lies; None where there is none."""
        folder = self.map_legacy(folder_name)
        try:
            if folder in MODEL_FOLDERS:
                return str(self._files.path(folder, filename.replace("\\", "/")))
            parts = parts_of(filename.replace("\\", "/"))
        except ValueError:
            return None
        places = (Path(root, *parts) for root in self.get_folder_paths(folder))
        return next((str(place) for place in places if place.is_file()), None)

    def get_full_path_or_raise(self, folder_name: str, filename: str) -> str:
        found = self.get_full_path(folder_name, filename)
        if found is None:
            raise FileNotFoundError(f"there is no {filename!r} in the models folder {folder_name!r}")
        return found

    def get_folder_paths(self, folder_name: str) -> list[str]:
        """The places a folder of models has. KeyError for one that nobody named."""
        return list(self.folder_names_and_paths[self.map_legacy(folder_name)][0])

    def add_model_folder_path(self, folder_name: str, full_folder_path: str, is_default: bool = False) -> None:
        """One more place of a folder of models, which need not have been there."""
        places, _ = self.folder_names_and_paths.setdefault(self.map_legacy(folder_name), ([], set()))
        if full_folder_path not in places:
            places.insert(0 if is_default else len(places), full_folder_path)

    def map_legacy(self, folder_name: str) -> str:
        return OLDER.get(folder_name, folder_name)

    def get_output_directory(self) -> str:
        return self.output_directory

    def get_input_directory(self) -> str:
        return self.input_directory

    def get_temp_directory(self) -> str:
        return self.temp_directory

    def get_user_directory(self) -> str:
        return self.user_directory

    def get_directory_by_type(self, type_name: str) -> str | None:
        return str(self._files.root(type_name)) if type_name in WRITTEN else None

    def get_annotated_filepath(self, name: str, default_dir: str | None = None) -> str:
        """The path of a name such as "cat.png [output]"; of one without a mark, in `default_dir` or the uploads.

        ValueError for a name that leads out of the folder.
        """
        plain, folder = self.annotated_filepath(name)
        root = Path(folder or default_dir or self.input_directory)
        return str(root.joinpath(*parts_of(plain)))

    def annotated_filepath(self, name: str) -> tuple[str, str | None]:
        """A name without its mark, and the folder the mark says."""
        for kind in WRITTEN:
            if name.endswith(f" [{kind}]"):
                return name.removesuffix(f" [{kind}]"), self.get_directory_by_type(kind)
        return name, None

    def exists_annotated_filepath(self, name: str) -> bool:
        try:
            return Path(self.get_annotated_filepath(name)).is_file()
        except ValueError:
            return False

    def get_save_image_path(
        self, filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
    ) -> tuple[str, str, int, str, str]:
        """Where the next file of a prefix goes: folder, beginning of its name, number, subfolder, prefix.

        ValueError for a prefix that leads out of `output_dir`.
        """
        said = filename_prefix.replace("%width%", str(image_width)).replace("%height%", str(image_height))
        *folders, stem = parts_of(said.replace("\\", "/"))
        place = Path(output_dir, *folders)
        place.mkdir(parents=True, exist_ok=True)
        taken = (
            entry.name.removeprefix(f"{stem}_")[:COUNTED]
            for entry in place.iterdir()
            if entry.name.startswith(f"{stem}_")
        )
        number = max((int(each) for each in taken if each.isdecimal()), default=0) + 1
        return str(place), stem, number, "/".join(folders), said

    def filter_files_extensions(self, files: Iterable[str], extensions: Iterable[str]) -> list[str]:
        """Those that end so, sorted; all where no ending is said."""
        endings = tuple(extensions)
        return sorted(name for name in files if not endings or name.lower().endswith(endings))

    def filter_files_content_types(self, files: Iterable[str], content_types: Sequence[str]) -> list[str]:
        """Those whose ending means one of "image", "video", "audio", "model"."""

        def kind(name: str) -> str:
            if name.lower().endswith((".glb", ".gltf", ".obj", ".fbx", ".stl")):
                return "model"
            return (mimetypes.guess_type(name)[0] or "").partition("/")[0]

        return [name for name in files if kind(name) in content_types]

    def recursive_search(
        self, directory: str, excluded_dir_names: Iterable[str] | None = None
    ) -> tuple[list[str], dict[str, float]]:
        """Files below a folder, relative to it, and when each folder there changed."""
        excluded = set(excluded_dir_names or ())
        found: list[str] = []
        changed: dict[str, float] = {}
        for folder, folders, names in os.walk(directory):
            folders[:] = [name for name in folders if name not in excluded]
            changed[folder] = Path(folder).stat().st_mtime
            found += [os.path.relpath(Path(folder) / name, directory) for name in names]
        return found, changed

    def _found(self, root: str, folder: str) -> Iterator[str]:
        endings = tuple(self.folder_names_and_paths[folder][1])
        names = (name.replace(os.sep, "/") for name in self.recursive_search(root)[0])
        return (name for name in names if not endings or name.lower().endswith(endings))
