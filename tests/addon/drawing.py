# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels drawn into a layout that checks every call against this Blender's own interface.

Blender draws nothing without a window. The stand-in for its layout knows which calls, keywords, icons,
properties and operators there are, so what passes here draws there; what it looks like is for eyes.
"""

from __future__ import annotations

import bpy

FUNCTIONS = bpy.types.UILayout.bl_rna.functions
ICONS = {item.identifier for item in FUNCTIONS["label"].parameters["icon"].enum_items}
CONTAINERS = {"row", "column", "box", "split", "column_flow", "grid_flow"}


class Layout:
    """A layout that draws into a list of texts."""

    def __init__(self, texts: list[str]):
        object.__setattr__(self, "texts", texts)

    def __setattr__(self, name, value):
        assert name in bpy.types.UILayout.bl_rna.properties, name

    def __getattr__(self, call):
        known = FUNCTIONS[call].parameters

        def drawn(*words, **named):
            positional = ("data", "property") if call == "prop" else ("text",)
            assert set(named) <= set(known.keys()), (call, named)
            assert named.get("icon", "NONE") in ICONS, named["icon"]
            if call in CONTAINERS:
                return Layout(self.texts)
            if call == "prop":
                assert words[1] in words[0].bl_rna.properties, words[1]
                text = named.get("text", words[0].bl_rna.properties[words[1]].name)
            elif call in ("operator", "operator_menu_enum"):
                group, name = words[0].split(".")
                kind = getattr(getattr(bpy.ops, group), name).get_rna_type()
                assert call == "operator" or words[1] in kind.properties, words[1]
                text = named.get("text", kind.name)
                self.texts.append(text)
                return _Properties(kind)
            elif call == "menu":
                assert hasattr(bpy.types, words[0]), words[0]
                text = named.get("text", "")
            else:
                text = named.get("text", "")
            del positional
            self.texts.append(text)
            return None

        return drawn


class _Properties:
    def __init__(self, kind):
        object.__setattr__(self, "kind", kind)

    def __setattr__(self, name, value):
        assert name in self.kind.properties, name


def drawn(name: str) -> list[str]:
    """Every text of a panel, header included, in order."""
    texts: list[str] = []

    class Panel:
        layout = Layout(texts)
        kind = getattr(getattr(bpy.types, name), "kind", None)

    panel = getattr(bpy.types, name)
    if hasattr(panel, "draw_header_preset"):
        panel.draw_header_preset(Panel, bpy.context)
    panel.draw(Panel, bpy.context)
    return texts
