# SPDX-License-Identifier: Apache-2.0
"""What every discriminator is shown and what it answers: trainer and losses know no more than this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class DiscriminatorInput:
    """A batch as a discriminator is shown it."""

    image: Tensor
    """(B, 3, H, W) in [-1, 1]."""
    labels: Tensor | None = None
    """(B, input_channels, H, W), the generator's input; None where nothing looks at it."""
    taps: list[Tensor] = field(default_factory=list)
    """Normalised features of the frozen pyramid, finest first; empty where nothing looks at them."""

    def detached(self) -> DiscriminatorInput:
        return DiscriminatorInput(self.image.detach(), self.labels, [tap.detach() for tap in self.taps])

    def __add__(self, other: DiscriminatorInput) -> DiscriminatorInput:
        """Both in one batch, this one first."""
        labels = None
        if self.labels is not None and other.labels is not None:
            labels = torch.cat([self.labels, other.labels])
        return DiscriminatorInput(
            torch.cat([self.image.to(other.image.dtype), other.image]),
            labels,
            [torch.cat(pair) for pair in zip(self.taps, other.taps, strict=True)],
        )


@dataclass(frozen=True)
class DiscriminatorOutput:
    """What a discriminator says of a batch. A kind of answer that it does not give is empty."""

    scores: list[Tensor] = field(default_factory=list)
    """One (B, 1, h, w) map of realism logits a scale."""
    features: list[list[Tensor]] = field(default_factory=list)
    """For each scale the (B, C, h, w) layers that lead to its scores."""
    class_logits: Tensor | None = None
    """(B, label_channels + 1, H, W): which class each pixel shows; the last one is "generated"."""

    def split(self) -> tuple[DiscriminatorOutput, DiscriminatorOutput]:
        """Of the two batches that were joined by Seen.__add__."""
        logits = (None, None) if self.class_logits is None else self.class_logits.chunk(2)
        first, second = (
            DiscriminatorOutput(
                [score.chunk(2)[half] for score in self.scores],
                [[layer.chunk(2)[half] for layer in scale] for scale in self.features],
                logits[half],
            )
            for half in (0, 1)
        )
        return first, second


class Discriminator(nn.Module, ABC):
    """Tells photos from generated images: by score maps, by classes, or both."""

    needs_labels: ClassVar[bool] = False
    needs_features: ClassVar[bool] = False
    mixes_rows: bool = False
    """Whether its judgement of one picture depends on the others of the batch: then it is always shown fakes and photos
    together."""

    @abstractmethod
    def forward(self, seen: DiscriminatorInput) -> DiscriminatorOutput: ...


class NoDiscriminator(Discriminator):
    """Says nothing: for generators that are trained without an opponent."""

    def forward(self, seen: DiscriminatorInput) -> DiscriminatorOutput:
        return DiscriminatorOutput()
