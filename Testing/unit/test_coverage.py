"""Which rays a CT can speak of: beside it, cut short by its end, or known on their whole way."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import Rays, rigid
from DiffRegistrationLib.xray.projector import Projector


@pytest.fixture
def column():
    """A CT of 40 mm cubed with a column of water, 12 mm wide, from its lower end, where it is cut, to z = 30."""
    hounsfield = np.full((40, 40, 40), -1000.0)
    hounsfield[:30, 14:26, 14:26] = 0
    return Projector(CT.from_hounsfield(hounsfield, np.eye(4)))


def _ray(source, target):
    return Rays(np.array([source], float), np.array([target], float))


@pytest.mark.parametrize(
    ("source", "target", "crosses", "whole"),
    [
        ((20, -100, 20), (20, 100, 20), True, True),
        ((20, -100, 60), (20, 100, 60), False, False),
        ((20, -60, 79.5), (20, 60, -40.5), True, False),
        ((20, 20, 100), (20, 20, -100), True, False),
        ((5, 20, 100), (5, 20, -100), True, True),
        # Only a corner of 3 mm: too little to speak of.
        ((-100, 37.5, 20), (2, 41.5, 20), False, False),
    ],
    ids=["across", "above", "out through the column's foot", "along the column", "beside the column", "a corner"],
)
def test_a_ray_is_known_whole_when_it_enters_and_leaves_through_air(column, source, target, crosses, whole):
    found = column.coverage(_ray(source, target), np.eye(4))
    assert (bool(found.crosses[0]), bool(found.whole[0])) == (crosses, whole)


def test_coverage_moves_with_the_ct(column):
    pose = rigid.move_about([20, 20, 20], [0.4, -0.2, 1.0, 5, -3, 8], np.eye(4))
    rays = _ray((20, -60, 79.5), (20, 60, -40.5))
    moved = Rays(rigid.transform_points(pose, rays.source), rigid.transform_points(pose, rays.target))
    assert not column.coverage(moved, pose).whole[0]
    assert column.coverage(moved, pose).crosses[0]
