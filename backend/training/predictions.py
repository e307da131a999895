# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network on the objects of a step: the same stages as in a job, with the gradient kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kernels.core.precision import widened

from ..field.density import render_step, step_alpha
from ..field.field import TwoLevelField, VolumeField
from ..field.grids import distances_by_plane
from ..field.ray_sampling import Occupancy, RaySampler
from ..field.volumes import DenseVolume, SparseVolume
from ..model.encoder import EncoderInputs
from ..model.inference import (
    encoder_inputs,
    predict_dense,
    release_cameras,
    select_tokens,
    surface_maps,
)
from ..model.routing.routing import SurfaceMaps
from ..model.routing.routing_tables import SparseTokens, plan_by_geometry, plan_by_score
from ..model.stage import SparseBatch, run_dense, run_sparse
from ..model.stage_fusion import DenseFeatures
from .losses.point_head import point_loss
from .objects.augmentation import add_boxes, limit_tokens

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ..field.field import Field
    from ..model.config.model_config import ModelConfig, StageConfig
    from ..model.inference import DensePrediction, ImageFeatures, Selection
    from ..model.preprocess import ViewTensors
    from ..model.routing.routes import Plan
    from ..model.stage import Stage
    from ..parallel.group import Group
    from .losses.point_head import PointHead
    from .objects.training_object import TrainingObject

OCCUPIED = 1e-4
"""Opacity of a step from which on a cell is rendered, unless all cells have less on average."""

OCCUPANCY_MARGIN = 2
"""Cells around an occupied one that are rendered, too."""


@dataclass(frozen=True)
class Prediction:
    """What a stage makes of the objects of a step.

    Attributes:
        outputs: features of each object, which a gradient reaches the network through.
        leaves: the same values with a gradient of their own, of which the fields are made.
        fields: to render.
        samplers: of the rays of each object.
        terms: losses that need no rendering, scalars.
        counts: of tokens, for the log.
    """

    outputs: list[Tensor]
    leaves: list[Tensor]
    fields: list[Field]
    samplers: list[RaySampler]
    terms: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def backward(self) -> None:
        """Push the gradients of the leaves, and those of the terms, through the network."""
        pairs = [
            (output, torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
            for output, leaf in zip(self.outputs, self.leaves, strict=True)
        ]
        pairs += [(term, torch.ones_like(term)) for term in self.terms.values()]
        tensors, gradients = zip(*pairs, strict=True)
        torch.autograd.backward(tensors, gradients)


@dataclass(frozen=True)
class NetworkPass:
    """What both stages have in common.

    Attributes:
        stage: that is trained.
        model: sizes of both stages.
        features: the frozen image features, where the model has them.
        like: a tensor of the device and type of the weights.
        autocast: whether the network computes in bfloat16.
    """

    stage: Stage
    model: ModelConfig
    features: ImageFeatures | None
    like: Tensor
    autocast: bool

    def precision(self) -> AbstractContextManager[None]:
        """The context that the network is to run in."""
        return torch.autocast(self.like.device.type, torch.bfloat16, enabled=self.autocast)

    def sampler(self, samples: int, occupancy: Occupancy | None = None) -> RaySampler:
        """With so many samples over the diagonal of the box."""
        step = render_step(self.model.half_side, samples)
        return RaySampler(self.model.half_side, step, occupancy)


@dataclass(frozen=True)
class DensePass(NetworkPass):
    """The dense stage.

    Attributes:
        head: of the points of input pixels; None where they are not judged.
        point_weight: of their loss.
    """

    head: PointHead | None = None
    point_weight: float = 0.0

    def predict(self, objects: list[TrainingObject], inverse_std: float) -> Prediction:
        """Run the stage.

        Args:
            objects: with equally many views.
            inverse_std: sharpness of the density, 1 / model units.
        """
        config = self.model.dense
        inputs = _joined_inputs(
            [each.views.downsampled(config.image_size) for each in objects], config, self
        )
        with self.precision():
            found = run_dense(self.stage, inputs)
            points = self.head(found.image_features) if self.head else None
        outputs = [*widened(found.volume)]
        leaves = [output.detach().requires_grad_() for output in outputs]
        fields: list[Field] = [
            VolumeField(DenseVolume(leaf, self.model.half_side), self.stage.decoder, inverse_std)
            for leaf in leaves
        ]
        samplers = [self.sampler(config.samples_per_ray)] * len(leaves)
        terms = {} if points is None else self._point_terms(points, objects)
        counts = {"image_tokens": inputs.views * config.patches_per_side**2 * len(objects)}
        return Prediction(outputs, leaves, fields, samplers, terms, counts)

    def _point_terms(self, points: Tensor, objects: list[TrainingObject]) -> dict[str, Tensor]:
        """The loss of the points of all input pixels, where their depth is known."""
        truth = [each.points for each in objects if each.points is not None]
        mask = [each.point_mask for each in objects if each.point_mask is not None]
        if len(truth) < len(objects):
            return {}
        loss = point_loss(points, torch.cat(truth).to(self.like), torch.cat(mask).to(self.like))
        return {"surface_point": self.point_weight * loss}


@dataclass(frozen=True)
class SparsePass(NetworkPass):
    """The sparse stage, on what the frozen dense stage makes of the same objects.

    Attributes:
        coarse: the dense stage.
        group: the ranks that share the tokens of all their objects.
        occupancy: cells per side of the grid that tells rays where to look; 0 for everywhere.
        max_volume_tokens: of this rank; 0 for no limit.
    """

    coarse: Stage
    group: Group
    occupancy: int = 0
    max_volume_tokens: int = 0

    def predict(self, objects: list[TrainingObject], inverse_std: float) -> Prediction:
        """Run both stages.

        Args:
            objects: with equally many views.
            inverse_std: sharpness of the density near the surface, 1 / model units.
        """
        batch, coarse = self.select(objects)
        with self.precision():
            found = run_sparse(self.stage, batch, self.group)
        parts = [found.of(number) for number in range(len(objects))]
        outputs = [widened(rows) for rows, _ in parts]
        leaves = [output.detach().requires_grad_() for output in outputs]
        fields: list[Field] = []
        for leaf, (_, bricks), base in zip(leaves, parts, coarse, strict=True):
            volume = SparseVolume(leaf, bricks, base.volume)
            fields.append(TwoLevelField(base, VolumeField(volume, self.stage.decoder, inverse_std)))
        samplers = [
            self.sampler(self.model.sparse.samples_per_ray, self._occupancy(base))
            for base in coarse
        ]
        counts = {
            "image_tokens": len(batch.tokens.image),
            "volume_tokens": len(batch.tokens.volume),
        }
        return Prediction(outputs, leaves, fields, samplers, counts=counts)

    @torch.no_grad()
    def select(
        self, objects: list[TrainingObject]
    ) -> tuple[SparseBatch, list[VolumeField[DenseVolume]]]:
        """What the sparse stage reads of the objects, and their coarse fields."""
        views = [each.views for each in objects]
        coarse = [predict_dense(self.coarse, each, self.features) for each in views]
        most = self.max_volume_tokens // len(objects)
        chosen = [
            select_tokens(
                one, each.views, self.model, adapt=partial(_adapted, seed=each.seed, most=most)
            )
            for one, each in zip(coarse, objects, strict=True)
        ]
        tokens = SparseTokens.joined([each.tokens for each in chosen])
        maps = [each.dense_features for each in chosen]
        known = DenseFeatures(
            torch.cat([each.volume for each in maps]).to(self.like),
            torch.cat([each.image for each in maps]).to(self.like),
        )
        inputs = _joined_inputs(views, self.model.sparse, self)
        plan = self._plan(tokens, coarse, views, chosen)
        fused = known if self.model.sparse.transformer.fuse_dense else None
        return SparseBatch(inputs, tokens, plan, fused), [each.field for each in coarse]

    def _plan(
        self,
        tokens: SparseTokens,
        coarse: list[DensePrediction],
        views: list[ViewTensors],
        chosen: list[Selection],
    ) -> Plan:
        """The routing plan of the tokens of all objects."""
        if not self.model.routing.geometric:
            return plan_by_score(tokens, self.model)
        maps = [
            surface_maps(one, own, each.tokens, self.model)
            for one, own, each in zip(coarse, views, chosen, strict=True)
        ]
        joined = SurfaceMaps(
            torch.cat([each.points for each in maps]), torch.cat([each.opacity for each in maps])
        )
        cameras = tuple(release_cameras(own, joined.points) for own in views)
        return plan_by_geometry(tokens, joined, cameras, self.model)

    def _occupancy(self, base: VolumeField[DenseVolume]) -> Occupancy | None:
        if not self.occupancy:
            return None
        step = render_step(self.model.half_side, self.model.sparse.samples_per_ray)
        return occupied_cells(base, self.model.half_side, step, self.occupancy)


def _adapted(near: Tensor, alpha: Tensor, seed: int, most: int) -> Tensor:
    """Volume tokens with needless ones, and without some if there are too many; 0 is no limit."""
    generator = torch.Generator().manual_seed(seed)
    kept = add_boxes(near, generator)
    return limit_tokens(kept, alpha, most, generator) if most else kept


@torch.no_grad()
def occupied_cells(
    base: VolumeField[DenseVolume], half_side: float, step: float, cells: int
) -> Occupancy:
    """The cells of the box in which the coarse field is not wholly transparent, and some around.

    Args:
        base: the coarse field.
        half_side: of the box, model units.
        step: of rays, model units.
        cells: per side.
    """
    inner = half_side * (1 - 1 / cells)  # a grid whose points are the centers of cells
    device = base.volume.features.device
    planes = [plane for _, plane in distances_by_plane(base, inner, cells, device)]
    alpha = step_alpha(torch.stack(planes), base.inverse_std, step)
    threshold = min(OCCUPIED, float(alpha.mean()))
    occupied = (alpha > threshold).view(cells, cells, cells)
    return Occupancy(occupied, half_side).dilated(OCCUPANCY_MARGIN)


def _joined_inputs(
    views: list[ViewTensors], config: StageConfig, network: NetworkPass
) -> EncoderInputs:
    """The views of all objects as a stage's encoder reads them."""
    with torch.no_grad():
        return EncoderInputs.joined(
            [encoder_inputs(config, each, network.features, network.like) for each in views]
        )
