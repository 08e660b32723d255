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
from pathlib import Path

import torch
from safetensors.torch import load_file

from ...contract.errors import BadCheckpointError
from ..names import models_of
from .file_kinds import is_safetensors, refuse_other_files
from .wrapping import Unwrapped, unwrapped

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
    epochs = sorted({str(match["epoch"]) for match in found if match["network"] == "G"})
    if epoch is None:
        epoch = epochs[0] if len(epochs) == 1 else "latest"
    if epoch not in epochs:
        raise _no_such_set(source, epoch, epochs)
    wanted = [match for match in found if match["epoch"] == epoch]
    return {match["network"]: source / match.string for match in wanted}


def _no_such_set(folder: Path, epoch: str, epochs: list[str]) -> BadCheckpointError:
    if epochs:
        there = ", ".join(f"{known}_net_G.pth" for known in epochs[:5])
        return BadCheckpointError(
            f"There is no {epoch}_net_G.pth in {folder}, but {there}.",
            f"Choose one with --epoch, as in --epoch {epochs[0]}.",
        )
    if models_of(folder):
        return BadCheckpointError(
            f"{folder} is the folder of a training of this program.",
            "Use it as it is: --model takes the folder, and its newest model.",
        )
    others = sorted(file.name for file in folder.iterdir() if ".pth" in file.name or ".pt" in file.suffixes)
    there = f", but {', '.join(others[:5])}" if others else ""
    fix = (
        f"Name the file if it is a generator's: {folder / others[0]}."
        if others
        else "Name the folder that holds it."
    )
    return BadCheckpointError(f"There is no {epoch}_net_G.pth in {folder}{there}.", fix)


def read_state(path: Path) -> Unwrapped:
    """The state dict of one network in the file, a .pth or a .safetensors by what is in it. Raises BadCheckpointError.

    Tensors of a present-day file stay on disk until they are used.
    """
    try:
        refuse_other_files(path)
        if is_safetensors(path):
            return unwrapped(path, load_file(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on pickle protocols and storages; what matters is raised
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=_can_be_mapped(path))
    except BadCheckpointError:
        raise
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
    return unwrapped(path, loaded)


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
