# SPDX-License-Identifier: Apache-2.0
"""The one way to enlarge a picture, whoever asks.

A painter knows its subject at the size that it was trained at; what it paints there, a network that knows photographs
enlarges. Such a network smooths away some of what was painted; one step of back-projection puts a share of it back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoint.file import file_digest
from ..contract.errors import BadShapeError, TooLargeError, UnknownModelError
from ..contract.limits import LARGEST_SIDE
from ..contract.progress import ProgressCallback
from ..model.convolution.library import has_bfloat16, library
from ..model.convolution.one_pass import OnePass
from ..runtime import chosen_device, fastest_dtype
from .compact import CompactNet
from .networks import UpscalingNetwork, is_own, load_network
from .resampling import resampled
from .silhouettes import SIGHT, STEP, fitted
from .spandrel_files import SpandrelNetwork, load_with_spandrel
from .tiling import Tiling, Wrap, wrapped
from .x4plus import x4plus_file

EMBEDDED = Path(__file__).parent / "weights" / "embedded.safetensors"
PUT_BACK = 0.5
"""Share of what was smoothed away; measured with the kernel distance of photos (docs/upscaling.md)."""
RESAMPLED = 5
"""Pixels that bicubic resampling, and the smoothing of borders, see to each side."""
TONE_SIDE = 9
"""Pixels of the small picture's squares whose mean is put back whole: what was painted keeps its light."""
SCALED = 16
"""Fitted pixels that cost as much as one of a network's stage at its input."""
SMALLEST_SIDE = 32
"""Of the picture: what a tile reads past an end has to be there."""

Precision = Literal["auto", "float32", "bfloat16"]


class Upscaler:
    """A loaded network that enlarges."""

    def __init__(
        self,
        network: UpscalingNetwork | SpandrelNetwork,
        name: str,
        digest: str,
        device: torch.device,
        precision: Precision = "auto",
    ) -> None:
        """digest: sha256 of the file, which tells two upscalers apart; precision: "auto" takes the faster one."""
        wanted = fastest_dtype(device) if precision == "auto" else getattr(torch, precision)
        dtype = wanted if network.knows_bfloat16 else torch.float32
        by_pytorch = dtype
        if isinstance(network, UpscalingNetwork) and device.type == "cpu" and library() is not None:
            # Its numbers stay float32, of which layers.c rounds what it multiplies.
            by_pytorch = torch.float32
            dtype = dtype if has_bfloat16() else torch.float32
            network.convolve = OnePass(network, bfloat16=dtype == torch.bfloat16)
        self.name, self.digest, self.device = name, digest, device
        self.precision = str(dtype).removeprefix("torch.")
        self.put_back = PUT_BACK
        self.share_of_work = 0.4 if isinstance(network, CompactNet) else 0.9
        """Roughly, of painting and upscaling together: for progress."""
        self.between_parts: Callable[[], None] | None = None
        """Called after each tile: it may enlarge other pictures meanwhile, with this upscaler."""
        self._network = network.to(device, by_pytorch, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def description(self) -> str:
        """What makes a picture again: name, digest, precision, and the share put back."""
        return f"{self.name} {self.digest[:16]} {self.precision} {self.put_back:g}"

    @property
    def receptive_field(self) -> int:
        """How far from a changed pixel an enlarged picture can differ at most, in pixels of what is enlarged."""
        layers = 0.0
        times = 1

        def counted(layer: Callable[[Tensor], Tensor], x: Tensor, reach: int, scale: int = 1) -> Tensor:
            nonlocal layers, times
            layers += reach / times
            times *= scale
            return layer(x)

        some = next(self._network.parameters())
        with torch.inference_mode():
            self._network(torch.zeros(1, 3, SMALLEST_SIDE, SMALLEST_SIDE).to(some), counted)
        # A further pass sees as many pixels of what is finer already.
        once = layers + 4 + TONE_SIDE // 2 + RESAMPLED
        return math.ceil(2 * once + SIGHT + STEP + RESAMPLED)

    @classmethod
    def load(
        cls, upscaler: str | Path = "embedded", device: str = "auto", precision: Precision = "auto"
    ) -> Upscaler:
        """One by name ("embedded", "x4plus"), or a file.

        Raises UnknownModelError, BadCheckpointError (a package is missing, or the file is wrong) or UnavailableError.
        """
        path = upscaler_file(upscaler)
        name = str(upscaler) if upscaler in FILES else path.stem
        network = load_network(path) if is_own(path) else load_with_spandrel(path)
        return cls(network, name, file_digest(path), chosen_device(device), precision)

    def upscale(
        self,
        rgb: np.ndarray,
        to: tuple[int, int],
        progress: ProgressCallback | None = None,
        wrap: Wrap = (False, False),
        outlines: np.ndarray | None = None,
    ) -> np.ndarray:
        """Bring a picture to the size `to`, (height, width).

        rgb: (H, W, 3) uint8, or floats in [0, 1]. progress is told the stage and a fraction of 0 to 1, after each tile
        of each block of the network, and may raise to stop. wrap: whether rows go on from the bottom to the top, and
        columns from right to left, as those of seamless tiles and panoramas. outlines: (height, width) int32, as
        outlines.outlined gives, to which borders are fitted; None leaves them where they are.
        Returns (height, width, 3) uint8: the same for the same picture on the same machine. A size that the picture
        has already, or a smaller one, needs no network. Raises BadShapeError, TooLargeError.
        """
        if max(to) > LARGEST_SIDE:
            raise TooLargeError(
                f"A picture of {to[1]} x {to[0]} pixels was asked for, the largest side is {LARGEST_SIDE}.",
                "Ask for a smaller one.",
            )
        picture = self._placed(rgb, to)
        sizes = passes(picture.shape[2:], to, self._network.scale)
        inputs = [picture.shape[2:], *sizes][: len(sizes)]
        total = self._network.stages * sum(height * width for height, width in inputs)
        if outlines is not None:
            total += math.prod(to) / SCALED
        done = 0.0

        def after_tile(pixels: float) -> None:
            nonlocal done
            done += pixels
            if progress is not None:
                progress("upscaling", done / total)
            if self.between_parts is not None:
                self.between_parts()

        run = Tiling(wrap, after_tile)
        with torch.inference_mode(), torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            for height, width in sizes:
                picture = resampled(self._enlarged(picture, run), height, width, wrap)
            picture = resampled(picture, *to, wrap)
            pixels = picture.mul_(255).round_().clamp_(0, 255).to(torch.uint8)
            enlarged = pixels[0].permute(1, 2, 0).contiguous().cpu().numpy()
            if outlines is None:
                return enlarged
            times = max(new / old for new, old in zip(to, rgb.shape[:2], strict=True))
            return fitted(
                enlarged, outlines, times, wrap, self.device, lambda rows: after_tile(rows / SCALED)
            )

    def _enlarged(self, picture: Tensor, run: Tiling) -> Tensor:
        """(1, 3, H, W) in [0, 1], once through the network."""
        enlarged = self._network(picture, run)
        if self.put_back:
            enlarged = back_projected(enlarged, picture, self.put_back, run.wrap)
        return enlarged.clamp_(0, 1)

    def _placed(self, rgb: np.ndarray, to: tuple[int, int]) -> Tensor:
        if rgb.ndim != 3 or rgb.shape[2] != 3 or min(rgb.shape[:2]) < SMALLEST_SIDE or min(to) < 1:
            raise BadShapeError(
                f"A picture of the shape {rgb.shape} cannot be brought to {to}.",
                f"Give one of (height, width, 3), both sides at least {SMALLEST_SIDE} pixels.",
            )
        scale = 255.0 if rgb.dtype == np.uint8 else 1.0
        pixels = torch.from_numpy(np.array(rgb, np.float32)).to(self.device)
        return pixels.permute(2, 0, 1)[None].div(scale).clamp(0, 1)


def back_projected(enlarged: Tensor, small: Tensor, share: float, wrap: Wrap) -> Tensor:
    """One step of back-projection (Irani and Peleg 1991): brought down again, a picture should be what it came from.

    Of the detail a share is put back, of the tone, the mean of TONE_SIDE squared, all.
    """
    reach = 4 + TONE_SIDE // 2  # of a bicubic enlargement behind a mean behind a bicubic reduction
    height, width = enlarged.shape[2:]
    scale = height // small.shape[2]
    around, enlarged_around = wrapped(small, reach, wrap), wrapped(enlarged, scale * reach, wrap)
    # torch's own, four times as quick as `resampled`.
    lost = around - F.interpolate(enlarged_around, around.shape[2:], mode="bicubic", antialias=True)
    tone = F.avg_pool2d(lost, TONE_SIDE, stride=1, padding=TONE_SIDE // 2, count_include_pad=False)
    back = F.interpolate(tone.lerp_(lost, share), scale_factor=float(scale), mode="bicubic")
    top, left = (scale * reach if goes_on else 0 for goes_on in wrap)
    return enlarged.add_(back[:, :, top : top + height, left : left + width])


def passes(size: tuple[int, ...], to: tuple[int, int], scale: int) -> list[tuple[int, int]]:
    """What each pass of the network is brought to, the last one to `to`; none where nothing becomes larger."""
    sizes: list[tuple[int, int]] = []
    wanted = to
    while any(new > old for new, old in zip(wanted, size, strict=True)):
        sizes.insert(0, wanted)
        height, width = (max(-(-new // scale), old) for new, old in zip(wanted, size, strict=True))
        wanted = (height, width)
    return sizes


FILES: dict[str, Callable[[], Path]] = {"embedded": lambda: EMBEDDED, "x4plus": x4plus_file}
"""The upscalers that have a name, and what finds or makes their files."""


def upscaler_file(upscaler: str | Path) -> Path:
    """The file of an upscaler: a path as it is, a bare name among FILES.

    Raises UnknownModelError, BadCheckpointError.
    """
    path = Path(upscaler)
    if isinstance(upscaler, Path) or path.suffix or len(path.parts) > 1:
        return path
    if upscaler not in FILES:
        raise UnknownModelError(
            f"There is no upscaler '{upscaler}'.", f"Use one of: {', '.join(FILES)}; or name a file."
        )
    return FILES[upscaler]()
