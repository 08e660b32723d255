# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures on the blocks themselves, as a slide projector throws them, through the shader.

- `group`: one projection as a group of nodes: where a point of the world is seen, whether it is hidden there.
- `depth_image`: how far the projector saw, as an image.
- `paint`: all projections of a scene as one group, which every material shares.
- `materials`: the user's materials copied, the paint mixed over; and back again.
- `projections`: the scene's list of them: added, replaced, removed, kept in line with view and exposure.
- `bands`: what stands in front, to be hidden so that what is behind can be painted, too.

No UV maps: they are wrong on large polygons, and instances share theirs.
"""
