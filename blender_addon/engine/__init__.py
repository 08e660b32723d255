# SPDX-License-Identifier: GPL-3.0-or-later
"""What is painted, as files that game engines and other programs take; another Blender writes them.

- `plan`: what is to be exported and whereto, refused with a reason before anything is.
- `exporter`: one export; its files come into the chosen folder together, when all are there.
- `panorama`: light in all directions as .hdr or .exr, and as the six faces of a cube.
- `tile`: a tile's albedo, normals and roughness.
- `model`: baked things as glTF, with their textures.
- `light`, `cube`, `radiance`: a picture's light, a cube's faces, and the bytes of .hdr files.
"""
