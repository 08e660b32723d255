# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on remembers in the .blend: one group of settings a scene, `scene.spade`.

Labels lie on the things themselves (`scene/given_labels.py`). A scene's label rules are for what these cannot say; they
point at data-blocks, not at names, so they survive renaming, saving, reloading and undo.
"""

# No postponed annotations here: Blender reads its properties out of them.

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .contract.labels import shipped_label_sets
from .contract.limits import LARGEST_SIDE, MAX_SIDE, MIN_SIDE
from .contract.request import MOST_DETAIL
from .label_set_choice import CUSTOM, class_names
from .model_menu import model_pick
from .style.class_styles import PlacedStyleSettings, SpadeClassStyle
from .style.settings import StyleSettings

SHOWN = (
    ("BLOCKS", "Blocks", "The blocks, without the picture"),
    ("PICTURE", "Picture", "The picture and what has no label; the blocks it was painted from are hidden"),
    ("BOTH", "Both", "The blocks, and the picture behind them"),
)
# From Blender 4.5 on it has to be said of paths that they may begin with //.
_BESIDE_THE_FILE: Any = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()

# The numbers are what lies in files: an item may be renamed and moved, its number stays.
PLACEMENTS = (
    (
        "BACKDROP",
        "Backdrop",
        "A plane behind everything that fills the camera's frame, in views and in renders",
        0,
    ),
    (
        "BACKGROUND_IMAGE",
        "Camera",
        "The camera's background image: in views through the camera, whatever their shading; not in renders",
        1,
    ),
    (
        "PROJECTION",
        "Projection",
        "On the blocks themselves, as a projector throws it, so that the camera can move; the sky in the world",
        4,
    ),
    ("PANORAMA", "Panorama", "The world, painted all around the camera", 2),
    (
        "LAYERS",
        "Layers",
        "Cards at several depths, with what stands behind painted, too: near things pass before far ones as the camera "
        "moves",
        5,
    ),
    ("TILE", "Tile", "A material that repeats without a seam", 3),
)
_SIDE = {
    "default": 512,
    "min": MIN_SIDE,
    "max": LARGEST_SIDE,  # for servers that take more, and for training pairs
    "soft_max": MAX_SIDE,
    "step": 32,
    "subtype": "PIXEL",
}


def _chosen_index(spade) -> int:
    return bpy.data.images.find(spade.history_name)


def _choose_index(spade, index: int) -> None:
    spade.history_name = bpy.data.images[index].name


class SpadeLabelRule(bpy.types.PropertyGroup):
    """One label: the thing `target` (of this `kind`) shows the class `class_name`."""

    kind: EnumProperty(
        name="Kind",
        items=(
            ("OBJECT", "Object", "The label of one object", "OBJECT_DATA", 0),
            ("MATERIAL", "Material", "The label of every surface with this material", "MATERIAL", 1),
            ("COLLECTION", "Collection", "The label of everything in a collection", "OUTLINER_COLLECTION", 2),
        ),
    )
    object: PointerProperty(type=bpy.types.Object, name="Object", description="The labelled object")
    material: PointerProperty(type=bpy.types.Material, name="Material", description="The labelled material")
    collection: PointerProperty(
        type=bpy.types.Collection, name="Collection", description="The labelled collection"
    )
    class_name: StringProperty(name="Class", description="What it shows", search=class_names)

    @property
    def target(self) -> bpy.types.Object | bpy.types.Material | bpy.types.Collection | None:
        """The labelled data-block; None once it is gone from the file."""
        return getattr(self, self.kind.lower())


class SpadeHiddenBlock(bpy.types.PropertyGroup):
    """A labelled object that Show has hidden, and whether the user shows it."""

    object: PointerProperty(type=bpy.types.Object)
    hide_viewport: BoolProperty()
    hide_render: BoolProperty()


class SpadeProjection(bpy.types.PropertyGroup):
    """A picture on the blocks themselves: its nodes, which hold picture, depth and numbers, and whose view it was."""

    group: PointerProperty(type=bpy.types.NodeTree)
    camera: PointerProperty(type=bpy.types.Object)
    hidden: IntProperty(
        description="How many of the nearer bands of things were hidden when it was painted", min=0
    )


class SpadeSettings(StyleSettings, PlacedStyleSettings, bpy.types.PropertyGroup):
    """The scene's label set, label rules, what to generate, and in which style."""

    label_set: EnumProperty(
        name="Label Set",
        description="The classes that labels are chosen from; the model must know the same set",
        items=[(name, name.replace("_", " ").title(), "") for name in shipped_label_sets()]
        + [(CUSTOM, "Imported", "The label set imported into this scene")],
    )
    # The text and not a path: the .blend must stay whole on another computer.
    custom_label_set: StringProperty(
        name="Imported Label Set", description="TOML text of the imported label set"
    )
    rules: CollectionProperty(type=SpadeLabelRule)
    background_class: StringProperty(
        name="Background",
        description="The class of pixels where the camera sees past everything",
        default="sky",
        search=class_names,
    )
    width: IntProperty(name="Width", **_SIDE)
    height: IntProperty(name="Height", **_SIDE)
    match_camera: BoolProperty(
        name="Match Camera",
        description="Keep the number of pixels but take the camera's aspect, so that nothing is stretched",
        default=True,
    )
    seed: IntProperty(name="Seed", description="Another seed gives another picture of the same labels", min=0)
    upscale: BoolProperty(
        name="Paint Small, Then Enlarge",
        description="Paint larger pictures at the size that the model knows, and let a network that knows photographs "
        "enlarge them. Off, they are painted at their own size, with textures that repeat",
        default=True,
    )
    detail: FloatProperty(
        name="Detail",
        description="How many times as wide and high as the model was trained at a picture is painted before it is "
        "enlarged. More has finer things, and large shapes that hold together less. A panorama is painted at three "
        "times that, for it shows the scene all around",
        default=1.0,
        min=1.0,
        max=MOST_DETAIL,
        step=25,
        precision=2,
    )
    preview: BoolProperty(
        name="Preview",
        description="Paint sooner in numbers of fewer digits: the same picture, but for small differences in colour. "
        "Greyed out where the server computes exact pictures as fast",
        default=False,
    )
    natural_edges: FloatProperty(
        name="Natural Edges",
        description="How far the straight borders of blocks are moved as nature would draw them: 0 keeps each where it "
        "is, 1 moves them by about a hundredth of the picture's height. The seed draws how",
        default=0.67,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    show: EnumProperty(
        name="Show",
        description="What is seen of the blocks and of the picture painted from them; set by the operator Show",
        items=SHOWN,
        default="BOTH",
    )
    placement: EnumProperty(
        name="Place As",
        description="How pictures are shown; set by the operator Place As",
        items=PLACEMENTS,
    )
    panorama_on_blocks: BoolProperty(
        name="On the Blocks",
        description="Panoramas lie on the labelled things around their camera, too; set by the operator",
    )
    world_before: PointerProperty(
        type=bpy.types.World, name="World Before", description="The world that a panorama stands in for"
    )
    tile_class: StringProperty(
        name="Tile Of", description="The class that a tile shows", default="grass", search=class_names
    )
    tile_width: FloatProperty(
        name="Tile Width",
        description="How wide a tile is in the scene",
        default=4.0,
        min=0.001,
        soft_max=100.0,
        subtype="DISTANCE",
    )
    tile_material: PointerProperty(
        type=bpy.types.Material, name="Tile", description="The material that shows the scene's tile"
    )
    history_limit: IntProperty(
        name="Limit",
        description="How much the pictures and what they were made of may take in the file, in megabytes. The oldest "
        "go first, never a favourite nor one that is shown somewhere",
        default=100,
        min=1,
        soft_max=2000,
    )
    history_name: StringProperty(name="Picture", description="The picture that is chosen in the history")
    history_index: IntProperty(
        name="Picture",
        description="The picture that is chosen in the history, by its place among the file's images",
        get=_chosen_index,
        set=_choose_index,
    )
    hidden_blocks: CollectionProperty(type=SpadeHiddenBlock)
    projections: CollectionProperty(type=SpadeProjection)
    paint: PointerProperty(
        type=bpy.types.NodeTree, description="The projections mixed, as all materials read them"
    )
    bare: EnumProperty(
        name="Bare",
        description="What is seen where no projection reaches",
        items=(
            ("MEAN", "Mean Colour", "The mean colour of its class in the picture"),
            ("MATERIAL", "Material", "Your material"),
        ),
        update=lambda spade, context: spade.id_data.update_tag(),
    )
    key_every: IntProperty(
        name="Key Every",
        description="After how many frames all of one is painted anew, and those before it go over into it: for "
        "cameras that come close to what was painted from far away. 0 keeps what was painted first",
        default=0,
        min=0,
        soft_max=250,
    )
    frames_folder: StringProperty(
        name="Folder",
        description="Where the frames are written; // is beside the .blend",
        default="//frames/",
        subtype="DIR_PATH",
        options=_BESIDE_THE_FILE,
    )
    frames_as: EnumProperty(
        name="Frames As",
        description="How the frames are shown",
        items=(
            ("PLACE", "Backdrop", "In the place of the camera's picture, as Place As says"),
            ("IMAGE", "Image Only", "As an image sequence of the file, for materials of your own"),
        ),
    )
    batch_cameras: EnumProperty(
        name="Cameras",
        description="Of which cameras a batch paints pictures",
        items=(
            ("ALL", "All", "Every camera of the scene whose picture is flat"),
            ("SELECTED", "Selected", "The selected ones"),
            ("ACTIVE", "Active", "The scene's active one"),
        ),
    )
    batch_layers: EnumProperty(
        name="View Layers",
        description="In which view layers",
        items=(
            ("ACTIVE", "Active", "The one that is looked at"),
            (
                "ALL",
                "All",
                "Every one that renders; pictures of others than the active one are not placed, but kept",
            ),
        ),
    )
    batch_scenes: EnumProperty(
        name="Scenes",
        description="Of which scenes",
        items=(("THIS", "This", "This scene"), ("ALL", "All", "Every scene that has a camera")),
    )
    unpainted: StringProperty(description="What the projections could not be laid on, and why")
    model: StringProperty(name="Model", description="Name of the model on the server", default="landscape")
    model_pick: model_pick()

    @property
    def is_on_blocks(self) -> bool:
        """Whether pictures lie on the blocks themselves, so that these are never hidden behind them."""
        around = self.placement == "PANORAMA" and self.panorama_on_blocks
        return around or self.placement == "PROJECTION"


def settings(scene: bpy.types.Scene) -> SpadeSettings:
    """The add-on's settings in a scene."""
    return scene.spade


_CLASSES = (SpadeLabelRule, SpadeHiddenBlock, SpadeProjection, SpadeClassStyle, SpadeSettings)


def register() -> None:
    for kind in _CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.spade = PointerProperty(type=SpadeSettings)


def unregister() -> None:
    del bpy.types.Scene.spade
    for kind in reversed(_CLASSES):
        bpy.utils.unregister_class(kind)
