# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where tools put the mask of an image that transforms.json does not mention."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .frame_files import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MASK_FOLDERS = ("masks", "mask")
# Beside the image and in the mask folders; {name} is without extension, {file} is with it.
MASK_NAMES = ("{name}", "{file}", "{name}_mask", "{name}.mask", "{file}.mask", "mask_{name}")
# instant-ngp masks what moves and shall be ignored: white is away.
INVERTED_PREFIX = "dynamic_mask_"


@dataclass(frozen=True)
class MaskFile:
    """The file of a mask.

    Attributes:
        path: an existing file.
        inverted: whether it is known to be white on the surroundings instead of the object.
    """

    path: Path
    inverted: bool

    @classmethod
    def from_path(cls, path: Path) -> MaskFile:
        """A mask that shows what its name says: the object, if that is not known otherwise."""
        return cls(path, path.name.startswith(INVERTED_PREFIX))


def find_mask(image: Path, folder: Path) -> MaskFile | None:
    """The mask of an image that transforms.json does not mention; None if there is none.

    `masks/` beside `images/` (most tools), `mask/` beside `input/` (the LSRM release),
    `train_mask/` beside `train/` (Stanford-ORB), with the folders below them; there and beside the
    image with the extension of the image kept (COLMAP) or a suffix (photogrammetry programs).

    Args:
        image: an existing file.
        folder: of transforms.json.
    """
    name = _without_extension(image.name)
    names = [pattern.format(name=name, file=image.name) for pattern in MASK_NAMES]
    for place in _mask_folders(image, folder):
        found = _first_file(place, names, image)
        if found is not None:
            return MaskFile.from_path(found)
    beside = [each for each in names if each not in (name, image.name)]
    found = _first_file(image.parent, [*beside, INVERTED_PREFIX + name], image)
    return MaskFile.from_path(found) if found else None


def find_masks(images: Sequence[Path], folder: Path) -> list[MaskFile | None]:
    """The masks of all images of a capture, as `find_mask` finds them.

    A file that would be the mask of two images, for example of two cameras whose images have the
    same names, belongs to neither.
    """
    masks = [find_mask(image, folder) for image in images]
    # Two spellings of the path of an image are still one image.
    pairs = zip(images, masks, strict=True)
    uses = Counter(
        mask for _, mask in {(image.resolve(), mask.path) for image, mask in pairs if mask}
    )
    return [mask if mask and uses[mask.path] == 1 else None for mask in masks]


def expected_masks(image: Path) -> str:
    """The names under which the mask of an image is looked for, as text for the artist."""
    name = _without_extension(image.name)
    folders = [*MASK_FOLDERS]
    if image.parent.name:
        folders.append(f"{image.parent.name}_mask")
    beside = [pattern.format(name=name, file=image.name) for pattern in MASK_NAMES[2:]]
    beside.append(INVERTED_PREFIX + name)
    return (
        f"mask_path in transforms.json; {name}.png or {image.name}.png in a folder "
        f"{', '.join(folders[:-1])} or {folders[-1]}; beside the image "
        f"{', '.join(each + '.png' for each in beside)}"
    )


def _without_extension(name: str) -> str:
    """A file name without the extension of an image; `r_0.5` keeps its dot."""
    suffix = next((suffix for suffix in IMAGE_SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(suffix)


def _mask_folders(image: Path, folder: Path) -> Iterator[Path]:
    """The folders that may hold the mask of an image, nearest first.

    Every folder above the image may have a sibling for masks with the same folders below it.
    """
    try:
        parts = image.parent.relative_to(folder).parts
        top = folder
    except ValueError:  # elsewhere on the disk
        parts = (image.parent.name,) if image.parent.name else ()
        top = image.parent.parent if parts else image.parent
    for depth in reversed(range(len(parts))):
        above, below = top.joinpath(*parts[:depth]), parts[depth + 1 :]
        for sibling in _sibling_names(parts[depth]):
            yield above.joinpath(sibling, *below)
    for name in MASK_FOLDERS:
        yield image.parent / name
        yield top.joinpath(name, *parts)
        yield top / name


def _sibling_names(name: str) -> list[str]:
    """The names that the masks of a folder of images may have beside it."""
    names = [f"{name}_mask", f"{name}_masks", *MASK_FOLDERS]
    if name.startswith("images_"):  # nerfstudio: images_4 are a quarter of the size
        names.insert(0, "masks_" + name.removeprefix("images_"))
    return names


def _first_file(folder: Path, names: Iterable[str], image: Path) -> Path | None:
    """The first image file with one of the names, other than the image itself."""
    if not folder.is_dir():
        return None
    files = (folder / (name + suffix) for name in names for suffix in ("", *IMAGE_SUFFIXES))
    masks = (path for path in files if path.name.endswith(IMAGE_SUFFIXES) and path != image)
    return next((path for path in masks if path.is_file()), None)
