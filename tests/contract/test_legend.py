# SPDX-License-Identifier: Apache-2.0
"""The legend of names: what designers, importers and asset libraries call things, and what is meant by it."""

import pytest

from spade_core.contract.labels import LabelClass, LabelSet, load_label_set
from spade_core.contract.legend import legend, names_a_material

MEANT = {
    "sky": "Skybox SkyDome_mesh HDRISky Sky_Dome_HDRI BackgroundSky Himmel Ciel Cielo 天空 空",
    "cloud": "Cloudscape clouds.001 Storm_Clouds cloud_card Wolken Nuages Nube 云 雲",
    "fog": "FogPlane mist ground_fog Nebel brouillard niebla 雾 霧",
    "mountain": "Mountains_BG hillside volcano DistantMountains Mont_Blanc rolling_hills Gebirge Hügel_links "
    "Huegel montagne Montaña.003 montana 山 雪山",
    "rock": "RockCluster Rocks_Cliff_LOD0 sandstone SM_Rock_Nordic_Large_vkzlD boulder mossy_rock rock_moss "
    "Felsen Fels rocher roca 岩石 岩 cliff_cornerStone river_stone",
    "snow": "snowfield snowcap icicle Glacier SnowPatch_01 Schnee neige nieve 雪",
    "grass": "GrassPatch grassland prairie wheatfield Farmland M_Grass TallGrass_A Wiese Rasen herbe hierba "
    "草原 芝生",
    "bush": "Bushes_LOD0 shrubs hedge_row plant_bushLarge Hecke buisson arbusto 灌木 茂み rose_bush",
    "tree": "SM_PineTree_01 SM_Tree_Birch_A birch spruce_02 fir conifer Treeline tree01 BP_Tree_Large "
    "DeadTree_01 tree_trunk pine_needles SM_Pine_Snow_01 Mountain_Pine Tree_Oak Baum Bäume Baeume "
    "Lindenbaum arbre_mort Forêt foret árbol bosque 树 松树_01 森林 木.001 森",
    "flower": "Field_of_flowers wildflowers sun_flower Blumen fleurs flores 花",
    "sand": "shore Beach dunes_02 Strand sable arena 沙滩 砂浜",
    "dirt": "riverbank mud_patch GroundPlane leaf-litter Erde terre tierra 泥土 土",
    "road": "cobblestone_road Cobblestone highway Path_Gravel path_stone MAT_Asphalt mountain_road Straße_02 "
    "Strasse Weg route_02 camino 道路 道",
    "water": "Creek WaterPlane River_01 mountain_lake Lake_with_trees Fluss See lac río rio 湖 川",
    "sea": "ocean_surface Waves Meer mer océan mar 大海 海",
    "waterfall": "waterfall_01 WaterFall Wasserfall cascada 瀑布 滝",
    "building": "bldg_A cottage cabin church barn Roof village rock_bridge Greenhouse Stairs Lighthouse "
    "castle_wall Fence_Wood Bridge_Concrete house_by_the_lake Stone_Bridge Gebäude Haus_alt "
    "Maison_rouge casa_de_piedra 房子 建物 家",
}
NO_CLASS = """
Terrain Landscape Floor driftwood drift_wood log Firewood street_lamp StreetLamp smoke_stack fireplace treehouse
Tree_House snowboard snow_board Baumhaus Straßenlampe sky_light Skyline road_sign water_bottle rock_guitar
flower_pot mountain_bike Door_Oak table_pine House_Door Tree_Swing fire_hydrant cloud_server snowman ice_cream
sandcastle Rock_Band tree_ornament train_tracks battle_field depth_of_field point_cloud lava_lake boats_on_lake
Cube.001 Plane Suzanne Wooden grasshopper Schneemann Seestern Wandlampe Baumwolle lampadaire farola 烟花 花火
街灯 树屋 汽水 宝石 山羊 人 車 椅子 火
"""


@pytest.fixture(scope="module")
def landscape() -> LabelSet:
    return load_label_set("landscape")


@pytest.mark.parametrize("meaning", MEANT)
def test_names_are_understood(landscape, meaning):
    got = {name: found and found.name for name in MEANT[meaning].split() for found in [landscape.match(name)]}
    assert {name: other for name, other in got.items() if other != meaning} == {}


def test_a_name_that_leaves_doubt_means_no_class(landscape):
    assert {name: found.name for name in NO_CLASS.split() if (found := landscape.match(name))} == {}


def test_every_word_of_the_legend_means_one_class(landscape):
    for meaning, words in legend().classes.items():
        assert landscape.class_named(meaning), meaning
        for word in words:
            assert landscape.match(word) == landscape.class_named(meaning), word
        assert not words & (legend().nothing | legend().qualifiers | legend().prepositions), meaning


def test_every_label_set_is_served_where_it_has_the_class():
    ade, cityscapes = load_label_set("ade20k"), load_label_set("cityscapes")
    for name, found in (("SM_Birch_02", "tree"), ("Felsen", "rock"), ("ozean", "sea")):
        assert (entry := ade.match(name)) and entry.name == found
    assert cityscapes.match("glacier") is None


def test_a_sets_own_words_go_before_the_legends():
    own = LabelSet(
        "own", 1, (LabelClass(0, "tree", "#000000"), LabelClass(1, "street lamp", "#FFFFFF", ("birch",)))
    )
    for name, index in (("Street_Lamp.002", 1), ("birch", 1), ("spruce", 0)):
        assert own.match(name) is own.classes[index]


def test_a_name_that_only_says_what_a_thing_is_made_of_is_known():
    assert all(map(names_a_material, ("Wood", "OldStone", "M_Oak_01", "Leaves", "Holz")))
    assert not any(map(names_a_material, ("Stone wall", "Grass", "", "M_01")))
