# SPDX-License-Identifier: GPL-3.0-or-later
"""Projected pictures as image textures by UV map: for other programs, and for things that move.

- `plan`: what is to be baked, refused with a reason before anything is.
- `baker`, `work`: a Blender in the background that does it, and what is done there.
- `texels`: one thing's colours, and which of its texels a projection reaches.
- `filling`, `surface`: the texels that none reaches; roughness and normals.
- `baked`: materials that show the textures.
"""
