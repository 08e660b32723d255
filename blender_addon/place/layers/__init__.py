# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture as cards at several depths, which stay where they are while the camera moves.

- `composing`: the colours of each card, of the picture and of what was painted behind.
- `making`: all cards of a picture, without holding Blender up.
- `kept`: the plan and the cards that the file keeps with a picture.
- `cards`: the planes in the scene.

Which card shows what is found where labels are taken: `scene/layered_pass`, `bridge/layers`.
"""
