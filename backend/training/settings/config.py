# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is trained, on what and how: phases one after the other, read strictly from a TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...model.config.json_config import read_strictly
from ...model.config.model_config import ModelConfig
from ...model.config.presets import preset
from ...shared.errors import BadRequest
from .schedule import InverseStd, LearningRate

BUILT_IN = Path(__file__).parent / "built_in"
"""Configurations that are found by their name."""

StageName = Literal["dense", "sparse"]


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses; the defaults are those of novel views.

    Attributes:
        rgb: of the squared error of colors in -1..1.
        rgb_perceptual: of LPIPS, where its weights are present.
        base_color: likewise.
        base_color_perceptual: likewise.
        roughness: of the squared error in -1..1.
        metallic: likewise.
        mask: of the squared error of opacity in 0..1.
        depth: of the squared error in model units, where a surface is seen.
        surface_point: of the points that a head of the dense stage predicts per pixel.
        normal: of the squared error of normals from the slope of the distance, in the steps that
            `normal_steps` counts.
    """

    rgb: float = 1.0
    rgb_perceptual: float = 2.0
    base_color: float = 0.0
    base_color_perceptual: float = 0.0
    roughness: float = 0.0
    metallic: float = 0.0
    mask: float = 1.0
    depth: float = 10.0
    surface_point: float = 10.0
    normal: float = 2.0


@dataclass(frozen=True)
class DataConfig:
    """Where samples come from.

    Attributes:
        kind: `synthetic`, made from the seed; `stored`, folders with an index; `rigs`, folders of
            released scenes; `captures`, capture folders, an object each.
        folders: of data sets or captures.
        objects: how many synthetic ones.
        views: of a synthetic object.
        size: pixels per side of its views, and the most of a side of captures.
        seed: of synthetic objects.
        workers: processes that make samples; 0 for the one that trains.
    """

    kind: Literal["synthetic", "stored", "rigs", "captures"] = "synthetic"
    folders: tuple[str, ...] = ()
    objects: int = 1_000_000
    views: int = 24
    size: int = 512
    seed: int = 0
    workers: int = 0


@dataclass(frozen=True)
class ViewConfig:
    """Which views the network sees, and by which it is judged.

    Attributes:
        inputs: fewest and most input views; the number is drawn anew in every step.
        targets: views that are rendered.
        sizes: smallest and largest side, in pixels, to which a target is resized.
        crop: side of the part of it that is rendered, in pixels.
        exposure: whether images are brought to a common brightness and varied about it.
        held_out: views of every object that are kept from the training: once it is done, they say
            how well novel views are predicted.
    """

    inputs: tuple[int, int] = (4, 8)
    targets: int = 4
    sizes: tuple[int, int] = (256, 512)
    crop: int = 256
    exposure: bool = True
    held_out: int = 0


@dataclass(frozen=True)
class PhaseConfig:
    """One phase: one stage of the network at one resolution.

    Attributes:
        name: of its folder.
        stage: that is trained.
        steps: of the optimizer.
        instances: objects of a step, per rank.
        start: the phase or checkpoint folder whose weights it starts with; random if empty.
        coarse: for the sparse stage, the phase or checkpoint folder with the frozen dense one.
        model: what differs from the model of the whole configuration.
        data: if it is not that of the whole configuration.
        views: inputs and targets.
        rate: of learning.
        inverse_std: sharpness of the density.
        losses: weights.
        normal_steps: steps at the end in which normals are judged as well.
        occupancy: cells per side of the grid that tells rays where to look; 0 for everywhere. From
            the coarse field, so for the sparse stage only.
        rays_per_chunk: rendered together with their gradient.
        max_volume_tokens: of a rank; 0 for no limit.
        precision: of the network; fields are always float32.
        checkpointing: compute every block once more in the backward, instead of keeping it.
        compile: compile the parts of blocks that are plain arithmetic.
        sequence_ranks: ranks that share the tokens of their objects.
    """

    name: str
    stage: StageName
    steps: int
    instances: int = 1
    start: str = ""
    coarse: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    data: DataConfig | None = None
    views: ViewConfig = field(default_factory=ViewConfig)
    rate: LearningRate = field(default_factory=LearningRate)
    inverse_std: InverseStd = field(default_factory=InverseStd)
    losses: LossWeights = field(default_factory=LossWeights)
    normal_steps: int = 0
    occupancy: int = 0
    rays_per_chunk: int = 8192
    max_volume_tokens: int = 0
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    checkpointing: bool = True
    compile: bool = False
    sequence_ranks: int = 1

    def __post_init__(self) -> None:
        """Reject settings that do not fit together.

        Raises:
            ValueError: naming them.
        """
        if self.stage == "sparse" and not self.coarse:
            raise ValueError(f"phase {self.name} trains the sparse stage and has no `coarse`")
        if self.stage == "dense" and (self.coarse or self.occupancy or self.sequence_ranks > 1):
            raise ValueError(
                f"phase {self.name} trains the dense stage, which has no coarse field, no "
                "occupancy and no shared sequences"
            )
        if not 0 < self.views.crop <= self.views.sizes[0] <= self.views.sizes[1]:
            raise ValueError(
                f"phase {self.name} cuts {self.views.crop} pixels out of targets of "
                f"{self.views.sizes[0]} to {self.views.sizes[1]}"
            )

    def inverse_std_at(self, step: int) -> float:
        """The sharpness of the density in a step, 1 / model units."""
        return self.inverse_std.at(step, self.steps, self.rate.warm_up)


@dataclass(frozen=True)
class LogConfig:
    """How often something is written.

    Attributes:
        metrics: steps between two lines of metrics.
        pictures: steps between two pictures.
        checkpoints: steps between two checkpoints.
        kept: newest checkpoints that are kept.
    """

    metrics: int = 10
    pictures: int = 500
    checkpoints: int = 500
    kept: int = 2


@dataclass(frozen=True)
class TrainingConfig:
    """A whole training.

    Attributes:
        name: of the trained checkpoint.
        phases: in their order.
        model: `preset`, the name of one, and what differs from it: nested tables as in the
            `config.json` of a checkpoint.
        data: of the phases that have none of their own.
        seed: of the weights, and of what is drawn for each step.
        perceptual_weights: file of the perceptual loss, as `losses/perceptual.py` reads it.
        log: how often something is written.
    """

    name: str
    phases: tuple[PhaseConfig, ...]
    model: dict[str, Any] = field(default_factory=lambda: {"preset": "lsrm-rgb"})
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = 0
    perceptual_weights: str = ""
    log: LogConfig = field(default_factory=LogConfig)

    def __post_init__(self) -> None:
        """Reject phases that refer to later ones, or share a name.

        Raises:
            ValueError: naming the phase.
        """
        names: list[str] = []
        for phase in self.phases:
            if phase.name in names or not phase.name.isidentifier():
                raise ValueError(f"phase {phase.name!r} needs a name of its own, a plain word")
            later = {each.name for each in self.phases} - set(names)
            if {phase.start, phase.coarse} & later:
                raise ValueError(f"phase {phase.name} starts from one that does not precede it")
            names.append(phase.name)
            self.model_of(phase)

    def model_of(self, phase: PhaseConfig) -> ModelConfig:
        """The sizes of both stages in a phase.

        Raises:
            ValueError: naming the key that is unknown or does not fit.
        """
        changes = {**self.model, **{k: v for k, v in phase.model.items() if k == "preset"}}
        whole = preset(changes.pop("preset", "lsrm-rgb")).to_dict()
        own = {k: v for k, v in phase.model.items() if k != "preset"}
        model = ModelConfig.from_dict(merged(merged(whole, changes), own))
        trained = dataclasses.replace(
            getattr(model, phase.stage), inverse_std=phase.inverse_std.last
        )
        named: dict[str, Any] = {"name": self.name, phase.stage: trained}
        return dataclasses.replace(model, **named)

    def data_of(self, phase: PhaseConfig) -> DataConfig:
        """Where the samples of a phase come from."""
        return phase.data or self.data


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A tree of tables with some values replaced; tables are merged, everything else is not."""
    result = dict(base)
    for key, value in changes.items():
        old = base.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return result


def read_config(source: str) -> TrainingConfig:
    """A configuration from a TOML file, or the built-in one with that name.

    Raises:
        BadRequest: if there is none, or naming what is wrong in it.
    """
    path = Path(source)
    if not path.suffix and not path.exists():
        path = BUILT_IN / f"{source}.toml"
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        config: TrainingConfig = read_strictly(TrainingConfig, table, path.name)
    except OSError as error:
        known = ", ".join(sorted(each.stem for each in BUILT_IN.glob("*.toml")))
        raise BadRequest(
            f"There is no configuration {source}.", f"Give a TOML file, or one of {known}."
        ) from error
    except ValueError as error:
        raise BadRequest(f"{path} cannot be used: {error}.", "Correct the file.") from error
    return config
