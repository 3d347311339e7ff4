"""Images on the disk behave as the array that they would be."""

import numpy as np
import pytest
from PIL import Image

from metaforge.data.files import ImageFiles
from metaforge.data.images import square
from metaforge.errors import InputError


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)
    for place, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{place}.png")
    return tmp_path, images


@pytest.mark.parametrize("index", [slice(1, 4), [5, 0, 0], np.array([[0, 1], [2, 3]]), np.arange(6) % 2 == 0])
def test_indexing_and_decoding_commute(folder, index):
    root, images = folder
    files = ImageFiles([f"{place}.png" for place in range(6)], root=root, size=12)
    assert files.shape == images.shape
    assert files[index].shape == images[index].shape
    np.testing.assert_array_equal(np.asarray(files[index]), images[index])


def test_other_sizes_are_resized_as_single_images_are(folder):
    root, images = folder
    files = ImageFiles(["2.png"], root=root, size=5)
    np.testing.assert_array_equal(np.asarray(files)[0], square(images[2], size=5))


def test_nothing_is_opened_before_pixels_are_asked_for(tmp_path):
    files = ImageFiles(["missing.png"] * 3, root=tmp_path, size=8)
    assert len(files[1:]) == 2
    with pytest.raises(InputError, match=r"missing\.png.*no such file"):
        np.asarray(files)


def test_tables_of_two_folders_join(folder, tmp_path_factory):
    root, images = folder
    other = tmp_path_factory.mktemp("other")
    Image.fromarray(images[3]).save(other / "a.png")
    joined = ImageFiles.concatenate(
        [ImageFiles(["0.png"], root=root, size=12), ImageFiles(["a.png"], root=other, size=12)]
    )
    np.testing.assert_array_equal(np.asarray(joined), images[[0, 3]])
    with pytest.raises(InputError, match="in one way, in one size"):
        ImageFiles.concatenate([joined, ImageFiles(["a.png"], root=other, size=8)])
