# SPDX-License-Identifier: Apache-2.0
"""Options that nobody recorded: files of any such network are imported, and compute what its description says.

The description is by_hand.py, which the recordings check in turn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spade_core.checkpoint.file import Checkpoint, load_checkpoint, save_checkpoint
from spade_core.checkpoint.reference.exporting import export_reference
from spade_core.checkpoint.reference.importing import ImportRequest, import_reference
from spade_core.checkpoint.reference.keys import published_name
from spade_core.checkpoint.reference.shapes import discriminator_config
from spade_core.model.build import build_generator
from spade_core.model.discriminators.interface import DiscriminatorInput
from spade_core.model.discriminators.patchgan import MultiscaleConfig, MultiscaleDiscriminator
from spade_core.model.style_encoder import StyleEncoder, StyleEncoderConfig
from spade_core.synthesis.compiled.generator import CompiledGenerator
from spade_core.synthesis.synthesizer import Synthesizer
from tests.support import by_hand
from tests.support.by_hand import Weights
from tests.support.published import VARIANTS as RECORDED
from tests.support.published import Recorded, by_formula, recorded, write_options, write_reference_files

DOUBLE, SINGLE = 1e-9, 1e-5
USUAL = {
    "netG": "spade", "norm_G": "spectralspadesyncbatch3x3", "norm_D": "spectralinstance",
    "norm_E": "spectralinstance", "ngf": 2, "ndf": 2, "z_dim": 256, "label_nc": 6, "contain_dontcare_label": False,
    "no_instance": True, "crop_size": 64, "aspect_ratio": 1.0, "num_upsampling_layers": "normal", "use_vae": False,
    "num_D": 2, "n_layers_D": 4,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Published options where they differ from the usual, and the batch."""

    options: dict
    batch: int = 2


def case(batch: int = 2, **options: object) -> Case:
    return Case({**USUAL, **options}, batch)


QUICK = "spectralspadebatch1x1"
CASES = {
    "as usual": case(),
    "one picture": case(1),
    "three pictures, two classes": case(3, label_nc=2),
    "300 classes": case(1, label_nc=300),
    "don't care": case(contain_dontcare_label=True),
    "edges": case(no_instance=False),
    "don't care and edges": case(contain_dontcare_label=True, no_instance=False, label_nc=13),
    "batch norm, 5x5": case(1, norm_G="spectralspadebatch5x5"),
    "instance norm, 1x1": case(norm_G="spectralspadeinstance1x1"),
    "sync batch norm, 7x7, not spectral": case(1, norm_G="spadesyncbatch7x7"),
    "instance norm, not spectral, wide": case(norm_G="spadeinstance3x3", ngf=5),
    "more": case(1, num_upsampling_layers="more", crop_size=128, aspect_ratio=2.0),
    "more, edges, tall": case(num_upsampling_layers="more", crop_size=64, aspect_ratio=0.5, no_instance=False),
    "most": case(1, num_upsampling_layers="most", crop_size=128, ngf=4),
    "most, wide": case(1, num_upsampling_layers="most", crop_size=256, aspect_ratio=2.0, ngf=3, norm_G=QUICK),
    "3:2": case(crop_size=96, aspect_ratio=1.5),
    "5:4": case(1, crop_size=160, aspect_ratio=1.25),
    "one scale of three layers": case(num_D=1, n_layers_D=3, norm_G=QUICK),
    "three scales of five layers": case(num_D=3, n_layers_D=5, norm_G=QUICK),
    "four scales of one layer": case(num_D=4, n_layers_D=1, norm_G=QUICK),
    "four scales of two layers": case(num_D=4, n_layers_D=2, no_instance=False, norm_G=QUICK),
    "discriminator as wide as it gets": case(ndf=128, n_layers_D=5, num_D=1, norm_G=QUICK),
    "discriminator with batch norm": case(norm_D="spectralbatch", norm_G=QUICK),
    "discriminator with sync batch norm": case(norm_D="spectralsyncbatch", n_layers_D=3, norm_G=QUICK),
    "discriminator without norm": case(norm_D="spectral", n_layers_D=3, norm_G=QUICK),
    "style": case(use_vae=True),
    "style, one picture, 3:2, edges": case(1, use_vae=True, crop_size=96, aspect_ratio=1.5, no_instance=False),
    "style, more, 2:1": case(1, use_vae=True, num_upsampling_layers="more", crop_size=128, aspect_ratio=2.0),
    "style, most, encoder with batch norm": case(
        1, use_vae=True, num_upsampling_layers="most", crop_size=128, norm_E="spectralbatch", norm_G="spadebatch1x1"
    ),
    "style, encoder with sync batch norm": case(use_vae=True, norm_E="spectralsyncbatch", norm_G=QUICK),
}  # fmt: skip


def seed_networks(options: dict) -> dict[str, nn.Module]:
    """Networks whose names and shapes the files are made of; by_hand reads every name, so none can be wrong."""
    norm = options["norm_G"]
    kind = next(kind for kind in ("syncbatch", "instance", "batch") if kind in norm)
    record = Recorded(options, {}, {})
    networks: dict[str, nn.Module] = {"G": build_generator(replace(record.generator_config(), norm=kind))}
    channels = options["label_nc"] + options["contain_dontcare_label"] + (not options["no_instance"])
    patch_norm = options["norm_D"].removeprefix("spectral") or "none"
    patches = MultiscaleConfig(options["num_D"], options["n_layers_D"], options["ndf"], patch_norm)
    networks["D"] = MultiscaleDiscriminator(patches, channels)
    if options["use_vae"]:
        batch_norm = options["norm_E"].removeprefix("spectral")
        config = StyleEncoderConfig(
            base_width=options["ngf"],
            batch_norm=None if batch_norm == "instance" else batch_norm,
        )
        networks["E"] = StyleEncoder(config)
    return networks


def published_states(options: dict) -> dict[str, dict[str, Tensor]]:
    """Values by the recordings' formula; u and v after a few power iterations, as in training; variances positive."""
    states: dict[str, dict[str, Tensor]] = {}
    for network, module in seed_networks(options).items():
        state = states[network] = {}
        for key, value in module.state_dict().items():
            name = published_name(key)
            if name.endswith("num_batches_tracked"):
                counts = "sync" not in options[f"norm_{network}"]
                state[name] = torch.full_like(value, 7) if counts else value
                continue
            state[name] = by_formula(f"{network}.{name}", list(value.shape))
            if name.endswith("running_var"):
                state[name] = state[name].abs() + 0.5
        for name in [name for name in state if name.endswith(".weight_u")]:
            root = name.removesuffix(".weight_u")
            matrix, u = state[f"{root}.weight_orig"].flatten(1), state[name]
            for _ in range(2):
                v = torch.nn.functional.normalize(matrix.T @ u, dim=0)
                u = torch.nn.functional.normalize(matrix @ v, dim=0)
            state[name], state[f"{root}.weight_v"] = u, v
    return states


@dataclass(frozen=True)
class Imported:
    """The same files by hand and by the product."""

    options: dict
    states: dict[str, dict[str, Tensor]]
    checkpoint: Checkpoint
    label_map: Tensor
    instances: Tensor
    photos: Tensor
    codes: Tensor

    @property
    def labels(self) -> Tensor:
        return by_hand.semantics(self.options, self.label_map, self.instances)

    def by_hand(self, network: str) -> Weights:
        return Weights({key: value.double() for key, value in self.states[network].items()})


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def imported(request: pytest.FixtureRequest, tmp_path: Path) -> Imported:
    options, batch = request.param.options, request.param.batch
    states = published_states(options)
    shapes = {
        network: {key: list(value.shape) for key, value in state.items()} for network, state in states.items()
    }
    arrays = {
        f"buf/{network}/{key}": value.numpy()
        for network, state in states.items()
        for key, value in state.items()
    }
    record = Recorded(options, shapes, arrays)
    write_options(write_reference_files(tmp_path, record), record)
    checkpoint = import_reference(ImportRequest(tmp_path))
    saved = tmp_path / "model.safetensors"
    save_checkpoint(saved, checkpoint, dtype=None)
    assert load_checkpoint(saved).style_encoder == checkpoint.style_encoder
    for path in export_reference(load_checkpoint(saved), tmp_path / "again"):
        again = torch.load(path, weights_only=True)
        theirs = states[path.stem[-1]]
        assert list(again) == list(theirs) and all(torch.equal(again[key], theirs[key]) for key in theirs)

    random = torch.Generator().manual_seed(len(request.node.name))
    width = options["crop_size"]
    height = round(width / options["aspect_ratio"])
    ids = options["label_nc"] + options["contain_dontcare_label"]
    label_map = torch.randint(0, ids, (batch, height // 8, width // 8), generator=random)
    label_map = label_map.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return Imported(
        options, states, checkpoint, label_map,
        instances=torch.randint(0, 3, label_map.shape, generator=random),
        photos=torch.rand(batch, 3, height, width, generator=random, dtype=torch.float64) * 2 - 1,
        codes=torch.randn(batch, options["z_dim"], generator=random),
    )  # fmt: skip


@torch.no_grad()
def test_imported_networks_compute_what_their_description_says(
    imported: Imported, monkeypatch: pytest.MonkeyPatch
):
    # That the compiled networks compute the same is a test of its own.
    monkeypatch.setattr(CompiledGenerator, "inside", lambda *_: None)
    by_name = imported.by_hand("G")
    code = imported.codes.double() if imported.options["use_vae"] else None
    wanted = by_hand.generator(by_name, imported.options, imported.labels, code)
    assert not by_name.unread
    generator = imported.checkpoint.build_generator()
    assert difference(generator.double()(imported.labels, code), wanted) < DOUBLE
    model = Synthesizer(imported.checkpoint, "imported", "", torch.device("cpu"))
    for index, label_map in enumerate(imported.label_map.numpy()):
        painted = model.render_float(
            label_map.astype(model.label_set.dtype),
            imported.codes[index].numpy() if code is not None else None,
            instance_map=imported.instances[index].numpy(),
        )
        assert difference(torch.from_numpy(painted).permute(2, 0, 1), wanted[index]) < 3 * SINGLE

    by_name = imported.by_hand("D")
    layers = by_hand.discriminator(by_name, imported.options, imported.labels, imported.photos)
    assert not by_name.unread
    weights = imported.checkpoint.discriminator_weights
    discriminator = MultiscaleDiscriminator(discriminator_config(weights), imported.labels.shape[1])
    discriminator.load_state_dict(weights)
    judged = discriminator.double().eval()(DiscriminatorInput(imported.photos, imported.labels))
    for scale, (*features, score) in enumerate(layers):
        pairs = zip([*judged.features[scale], judged.scores[scale]], [*features, score], strict=True)
        assert all(difference(ours, theirs) < DOUBLE for ours, theirs in pairs)


@pytest.mark.parametrize("imported", [CASES[name] for name in CASES if "style" in name], indirect=True)
@pytest.mark.parametrize("size", [(256, 256), (64, 64), (90, 300), (1000, 613)])
@torch.no_grad()
def test_an_imported_style_encoder_reads_photos_of_any_size_as_described(imported: Imported, size):
    random = np.random.default_rng(0)
    rgb = random.integers(0, 256, (*size, 3), np.uint8)
    photo = ((torch.from_numpy(rgb).double() / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]
    by_name = imported.by_hand("E")
    mean, log_variance = by_hand.encoder(by_name, photo)
    assert not by_name.unread
    encoder = imported.checkpoint.build_style_encoder()
    assert encoder is not None
    ours = encoder.double()(photo)
    assert difference(ours[0], mean) < DOUBLE and difference(ours[1], log_variance) < DOUBLE
    model = Synthesizer(imported.checkpoint, "imported", "", torch.device("cpu"))
    assert difference(torch.from_numpy(model.encode_style(rgb))[None], mean) < 3 * SINGLE


@pytest.mark.parametrize("variant", RECORDED)
@torch.no_grad()
def test_the_description_is_that_of_the_recordings(variant: str):
    record = recorded(variant)
    weights = {
        network: Weights({key: value.double() for key, value in record.published_weights(network).items()})
        for network in record.shapes
    }
    labels = by_hand.semantics(
        record.options, record.tensor("in/label")[:, 0].long(), record.tensor("in/inst")[:, 0].long()
    )
    assert torch.equal(labels.byte(), record.tensor("out/semantics_u8"))
    styled = record.options["use_vae"]
    code = record.tensor("in/z").double() if styled else None
    painted = by_hand.generator(weights["G"], record.options, labels, code)
    assert difference(painted, record.tensor("out/G_given_z" if styled else "out/G_eval")) < 1e-5
    layers = by_hand.discriminator(
        weights["D"], record.options, labels, record.photos("in/image_u8").double()
    )
    for (scale, layer), value in record.discriminator_outputs("real").items():
        assert difference(layers[scale][layer], value) < 1e-5
    if styled:
        mean, log_variance = by_hand.encoder(weights["E"], record.photos("in/image_u8").double())
        assert difference(mean, record.tensor("out/E_mu")) < 1e-5
        assert difference(log_variance, record.tensor("out/E_logvar")) < 1e-5


def difference(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours.double() - theirs.double()).abs().max())
