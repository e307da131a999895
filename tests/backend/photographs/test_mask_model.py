# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks by a segmentation model of the user's own."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from backend.photographs.mask_source import MaskSource
from backend.photographs.missing_masks import add_missing_masks, have_masks
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadRequest
from backend.shared.progress import Progress
from tests.photographs import true_mask, write_photographs

pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
onnx = pytest.importorskip("onnx", reason="writes a model with the package onnx")


@pytest.fixture
def folder(tmp_path):
    """Photographs of a red figure before a gray backdrop."""
    return write_photographs(tmp_path / "views", "studio", views=5)


def write_model(path, layout, *, logits):
    """A model that finds red things: red minus blue, on normalized or on plain colors."""
    helper, kinds = onnx.helper, onnx.TensorProto
    bytes_in = layout == "bytes"
    shape = {
        "fixed": [1, 3, 96, 120],
        "any size": [1, 3, "height", "width"],
        "bytes": [1, 64, 80, 3],
    }[layout]
    kind = kinds.UINT8 if bytes_in else kinds.FLOAT
    axis = 3 if bytes_in else 1
    scale = 1.0 / 255 if bytes_in else 0.227
    weights = np.array([1.0, 0.0, -1.0], np.float32) * np.float32(scale)
    view = [1, 1, 1, 3] if bytes_in else [1, 3, 1, 1]
    # Normalization moves the difference of red and blue by the difference of the means.
    shift = -0.12 if bytes_in else -0.12 + 0.079
    nodes = [
        helper.make_node("Cast", ["image"], ["colors"], to=kinds.FLOAT),
        helper.make_node("Mul", ["colors", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axis"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "shift"], ["shifted"]),
        helper.make_node("Mul", ["shifted", "slope"], ["logits"]),
    ]
    if not logits:
        nodes.append(helper.make_node("Sigmoid", ["logits"], ["probability"]))
    constants = [
        onnx.numpy_helper.from_array(value, name)
        for name, value in (
            ("weights", weights.reshape(view)),
            ("axis", np.array([axis], np.int64)),
            ("shift", np.array([shift], np.float32)),
            ("slope", np.array([60.0], np.float32)),
        )
    ]
    output = helper.make_tensor_value_info("logits" if logits else "probability", kinds.FLOAT, None)
    graph = helper.make_graph(
        nodes, "red", [helper.make_tensor_value_info("image", kind, shape)], [output], constants
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))
    return path


def complete(folder, model):
    """Make the masks of a capture folder by a model."""
    capture = read_capture(folder)
    masked = have_masks(capture.frames)
    return add_missing_masks(capture, masked, folder, MaskSource(model), Progress())


@pytest.mark.parametrize("layout", ["fixed", "any size", "bytes"])
@pytest.mark.parametrize("logits", [False, True], ids=["probabilities", "logits"])
def test_models(folder, tmp_path, layout, logits):
    """Inputs of a fixed and of any size, of numbers and of bytes; outputs of both kinds."""
    model = write_model(tmp_path / "red.onnx", layout, logits=logits)
    for frame in complete(folder, model).capture.frames:
        mask, true = np.asarray(Image.open(frame.mask_path)) >= 128, true_mask(folder, frame.name)
        assert (mask & true).sum() / (mask | true).sum() > 0.8


def test_bad_models(folder, tmp_path):
    """A missing file, a file that is no model, and a model of something else are refused."""
    with pytest.raises(BadRequest, match="no mask model"):
        complete(folder, tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(BadRequest, match="cannot be loaded"):
        complete(folder, tmp_path / "text.onnx")
    helper = onnx.helper
    vector = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [4])
    other = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [4])
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [vector], [other])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(
        helper.make_model(graph, opset_imports=opset, ir_version=9), str(tmp_path / "neg.onnx")
    )
    with pytest.raises(BadRequest, match="instead of an image"):
        complete(folder, tmp_path / "neg.onnx")
