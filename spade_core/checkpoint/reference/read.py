# SPDX-License-Identifier: Apache-2.0
"""The files of the published code on disk: which there are, and their tensors, without running what is in them.

A .pth file is a pickle, and a pickle is a program. torch.load(weights_only=True) carries out only what makes tensors,
and refuses the rest.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...contract.errors import BadCheckpointError

NETWORKS = ("G", "E", "D")

NAME = re.compile(r"(?P<epoch>\w+)_net_(?P<network>[GED])\.pth")

PICKLE = b"\x80"

GET_AGAIN = "Copy or download it again."


def network_files(source: Path, epoch: str | None = None) -> dict[str, Path]:
    """The files of one set by network: "G", and "E" and "D" where they are there.

    source: the folder that the published code saves into, or a generator's file, which then stands alone.
    epoch: which set of a folder; None: the latest, or the only one. Raises BadCheckpointError.
    """
    if not source.is_dir():
        return {"G": source}
    found = [match for file in source.iterdir() if (match := NAME.fullmatch(file.name))]
    epochs = sorted({match["epoch"] for match in found if match["network"] == "G"})
    if epoch is None:
        epoch = epochs[0] if len(epochs) == 1 else "latest"
    if epoch not in epochs:
        there = ", ".join(f"{known}_net_G.pth" for known in epochs[:5])
        raise BadCheckpointError(
            f"There is no {epoch}_net_G.pth in {source}" + (f", but {there}." if there else "."),
            f"Choose one with --epoch, as in --epoch {epochs[0]}."
            if there
            else "Name the folder that holds it.",
        )
    wanted = [match for match in found if match["epoch"] == epoch]
    return {match["network"]: source / match.string for match in wanted}


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict of one network as it is in the file. Raises BadCheckpointError.

    Tensors of a present-day file stay on disk until they are used.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on pickle protocols and storages; what matters is raised
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=_can_be_mapped(path))
    except FileNotFoundError:
        raise BadCheckpointError(f"There is no file {path}.", "Check the path.") from None
    except pickle.UnpicklingError as problem:
        raise _refused(path, str(problem)) from None
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise BadCheckpointError(
            f"{path} cannot be read: {why}.", "Check the path and its permissions."
        ) from None
    except Exception as problem:  # a broken file raises what its first broken byte happens to lead to
        raise BadCheckpointError(f"{path.name} {_broken(path, str(problem))}.", GET_AGAIN) from None
    return _state_dict(path, loaded)


def _can_be_mapped(path: Path) -> bool:
    """Whether the tensors lie in the file byte by byte: not in the format before PyTorch 1.6, nor zipped anew."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())


def _refused(path: Path, said: str) -> BadCheckpointError:
    """What weights_only would not carry out."""
    named = re.search(r"GLOBAL ([\w.]+)", said)
    if named is None and not _head(path).startswith(PICKLE):
        return BadCheckpointError(f"{path.name} is not a PyTorch file, or it is damaged.", GET_AGAIN)
    if named is None:
        return BadCheckpointError(
            f"{path.name} is a pickle of more than tensors, or it is damaged; nothing of it was run.",
            GET_AGAIN,
        )
    if named[1].startswith(("torch.nn.", "models.")):
        return BadCheckpointError(
            f"{path.name} holds a whole module ({named[1]}), not a state dict; it was refused unopened.",
            "Save the module's state_dict() where its code is, and import that.",
        )
    return BadCheckpointError(
        f"{path.name} holds pickled objects ({named[1]}) beside tensors; it was refused, and nothing of it was run.",
        "Use it only if you trust who made it: load it in PyTorch, and save nothing but its state dict.",
    )


def _broken(path: Path, said: str) -> str:
    head = _head(path)
    if not head:
        return "is empty"
    if "central directory" in said or "EOF" in said or "Ran out of input" in said or not said:
        return "is truncated"
    if head[:2] == b"PK":
        return "is a zip archive, but not one that PyTorch wrote, or it is damaged"
    return "is not a PyTorch file, or it is damaged"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _state_dict(path: Path, loaded: object) -> dict[str, Tensor]:
    """Raises BadCheckpointError where it is something else, and says what."""
    if isinstance(loaded, Mapping) and loaded and all(isinstance(value, Tensor) for value in loaded.values()):
        state = {str(key): value.detach() for key, value in loaded.items()}
        strange = [key for key, value in state.items() if value.layout != torch.strided or value.is_quantized]
        if strange:
            raise BadCheckpointError(
                f"'{strange[0]}' in {path.name} is not a plain tensor.", "Save dense weights."
            )
        return state
    raise BadCheckpointError(
        f"{path.name} holds {_kind(loaded)}, not the state dict of one network.",
        "Name {latest or epoch}_net_G.pth, as the published code saves it, or its folder.",
    )


def _kind(loaded: object) -> str:
    if not isinstance(loaded, Mapping):
        return "one tensor" if isinstance(loaded, Tensor) else f"a {type(loaded).__name__}"
    if "param_groups" in loaded:
        return "the state of an optimizer"
    if not loaded:
        return "nothing"
    parts = ", ".join(f"'{key}'" for key in list(loaded)[:5])
    return f"a dictionary of {parts}"
