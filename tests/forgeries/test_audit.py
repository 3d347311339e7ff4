"""The leak audit: passes what is clean, catches what leaks."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from metaforge.data.faces import load_faces
from metaforge.errors import InputError
from metaforge.forgeries import ACQUISITIONS, FORGERIES, forge_pairs, periphery_auc


@pytest.fixture(scope="module")
def faces():
    return load_faces("lfw", size=64).faces


# Real and fake are acquired alike after forging, so not every pair counts: each method under two of the acquisitions,
# and each acquisition with half of the methods. Of "wild", where a video is coded anew, test_wild.py has a test.
KINDS = [kind for kind in ACQUISITIONS if kind != "wild"]
PAIRS = [(m, KINDS[(i + shift) % len(KINDS)]) for i, m in enumerate(FORGERIES) for shift in (0, 1)]


@pytest.mark.parametrize(("method", "acquisition"), PAIRS)
def test_pixels_outside_the_dilated_mask_do_not_tell_real_from_fake(faces, method, acquisition):
    pairs = forge_pairs(faces[:60], methods=[method], acquisitions=[acquisition], variants=1, seed=0)
    assert periphery_auc(pairs, dilation=4) == pytest.approx(0.5, abs=0.03)


def leak_jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=40)
    return np.asarray(Image.open(buffer).convert("RGB"))


LEAKS = {
    "the fake alone is re-encoded": leak_jpeg,
    "the fake alone is smoothed": lambda image: gaussian_filter(image, (0.7, 0.7, 0)),
    "the fake alone is brighter": lambda image: np.clip(image.astype(int) + 60, 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_generator_that_touches_the_background_of_its_fakes_is_caught(faces, leak):
    pairs = [
        pair._replace(forged=pair.forged._replace(fake=LEAKS[leak](pair.forged.fake)))
        for pair in forge_pairs(faces[:60], methods=["swap"], variants=1, seed=0)
    ]
    assert periphery_auc(pairs, dilation=4) > 0.7


def test_masks_that_leave_no_block_free_are_refused():
    small = load_faces("lfw", size=16).faces[:10]
    with pytest.raises(InputError, match="too few people"):
        periphery_auc(forge_pairs(small, methods=["swap"], variants=1, seed=0), dilation=4)
