# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that lie in users' files and scripts: whoever renames one has to keep reading the old one."""

from __future__ import annotations

import bpy
from spade_backdrops.history.parts import DIGEST, LABEL_SET, PARTS
from spade_backdrops.history.records import FAVOURITE
from spade_backdrops.place.backdrop import COLLECTION_NAME
from spade_backdrops.place.image import PROVENANCE
from spade_backdrops.place.layers.kept import PLAN
from spade_backdrops.place.projection.bare import MEANS
from spade_backdrops.place.projection.materials import NO_SLOTS, OWN_SLOTS
from spade_backdrops.place.projection.paint_over import MEAN
from spade_backdrops.place.projection.sights import PROJECTOR
from spade_backdrops.properties import SpadeLabelRule, SpadeSettings
from spade_backdrops.scene.given_labels import LABEL
from spade_backdrops.scene.projected import BAKED, ORIGINAL, PAINTED
from spade_backdrops.scene.visible import BACKDROP_MARK

SETTINGS = {
    *(
        "label_set",
        "custom_label_set",
        "rules",
        "background_class",
        "width",
        "height",
        "match_camera",
        "upscale",
    ),
    *("projections", "paint", "hidden_blocks"),
    *("placement", "history_limit", "show", "detail", "natural_edges", "preview"),
    *("seed", "own_style_seed", "style_seed", "model"),
    *("style_source", "style_name", "style_image", "style_strength", "mix_styles", "style_mix"),
    *("second_style_source", "second_style_name", "second_style_image", "second_style_seed"),
}
RULE = {"kind", "object", "material", "collection", "class_name"}
PLACEMENTS = {
    **{"BACKDROP": 0, "BACKGROUND_IMAGE": 1, "PANORAMA": 2, "TILE": 3},
    **{"PROJECTION": 4, "LAYERS": 5},
}
OPERATORS = {
    *(
        "generate",
        "cancel",
        "new_seed",
        "place_kept",
        "discard_kept",
        "show_backdrop",
        "show",
        "place_again",
        "dismiss_error",
    ),
    *("assign_label", "search_label", "clear_label", "auto_assign", "select_unlabelled"),
    *("import_label_set", "use_model_label_set", "use_served_model", "export_label_map", "render_pairs"),
    *("paint_again", "use_settings", "favourite", "remove_result", "compare"),
    *("project_from_view", "fill_hidden", "remove_projections", "bake", "remove_baked"),
    *("vary", "pick_variation", "close_variations", "place_as", "take_away"),
    *("use_seed_style", "add_style_preset"),
    *("add_camera", "add_example", "start_server", "stop_server", "show_console", "open_preferences"),
}


def test_a_scenes_settings_and_rules_keep_their_names(addon):
    assert SETTINGS <= set(SpadeSettings.bl_rna.properties.keys())
    assert RULE <= set(SpadeLabelRule.bl_rna.properties.keys())
    assert hasattr(bpy.types.Scene, "spade")


def test_placements_keep_their_names_and_the_numbers_that_lie_in_files(addon):
    items = SpadeSettings.bl_rna.properties["placement"].enum_items
    assert {item.identifier: item.value for item in items} == PLACEMENTS


def test_what_labels_things_keeps_its_name(addon):
    assert LABEL == "spade_label"


def test_what_marks_backdrops_and_pictures_keeps_its_name(addon):
    assert (BACKDROP_MARK, PROVENANCE) == ("spade_backdrop", "spade_provenance")
    assert COLLECTION_NAME == "Spade Backdrops"


def test_what_holds_the_history_together_keeps_its_name(addon):
    assert (DIGEST, LABEL_SET, FAVOURITE) == ("spade_digest", "spade_label_set", "spade_favourite")
    styles = ("spade_style_image", "spade_second_style_image")
    cards = [f"spade_{kind}_{number}" for kind in ("layer", "behind") for number in range(3)]
    layers = (*cards, "spade_layer_owner", "spade_layer_reach")
    assert PARTS == ("spade_label_map", "spade_instance_map", *styles, "spade_depth", *layers)
    assert PLAN == "spade_layers"
    assert PROJECTOR == "spade_projector"


def test_what_marks_projected_materials_keeps_its_name(addon):
    assert (PAINTED, BAKED, ORIGINAL) == ("spade_painted", "spade_baked", "spade_original")
    assert (OWN_SLOTS, NO_SLOTS) == ("spade_own_slots", "spade_no_slots")
    assert (MEAN, MEANS) == ("spade_mean", "spade_means")


def test_operators_keep_their_names(addon):
    assert OPERATORS <= set(dir(bpy.ops.spade))
