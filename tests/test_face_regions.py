"""Regions of a face: they tile it, both sides mirror each other, and the 68 points are where the mesh has them."""

from collections import Counter

import numpy as np
import pytest

from metaforge.data.embedded_faces import embedded_faces
from metaforge.errors import InputError
from metaforge.face_regions import GROUPS, MESH_MIRROR, MESH_TO_68, MIRROR_68, OVAL, REGIONS, region_outline


def edges(outline):
    return set(zip(outline, (*outline[1:], outline[0]), strict=True))


def test_the_regions_of_the_mesh_tile_its_oval():
    # Each edge is walked once in each direction, by the two regions that share it; the oval walks its own once. So
    # whatever the mesh looks like, the signed areas of the regions sum to that of the oval.
    walked = Counter(edge for region in REGIONS.values() for edge in edges(region.mesh))
    assert max(walked.values()) == 1
    assert {(i, j) for i, j in walked if (j, i) not in walked} == edges(OVAL)
    mesh = np.random.default_rng(0).normal(size=(468, 2))

    def area(corners):
        (x, y), (u, v) = corners.T, np.roll(corners, -1, axis=0).T
        return (x * v - u * y).sum() / 2

    parts = sum(area(region_outline(mesh, name)) for name in REGIONS)
    assert parts == pytest.approx(area(mesh[list(OVAL)]))


def test_a_mirrored_face_has_the_mirrored_map():
    everywhere = np.arange(468)
    np.testing.assert_array_equal(MESH_MIRROR[MESH_MIRROR], everywhere)
    assert (everywhere == MESH_MIRROR).sum() == 28  # the points of the middle
    np.testing.assert_array_equal(MIRROR_68[MIRROR_68], np.arange(68))
    np.testing.assert_array_equal(MESH_MIRROR[MESH_TO_68], MESH_TO_68[MIRROR_68])
    other = {"left": "right", "right": "left"}
    for name, region in REGIONS.items():
        side, _, rest = name.partition("_")
        mirrored = REGIONS[f"{other[side]}_{rest}" if rest else name]
        # Mirrored, an outline is walked the other way round.
        assert {(b, a) for a, b in edges(mirrored.mesh)} == edges(tuple(MESH_MIRROR[list(region.mesh)].tolist()))
        if region.points:
            assert {*mirrored.points} == {*MIRROR_68[list(region.points)].tolist()}


@pytest.mark.parametrize("points", [468, 68])
def test_left_is_the_image_s_left_also_of_a_face_that_was_mirrored(points):
    face = embedded_faces("london", size=160)[0]
    marks = np.asarray(face.landmarks, np.float64)
    marks = marks if points == 468 else marks[MESH_TO_68]
    flipped = np.column_stack([159 - marks[:, 0], marks[:, 1]])
    for name in REGIONS:
        outline = region_outline(flipped, name)
        if outline is None:
            continue
        side, _, part = name.partition("_")
        there = region_outline(marks, f"{'right' if side == 'left' else 'left'}_{part}" if part else name)
        np.testing.assert_allclose(outline, np.column_stack([159 - there[:, 0], there[:, 1]]))
        if part:
            middle = marks[:, 0].mean()
            assert (outline[:, 0].mean() < 159 - middle) == (side == "left")


def test_the_68_points_are_different_points_of_the_mesh():
    assert len(set(MESH_TO_68.tolist())) == 68


def test_parts_of_68_points_and_of_the_mesh_are_the_same_parts():
    # Of a mesh that says where each point is by its number, the parts of the 68 points lie on the points of the mesh.
    mesh = np.column_stack([np.arange(468), -np.arange(468)]).astype(float)
    for name, region in REGIONS.items():
        outline = region_outline(mesh[MESH_TO_68], name)
        if region.points:
            np.testing.assert_array_equal(outline, mesh[MESH_TO_68[list(region.points)]])
        else:
            assert outline is None


def test_groups_name_every_region_once():
    assert sorted(part for parts in GROUPS.values() for part in parts) == sorted(REGIONS)


def test_other_landmarks_have_no_outline_and_an_unknown_region_is_one_line():
    assert region_outline(np.zeros((189, 2)), "mouth") is None
    with pytest.raises(InputError, match="unknown 'ear'; known: forehead"):
        region_outline(np.zeros((468, 2)), "ear")
