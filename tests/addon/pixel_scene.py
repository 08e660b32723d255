# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes of which every pixel is known: seen from an orthographic camera, a metre is a pixel.

Rectangles are (left, top, right, bottom) in pixels of a 64 x 48 picture, row 0 at the top.
"""

from __future__ import annotations

import math

import bpy

WIDTH, HEIGHT = 64, 48
CAMERA_Y = -10.0


class Pixels:
    def __init__(self, scene):
        self.scene = scene

    def camera(self):
        """Sees 64 x 48 metres of the plane y = 0, from 10 metres away."""
        camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        camera.data.type, camera.data.ortho_scale = "ORTHO", WIDTH
        camera.location, camera.rotation_euler = (0, CAMERA_Y, 0), (math.radians(90), 0, 0)
        self.scene.collection.objects.link(camera)
        self.scene.camera = camera
        self.scene.render.resolution_x, self.scene.render.resolution_y = WIDTH, HEIGHT
        return camera

    def panorama(self):
        """Sees all directions from the origin, +y in the middle."""
        camera = self.camera()
        camera.location = (0, 0, 0)
        camera.data.type = "PANO"
        # Blender 5 took the kind of panorama over from Cycles.
        lens = camera.data if hasattr(camera.data, "panorama_type") else camera.data.cycles
        lens.panorama_type = "EQUIRECTANGULAR"
        return camera

    def wall(self, axis: int, sign: int):
        """A side of a cube of 20 metres around the origin."""
        side = self.box(f"Wall {axis} {sign}", (0, 0, 1, 1))
        corners = [(a, b) for a, b in ((-10, -10), (10, -10), (10, 10), (-10, 10))]
        points = [[*corner[:axis], 10.0 * sign, *corner[axis:]] for corner in corners]
        side.data.vertices.foreach_set("co", [value for point in points for value in point])
        side.data.update()
        return side

    def box(self, name, rectangle, distance=10.0, materials=(), inside=None):
        """A rectangle facing the camera at a distance; its materials share it from left to right."""
        made = bpy.data.objects.new(name, self.mesh(name, rectangle, distance, materials))
        (inside or self.scene.collection).objects.link(made)
        return made

    def mesh(self, name, rectangle, distance=10.0, materials=()):
        left, top, right, bottom = rectangle
        parts = max(len(materials), 1)
        points, faces = [], []
        for part in range(parts):
            x0, x1 = (left + (right - left) * (part + step) / parts - WIDTH / 2 for step in (0, 1))
            z0, z1 = HEIGHT / 2 - bottom, HEIGHT / 2 - top
            faces.append(tuple(range(len(points), len(points) + 4)))
            points += [(x, CAMERA_Y + distance, z) for x, z in ((x0, z0), (x1, z0), (x1, z1), (x0, z1))]
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(points, [], faces)
        layer = mesh.uv_layers.new()
        for corner, uv in zip(layer.uv, ((0, 0), (1, 0), (1, 1), (0, 1)) * parts, strict=True):
            corner.vector = uv
        for index, material in enumerate(materials):
            mesh.materials.append(material)
            mesh.polygons[index].material_index = index
        mesh.update()
        return mesh

    def collection(self, name, inside=None):
        made = bpy.data.collections.new(name)
        parent = bpy.data.collections[inside] if inside else self.scene.collection
        parent.children.link(made)
        return made

    def source_collection(self, name, rectangle):
        """A collection that is only there as instances; its rectangle starts at the instance."""
        made = bpy.data.collections.new(name)
        left, top, right, bottom = rectangle
        middle = (WIDTH // 2 + left, HEIGHT // 2 + top, WIDTH // 2 + right, HEIGHT // 2 + bottom)
        self.box(f"{name} part", middle, inside=made)
        return made

    def instance(self, collection, corner):
        made = bpy.data.objects.new(f"{collection.name} instance", None)
        made.instance_type, made.instance_collection = "COLLECTION", collection
        made.location = _place(corner)
        self.scene.collection.objects.link(made)
        return made

    def geometry_nodes_instances(self, source, corners):
        """Points that show an object, or a collection, at these pixels."""
        host = self._points("Scatter", corners)
        tree = self.geometry_nodes(host)
        kind = "Object" if isinstance(source, bpy.types.Object) else "Collection"
        scatter, info = (
            tree.nodes.new("GeometryNodeInstanceOnPoints"),
            tree.nodes.new(f"GeometryNode{kind}Info"),
        )
        info.inputs[kind].default_value = source
        if kind == "Object":
            info.inputs["As Instance"].default_value = True
        start, end = tree.nodes["Group Input"], tree.nodes["Group Output"]
        tree.links.new(start.outputs[0], scatter.inputs["Points"])
        tree.links.new(info.outputs[-1], scatter.inputs["Instance"])
        tree.links.new(scatter.outputs["Instances"], end.inputs[0])
        return host

    def set_material_by_nodes(self, thing, material):
        """Geometry nodes that give a thing a material which is in none of its slots."""
        tree = self.geometry_nodes(thing)
        setter = tree.nodes.new("GeometryNodeSetMaterial")
        setter.inputs["Material"].default_value = material
        tree.links.new(tree.nodes["Group Input"].outputs[0], setter.inputs["Geometry"])
        tree.links.new(setter.outputs[0], tree.nodes["Group Output"].inputs[0])
        return thing

    def geometry_nodes(self, host):
        """The node tree of a new modifier, its input and output not yet linked."""
        tree = bpy.data.node_groups.new("Nodes", "GeometryNodeTree")
        tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
        tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
        tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
        host.modifiers.new("Nodes", "NODES").node_group = tree
        return tree

    def particle_instances(self, source, corners):
        host = self._points("Emitter", corners)
        host.modifiers.new("Hair", "PARTICLE_SYSTEM")
        hair = host.particle_systems[0].settings
        hair.type, hair.emit_from, hair.count = "HAIR", "VERT", len(corners)
        hair.use_emit_random = False
        hair.render_type, hair.instance_object = "OBJECT", source
        hair.particle_size, hair.hair_length, hair.use_rotations = 1.0, 1.0, False
        host.show_instancer_for_render = False
        return host

    def cube_out_of_sight(self, side):
        """Looks the same however particles turn it."""
        bpy.ops.mesh.primitive_cube_add(size=side, location=(500, 0, 0))
        return bpy.context.object

    def material(self, name):
        return bpy.data.materials.new(name)

    def shader(self, node_type):
        """A material of one shader node."""
        material = bpy.data.materials.new(node_type)
        material.use_nodes = True
        tree = material.node_tree
        tree.nodes.clear()
        tree.links.new(
            tree.nodes.new(node_type).outputs[0], tree.nodes.new("ShaderNodeOutputMaterial").inputs["Surface"]
        )
        return material

    def principled(self, name, **inputs):
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        for socket, value in inputs.items():
            material.node_tree.nodes["Principled BSDF"].inputs[socket].default_value = value
        return material

    def mixed(self, factor, first, second):
        """A mix of two shader nodes, by their types."""
        material = self.shader(first)
        tree = material.node_tree
        mix = tree.nodes.new("ShaderNodeMixShader")
        mix.inputs[0].default_value = factor
        tree.links.new(tree.nodes[0].outputs[0], mix.inputs[1])
        tree.links.new(tree.nodes.new(second).outputs[0], mix.inputs[2])
        tree.links.new(mix.outputs[0], tree.get_output_node("CYCLES").inputs["Surface"])
        return material

    def fog(self, density):
        """A material that has an inside and no surface."""
        material = self.shader("ShaderNodeVolumePrincipled")
        tree = material.node_tree
        volume, output = tree.nodes["Principled Volume"], tree.get_output_node("CYCLES")
        tree.links.clear()
        volume.inputs["Density"].default_value = density
        tree.links.new(volume.outputs[0], output.inputs["Volume"])
        return material

    def block(self, name, rectangle, distances, material):
        """A solid box: a rectangle that reaches from one distance to another."""
        left, top, right, bottom = rectangle
        near, far = (CAMERA_Y + distance for distance in distances)
        place = ((left + right) / 2 - WIDTH / 2, (near + far) / 2, HEIGHT / 2 - (top + bottom) / 2)
        bpy.ops.mesh.primitive_cube_add(size=1, location=place)
        made = bpy.context.object
        made.name, made.scale = name, (right - left, far - near, bottom - top)
        made.data.materials.append(material)
        return made

    def cut_out(self, name):
        """A leaf card: a picture of 4 x 2 texels whose alpha is a checker, opaque at the upper left."""
        image = bpy.data.images.new(name, 4, 2, alpha=True)
        opaque = [
            float((row + column) % 2 == 0) for row in (1, 0) for column in range(4)
        ]  # rows from the bottom
        image.pixels = [value for alpha in opaque for value in (1.0, 1.0, 1.0, alpha)]
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        tree = material.node_tree
        picture = tree.nodes.new("ShaderNodeTexImage")
        picture.image, picture.interpolation = image, "Closest"
        tree.links.new(picture.outputs["Alpha"], tree.nodes["Principled BSDF"].inputs["Alpha"])
        return material

    def curves_of(self, thing):
        """The animation curves of an object, in whichever way this Blender keeps them."""
        action = thing.animation_data.action
        if hasattr(action, "fcurves"):
            return list(action.fcurves)
        return [
            curve
            for layer in action.layers
            for strip in layer.strips
            for bag in strip.channelbags
            for curve in bag.fcurves
        ]

    def _points(self, name, corners):
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata([_place(corner) for corner in corners], [], [])
        made = bpy.data.objects.new(name, mesh)
        self.scene.collection.objects.link(made)
        return made


def snapshot():
    """What a user could see of the file: data-blocks, settings, indices, selection, frame, unsaved."""
    scene = bpy.context.scene
    blocks = {
        name: sorted((block.name_full, block.users) for block in getattr(bpy.data, name))
        for name in (
            "scenes",
            "objects",
            "materials",
            "images",
            "cameras",
            "meshes",
            "collections",
            "worlds",
            "texts",
        )
    }
    return {
        "blocks": blocks,
        "indices": [thing.pass_index for thing in (*bpy.data.objects, *bpy.data.materials)],
        "hidden": [thing.hide_render for thing in bpy.data.objects],
        "selected": [thing.name for thing in scene.objects if thing.select_get()],
        "frame": (scene.frame_current, scene.frame_subframe),
        "render": _values(scene.render) | _values(scene.render.image_settings),
        "cycles": _values(scene.cycles),
        "layers": [_values(layer) for layer in scene.view_layers],
        "camera": _values(scene.camera.data.dof),
        "unsaved": bpy.data.is_dirty,
    }


def _values(owner):
    simple = {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"}
    return {
        each.identifier: str(getattr(owner, each.identifier))
        for each in owner.bl_rna.properties
        if each.type in simple and not getattr(each, "is_array", False)
    }


def _place(corner):
    """Where a thing built around the middle of the picture has to go to start at this pixel."""
    return corner[0] - WIDTH // 2, 0.0, HEIGHT // 2 - corner[1]
