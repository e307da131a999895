# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks by a segmentation model of the user's own, an ONNX file that maps an image to a mask.

Most models for salient objects are of this kind: one input of an image, and as first output its
mask, as probabilities or logits. Colors are normalized with the mean and deviation of ImageNet,
unless the input takes bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ..shared.errors import BadRequest
from .extras import ONNX
from .mask_agreement import check_extent
from .mask_making import OUTLINE_SIZE, STAGE, MadeMasks
from .photograph import Photograph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..shared.capture.capture import Frame
    from ..shared.progress import Progress

    Bools = NDArray[np.bool_]
    Floats32 = NDArray[np.float32]

# Of inputs of any size.
DEFAULT_SIZE = 512
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

REMEDY = "Give an ONNX file with an input [1, 3, height, width] and a mask as its first output."


@dataclass(frozen=True)
class MaskModel:
    """A loaded model.

    Attributes:
        session: of onnxruntime.
        name: of the input.
        size: height and width of the input.
        channels_last: whether the input is [1, height, width, 3].
        takes_bytes: whether the input is of 8-bit integers.
    """

    session: Any
    name: str
    size: tuple[int, int]
    channels_last: bool
    takes_bytes: bool

    @classmethod
    def load(cls, path: Path) -> MaskModel:
        """Load an ONNX file.

        Raises:
            BadRequest: if it is missing, no ONNX model, or takes something else than an image.
            EnvironmentBroken: if onnxruntime is not installed.
        """
        runtime = ONNX.load("onnxruntime")
        if not path.is_file():
            raise BadRequest(f"There is no mask model {path}.", REMEDY)
        try:
            session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class for every kind of damage
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BadRequest(
                f"The mask model {path} cannot be loaded: {reason}.", REMEDY
            ) from error
        first = session.get_inputs()[0]
        shape = list(first.shape)
        if len(shape) != 4 or 3 not in (shape[1], shape[3]):
            raise BadRequest(f"The mask model {path} takes {shape} instead of an image.", REMEDY)
        channels_last = shape[1] != 3
        sides = shape[1:3] if channels_last else shape[2:4]
        height, width = (side if isinstance(side, int) else DEFAULT_SIZE for side in sides)
        return cls(session, first.name, (height, width), channels_last, "uint8" in first.type)

    def mask(self, photograph: Photograph) -> Bools:
        """The object [height, width] in a photograph.

        Raises:
            BadRequest: if the model fails, or its output is no mask.
        """
        try:
            output = np.asarray(self.session.run(None, {self.name: self._input(photograph)})[0])
        except Exception as error:  # as above
            raise BadRequest(f"The mask model failed: {error}.", REMEDY) from error
        probability = _probability(output)
        height, width = photograph.shape
        zoom = height / probability.shape[0], width / probability.shape[1]
        grown = ndimage.zoom(probability, zoom, order=1, mode="nearest", grid_mode=True)
        mask: Bools = grown[:height, :width] >= 0.5
        return mask

    def _input(self, photograph: Photograph) -> NDArray[Any]:
        """The colors as the model takes them."""
        height, width = photograph.shape
        zoom = self.size[0] / height, self.size[1] / width, 1.0
        colors = photograph.colors.astype(np.float32)
        resized = ndimage.zoom(colors, zoom, order=1, mode="nearest", grid_mode=True)
        resized = resized.clip(0.0, 255.0)
        if self.takes_bytes:
            values: NDArray[Any] = np.rint(resized).astype(np.uint8)
        else:
            values = ((resized / 255.0 - MEAN) / DEVIATION).astype(np.float32)
        return values[None] if self.channels_last else values.transpose(2, 0, 1)[None].copy()


def predict_masks(
    frames: Sequence[Frame], masked: Sequence[bool], path: Path, progress: Progress
) -> MadeMasks:
    """The masks of the frames that have none, by a model.

    Args:
        frames: of a capture.
        masked: whether each has a mask or transparency.
        path: of the ONNX file.
        progress: of the stage `masks`; may cancel.

    Raises:
        BadRequest: if the file is no such model.
        EmptyMask: if the masks show nothing or everything.
        EnvironmentBroken: if onnxruntime is not installed.
        BadImage: if a file is missing, damaged, or of another size than stated.
        Cancelled: if the user cancels the job.
    """
    model = MaskModel.load(path)
    masks = []
    for index, (frame, known) in enumerate(zip(frames, masked, strict=True)):
        progress.report(STAGE, index / len(frames), frame.name)
        photograph = Photograph.read(frame, OUTLINE_SIZE, masked=known)
        known_mask = photograph.mask
        masks.append(model.mask(photograph) if known_mask is None else known_mask)
    check_extent(masks)
    made = tuple(not known for known in masked)
    return MadeMasks(tuple(frames), tuple(masks), made, ())


def _probability(output: NDArray[Any]) -> Floats32:
    """The mask [rows, columns] in 0..1 of a model's output.

    Raises:
        BadRequest: if it is no picture.
    """
    picture = output.astype(np.float32)
    while picture.ndim > 2 and picture.shape[0] == 1:
        picture = picture[0]
    if picture.ndim == 3:  # of several classes, the second is the object
        channels_first = picture.shape[0] <= picture.shape[2]
        picture = picture[min(1, len(picture) - 1)] if channels_first else picture[..., -1]
    if picture.ndim != 2 or picture.size < 4 or not np.isfinite(picture).all():
        raise BadRequest(f"The mask model returns {list(output.shape)} instead of a mask.", REMEDY)
    if picture.min() < 0.0 or picture.max() > 1.0:
        picture = 1.0 / (1.0 + np.exp(-picture.clip(-30.0, 30.0)))
    return picture
