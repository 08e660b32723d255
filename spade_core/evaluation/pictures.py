# SPDX-License-Identifier: Apache-2.0
"""What a preference study shows: a model's pictures, photos, or a folder of pictures that anything has made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol

import numpy as np
from PIL import Image

from ..checkpoint.names import MODELS
from ..contract.errors import BadImageError, BadOptionError
from ..data.layouts.listing import IMAGE_ENDINGS, pictures_below
from ..image_files import LARGEST_PHOTO, open_picture, rgb_in
from .candidates import Candidate
from .painting import Painting, chosen_upscaler
from .scenes import PictureSize, Scene, Scenes
from .styles import DrawnStyles

PHOTOS = "photos"
"""The word for the photos of the label maps."""


class PictureSource(Protocol):
    """Something that has a picture for each of the names of a study."""

    @property
    def name(self) -> str:
        """What tells it from the others."""
        ...

    def picture(self, place: int, name: str, scene: Scene | None) -> np.ndarray:
        """(H, W, 3) uint8 of the study's size; scene: None in a study without label maps."""
        ...


@dataclass(frozen=True)
class PaintedPictures:
    """A model's, as users get them: picture i has the seed that `painting` gives it."""

    candidate: Candidate
    painting: Painting

    @property
    def name(self) -> str:
        return self.candidate.name

    def picture(self, place: int, name: str, scene: Scene | None) -> np.ndarray:
        assert scene is not None, "nothing is painted without a label map"
        return self.painting.paint(self.candidate.model, place, scene)


@dataclass(frozen=True)
class Photos:
    """Those that the label maps belong to."""

    name = PHOTOS

    def picture(self, place: int, name: str, scene: Scene | None) -> np.ndarray:
        assert scene is not None, "photos come with label maps"
        return scene.photo


@dataclass(frozen=True)
class FolderPictures:
    """Pictures that another system has made, or that were published: files named as the label maps are."""

    name: str
    files: dict[str, Path]
    """By name without ending, folders within the folder included."""
    size: PictureSize

    @classmethod
    def of(cls, folder: Path, name: str, size: PictureSize) -> FolderPictures:
        """Raises BadImageError where there are no pictures."""
        files = pictures_below(folder, IMAGE_ENDINGS, lambda file: _bare(file.relative_to(folder)))
        if not files:
            raise BadImageError(
                f"There are no pictures in {folder}.", f"Name a folder of {', '.join(sorted(IMAGE_ENDINGS))}."
            )
        return cls(name, files, size)

    def file(self, name: str) -> Path | None:
        """The picture of this label map: of the same name, or the only one of that name in another folder or with
        something behind it, as `frankfurt_000000_000294_leftImg8bit` of Cityscapes."""
        key = _bare(PurePath(name))
        if key in self.files:
            return self.files[key]
        last = PurePath(key).name
        others = {file: PurePath(other).name for other, file in self.files.items()}
        for alike in (
            [file for file, other in others.items() if other == last],
            [file for file, other in others.items() if other.startswith(f"{last}_")],
        ):
            if alike:
                return alike[0] if len(alike) == 1 else None
        return None

    def picture(self, place: int, name: str, scene: Scene | None) -> np.ndarray:
        """Raises BadImageError, naming the file."""
        file = self.file(name)
        assert file is not None, "only names that every folder has are shown"
        image = Image.fromarray(rgb_in(open_picture(file, LARGEST_PHOTO)))
        return self.size.placement(*image.size).photo(image)


def is_picture_folder(word: str) -> bool:
    """Whether a word of the command line means a folder of pictures: one that is no training's."""
    folder = Path(word)
    return folder.is_dir() and not any(folder.glob(MODELS))


def source_of(
    word: str, candidate: Candidate | None, size: PictureSize, seed: int, device: str
) -> PictureSource:
    """What a word of the command line means; candidate: the model, where it means one.

    Raises BadImageError, and as `chosen_upscaler`.
    """
    if candidate is not None:
        larger = size.height > candidate.model.native_size
        upscaler = chosen_upscaler("auto", larger, device)
        return PaintedPictures(candidate, Painting((size.height, size.width), seed, DrawnStyles(), upscaler))
    return Photos() if word == PHOTOS else FolderPictures.of(Path(word), word, size)


def names_of(sources: Sequence[PictureSource], scenes: Scenes | None) -> list[str]:
    """What can be shown: label maps, or without them the first folder's pictures, of which every folder has one.

    Raises BadOptionError where there is none.
    """
    folders = [source for source in sources if isinstance(source, FolderPictures)]
    names = sorted(folders[0].files) if scenes is None else [pair.name for pair in scenes.pairs]
    shared = [name for name in names if all(folder.file(name) for folder in folders)]
    if not shared:
        raise BadOptionError(
            "There is nothing of which each of them has a picture.",
            f"Name a folder's pictures as the label maps (or the other folder's) are, as '{names[0]}.png'.",
        )
    return shared


def _bare(path: PurePath) -> str:
    return path.with_suffix("").as_posix() if path.suffix.lower() in IMAGE_ENDINGS else path.as_posix()
