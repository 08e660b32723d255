# SPDX-License-Identifier: Apache-2.0
"""Errors a user may see: a code, one sentence, and the remedy.

The first two groups have a code on the wire (see messages.Failed); the last arises only where the user is.
Every error says what is wrong in `message` and what to do in `fix`, so a command line can print both and a
panel can show a button.
"""

from __future__ import annotations


class SpadeError(Exception):
    """Base of every error meant for users; `str(error)` is "message fix"."""

    code = "INTERNAL"
    retryable = False

    def __init__(
        self, message: str, fix: str = "", *, retryable: bool | None = None, retry_after_ms: int = 0
    ):
        super().__init__(message, fix)
        self.message = message
        self.fix = fix
        self.retryable = type(self).retryable if retryable is None else retryable
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".strip()


# --- on the wire, final: the same request will fail again ---


class BadFramesError(SpadeError):
    """The multipart message is not magic, header and the promised buffers."""

    code = "BAD_FRAMES"


class BadVersionError(SpadeError):
    """The peer speaks another major protocol version."""

    code = "BAD_VERSION"


class BadHeaderError(SpadeError):
    """The JSON header is not JSON, too long, or a field is missing, mistyped or out of range."""

    code = "BAD_HEADER"


class BadKindError(SpadeError):
    """The header names a kind of message that is not spoken in this direction."""

    code = "BAD_KIND"


class BadShapeError(SpadeError):
    """An array has the wrong number of dimensions, dtype or side lengths."""

    code = "BAD_SHAPE"


class BadLabelError(SpadeError):
    """A label map holds ids that its label set does not know."""

    code = "BAD_LABEL"


class BadImageError(SpadeError):
    """A picture file cannot be read, or is not what is wanted."""

    code = "BAD_IMAGE"


class SizeMismatchError(SpadeError):
    """A buffer is longer or shorter than its header says."""

    code = "SIZE_MISMATCH"


class LabelSetMismatchError(SpadeError):
    """The label map was made with another label set than the model was trained on."""

    code = "LABEL_SET_MISMATCH"


class UnknownModelError(SpadeError):
    """No model of this name is served."""

    code = "UNKNOWN_MODEL"


class UnknownStyleError(BadHeaderError):
    """The model has no style of that name."""

    code = "UNKNOWN_STYLE"


class BadOptionError(SpadeError):
    """An option's value is out of range, or does not go together with another option or with the model."""

    code = "BAD_OPTION"


class TooLargeError(SpadeError):
    """A side or a buffer is over the server's limits."""

    code = "TOO_LARGE"


class ForbiddenError(SpadeError):
    """The server does not allow this to this peer."""

    code = "FORBIDDEN"


class PoisonError(SpadeError):
    """The job took its worker down each time it was tried."""

    code = "POISON"


class OutOfMemoryError(SpadeError):
    """The device has too little memory for this job."""

    code = "OUT_OF_MEMORY"


class DeadlineError(SpadeError):
    """The job was not finished in the time it was given."""

    code = "DEADLINE"


class CancelledError(SpadeError):
    """The job was cancelled, or replaced by a newer one."""

    code = "CANCELLED"


class InternalError(SpadeError):
    """A fault of the program itself."""

    code = "INTERNAL"


# --- on the wire, retryable: the same request may succeed later ---


class BusyError(SpadeError):
    """The queue is full."""

    code = "BUSY"
    retryable = True


class DrainingError(SpadeError):
    """The server finishes its work and leaves; it takes no more."""

    code = "DRAINING"
    retryable = True


class UnavailableError(SpadeError):
    """The server cannot be reached."""

    code = "UNAVAILABLE"
    retryable = True


class WarmingError(SpadeError):
    """The server is loading its model."""

    code = "WARMING"
    retryable = True


# --- only where the user is ---


class BadLabelSetError(SpadeError):
    """A label set file is not a label set."""

    code = "BAD_LABEL_SET"


class BadCheckpointError(SpadeError):
    """A checkpoint file is truncated, a pickle, or of another kind."""

    code = "BAD_CHECKPOINT"


class NeedsDetailError(SpadeError):
    """A file does not say all that has to be known; the fix names the options that do."""

    code = "NEEDS_DETAIL"


class TooFewImagesError(SpadeError):
    """There are fewer images than a statistic needs."""

    code = "TOO_FEW_IMAGES"


class BadAnswersError(SpadeError):
    """A file holds no answers of a preference study, or those of another one."""

    code = "BAD_ANSWERS"


class CannotWriteError(SpadeError):
    """The output place refuses the file."""

    code = "CANNOT_WRITE"


class NotSavedError(CannotWriteError):
    """What is to lie beside the file has no place yet: the file has none."""

    code = "NOT_SAVED"


class NotInstalledError(UnavailableError):
    """There is no server on this computer yet."""

    code = "NOT_INSTALLED"


class NoCameraError(SpadeError):
    """The scene has no camera to look through."""

    code = "NO_CAMERA"


class NothingLabelledError(SpadeError):
    """No object of the scene has a label."""

    code = "NOTHING_LABELLED"


class BlocksHiddenError(NothingLabelledError):
    """What has a label is hidden from views and renders."""

    code = "BLOCKS_HIDDEN"


WIRE_ERRORS: dict[str, type[SpadeError]] = {
    kind.code: kind
    for kind in (
        BadFramesError, BadVersionError, BadHeaderError, BadKindError, BadShapeError, BadLabelError, BadImageError,
        SizeMismatchError, LabelSetMismatchError, UnknownModelError, UnknownStyleError, BadOptionError, TooLargeError,
        ForbiddenError, PoisonError, OutOfMemoryError, DeadlineError, CancelledError, InternalError, BusyError,
        DrainingError, UnavailableError, WarmingError,
    )
}  # fmt: skip


def error_from(
    code: str, message: str, fix: str = "", retryable: bool | None = None, retry_after_ms: int = 0
) -> SpadeError:
    """The typed error for a code read from the wire; an unknown code becomes InternalError and keeps its text, of which
    nothing is left that a terminal would obey."""
    kind = WIRE_ERRORS.get(code, InternalError)
    return kind(_shown(message), _shown(fix), retryable=retryable, retry_after_ms=retry_after_ms)


def _shown(text: str) -> str:
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text
    )
