# SPDX-License-Identifier: Apache-2.0
"""What travelled beside a reply's header, put into the reply; a picture that was not asked for is not believed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from .codec import unpack_picture, unpack_table, unpack_thumbnails
from .errors import InternalError, SpadeError
from .messages import (
    Finished,
    LabelSetText,
    ModelInfo,
    Painting,
    ServerMessage,
    Thumbnails,
    Welcome,
)
from .server_statistics import JobStatistics, Statistics


class WrongPictureError(InternalError):
    """A server sent something else than the picture that was asked for."""

    def __init__(self, job: str, what: str):
        super().__init__(f"The server sent {what}.", "Restart the server, or use another one.")
        self.job = job


def picture(reply: Finished, buffers: Sequence[memoryview], size: tuple[int, int]) -> ServerMessage:
    """The reply with the picture that was asked for. Raises WrongPictureError."""
    if reply.shape != size:
        raise WrongPictureError(
            reply.id,
            f"a picture of {reply.shape[1]} x {reply.shape[0]} in place of {size[1]} x {size[0]} pixels",
        )
    digest = hashlib.sha256()
    for buffer in buffers:
        digest.update(buffer)
    if reply.digest and digest.hexdigest() != reply.digest:
        raise WrongPictureError(reply.id, "a picture that was damaged on its way")
    try:
        return with_buffers(reply, buffers)
    except SpadeError:
        raise WrongPictureError(reply.id, "a picture that is incomplete") from None


def with_buffers(reply: ServerMessage, buffers: Sequence[memoryview]) -> ServerMessage:
    """The reply with what travelled beside its header. Raises SizeMismatchError, BadHeaderError, InternalError."""
    if isinstance(reply, Welcome) and buffers:
        return replace(reply, models=unpack_table(ModelInfo, buffers[0]))
    if isinstance(reply, Statistics) and buffers:
        return replace(reply, rows=unpack_table(JobStatistics, buffers[0]))
    if not isinstance(reply, Finished | Painting | LabelSetText | Thumbnails):
        return reply
    if not buffers:
        raise InternalError("The server's reply is incomplete.", "Try again.")
    if isinstance(reply, LabelSetText):
        return replace(reply, toml=bytes(buffers[0]).decode("utf-8", "replace"))
    if isinstance(reply, Thumbnails):
        return replace(reply, rgb=unpack_thumbnails(reply, buffers[0]))
    if isinstance(reply, Painting) or reply.encoding == "raw":
        return replace(reply, rgb=unpack_picture(reply, buffers))
    return replace(reply, file=bytes(buffers[0]))
