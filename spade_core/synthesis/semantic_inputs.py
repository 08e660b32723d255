# SPDX-License-Identifier: Apache-2.0
"""From label maps to what a network is shown of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..contract.errors import BadShapeError
from ..model.config import ImageGeneratorConfig, LabelSampling
from ..model.label_channels import LabelChannels
from ..model.semantic_input import class_shares, instance_edges, one_hot
from .compiled.generator import CompiledGenerator
from .compiled.keys import KeyMap
from .framing import Framing
from .graphs import moved
from .tiles.labels import IdLabels, Labels, PlaneLabels

SENT_AS_THEY_ARE = np.uint8, np.int16, np.int32
"""Whole numbers that torch has, too, and that are half as much to send, or less."""


class SemanticInputs:
    """Of one network, compiled or not."""

    def __init__(
        self,
        channels: LabelChannels,
        config: ImageGeneratorConfig,
        device: torch.device,
        compiled: CompiledGenerator | None,
    ) -> None:
        self._channels, self._compiled, self.device = channels, compiled, device
        self._looks_at_instances = config.instance_edges
        self._label_sampling: LabelSampling = getattr(config, "label_sampling", "nearest")

    def in_parts(
        self, ids: np.ndarray, objects: np.ndarray | None, frame: Framing, after_band: Callable[[], None]
    ) -> Labels:
        sampling, wrap = self._label_sampling, frame.wrap
        if self._takes_shares(ids, frame):
            planes = self._semantic_input(self._channels.indices(ids), objects, frame)
            return PlaneLabels(planes, sampling, wrap)
        framed = frame.framed(frame.sampled(ids))
        framed_objects = None if objects is None else frame.framed(frame.sampled(objects))
        return IdLabels(framed, framed_objects, self._channels, sampling, wrap, self.placed, after_band)

    def seen(self, channels: np.ndarray, objects: np.ndarray | None, frame: Framing) -> Tensor | KeyMap:
        """What the network is shown, compiled or not."""
        if self._compiled is None:
            return self._semantic_input(channels, objects, frame)
        if self._takes_shares(channels, frame):
            return self._compiled.keys(self._semantic_input(channels, objects, frame))
        instances = None if objects is None else self.placed(frame.framed(frame.sampled(objects)))
        framed = self.placed(frame.framed(frame.sampled(channels)))
        return self._compiled.keys_of_classes(framed, instances)

    def _semantic_input(self, channels: np.ndarray, objects: np.ndarray | None, frame: Framing) -> Tensor:
        """(1, input_channels, H', W'), as large as the frame wants it."""
        shares = self._takes_shares(channels, frame)
        instances = None if objects is None else self.placed(frame.framed(frame.sampled(objects)))
        if not shares:
            framed = self.placed(frame.framed(frame.sampled(channels)))
            labels = one_hot(framed, self._channels.count, instances)
        else:
            planes = class_shares(self.placed(channels), self._channels.count, frame.height, frame.width)
            labels = frame.framed_planes(planes)
            if instances is not None:
                labels = torch.cat([labels, instance_edges(instances[:, None])], dim=1)
        return labels.contiguous(memory_format=torch.channels_last)

    def _takes_shares(self, ids: np.ndarray, frame: Framing) -> bool:
        """Whether a label map is averaged where it is brought to the painting's size."""
        smaller = frame.height < ids.shape[0] or frame.width < ids.shape[1]
        return self._label_sampling == "area" and smaller

    def checked_objects(self, ids: np.ndarray, instance_map: np.ndarray | None) -> np.ndarray | None:
        """None for a network that does not look at them. Raises BadShapeError."""
        if not self._looks_at_instances:
            return None
        if instance_map is None:
            return ids
        objects = np.asarray(instance_map)
        if objects.shape != ids.shape or objects.dtype.kind not in "ui":
            raise BadShapeError(
                f"The instance map is {objects.dtype} of the shape {objects.shape}, the label map's is {ids.shape}.",
                "Give one whole number for each pixel of the label map.",
            )
        return objects

    def placed(self, array: np.ndarray) -> Tensor:
        """A batch of one on the device: whole numbers as int64, others as they are."""
        whole = array.dtype.kind in "ui"
        kind = np.int64 if whole and array.dtype not in SENT_AS_THEY_ARE else array.dtype
        tensor = moved(torch.from_numpy(array.astype(kind)[None]), self.device)
        return tensor.long() if whole else tensor


def all_labels(parts: Sequence[Tensor | KeyMap]) -> Tensor | KeyMap:
    """One batch of several, all of them planes or all of them keys."""
    keys = [each for each in parts if isinstance(each, KeyMap)]
    return KeyMap.together(keys) if keys else together([each for each in parts if isinstance(each, Tensor)])


def together(parts: Sequence[Tensor]) -> Tensor:
    """One batch of several of one picture each; one alone stays as it is, also in memory."""
    if len(parts) == 1:
        return parts[0]
    batch = torch.cat(list(parts))
    return batch.contiguous(memory_format=torch.channels_last) if batch.ndim == 4 else batch
