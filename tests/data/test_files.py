"""Images on the disk behave as the array that they would be."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from metaforge.data import files as data_files
from metaforge.data.files import ImageFiles, distinct
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


def two_folders(place, *names):
    """Tables of two folders, by paths relative to `place`, each of one image, whose grey is the folder's number."""
    for number, name in enumerate(names):
        (place / name).mkdir(parents=True)
        Image.new("RGB", (4, 4), (number,) * 3).save(place / name / "a.png")
    return [ImageFiles(["a.png"], root=name, size=4) for name in names]


def test_tables_of_two_relative_folders_join_and_say_the_same_wherever_they_lie(tmp_path, monkeypatch):
    joined = []
    for place in (tmp_path / "here", tmp_path / "elsewhere" / "far"):
        place.mkdir(parents=True)
        monkeypatch.chdir(place)
        joined.append(ImageFiles.concatenate(two_folders(place, "faces/one", "faces/two")))
    # Tables of several folders join, too, and with those of one.
    monkeypatch.chdir(tmp_path / "here")
    again = [ImageFiles(["a.png"], root="faces/one", size=4), joined[0][1:]]
    for files in (*joined, ImageFiles.concatenate(again)):
        assert files.paths.tolist() == ["one/a.png", "two/a.png"]  # what a run's fingerprint hashes
        assert np.asarray(files)[:, 0, 0, 0].tolist() == [0, 1]
    pixels, index = distinct(joined[0][[1, 0, 1]])
    assert pixels[index][:, 0, 0, 0].tolist() == [1, 0, 1]


def test_tables_of_one_folder_keep_their_names(folder):
    root, images = folder
    files = ImageFiles([f"{place}.png" for place in range(6)], root=root, size=12)
    joined = ImageFiles.concatenate([files[:2], files[4:]])
    assert joined.paths.tolist() == ["0.png", "1.png", "4.png", "5.png"]
    np.testing.assert_array_equal(np.asarray(joined), images[[0, 1, 4, 5]])


def test_two_folders_of_one_name_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="have one name"):
        ImageFiles.concatenate(two_folders(tmp_path, "one/faces", "two/faces"))


def test_the_first_bad_file_ends_the_reading(folder, monkeypatch):
    asked, read = [], ImageFiles._read
    monkeypatch.setattr(ImageFiles, "_read", lambda files, name: asked.append(name) or read(files, name))
    files = ImageFiles(["missing.png"] + ["0.png"] * 5000, root=folder[0], size=12)
    with pytest.raises(InputError, match=r"missing\.png"):
        np.asarray(files)
    assert len(asked) < 1000


def test_a_long_table_keeps_its_places_and_few_of_it_wait_to_be_read(folder, monkeypatch):
    root, images = folder
    submitted, started, waiting = [], [], []

    class Pool(ThreadPoolExecutor):
        def submit(self, *args):
            submitted.append(args)
            return super().submit(*args)

    def read(files, name):
        started.append(name)
        waiting.append(len(submitted) - len(started))
        return images[int(name[0])]

    monkeypatch.setattr(data_files, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(ImageFiles, "_read", read)
    rows = np.arange(5000) % 6
    files = ImageFiles([f"{row}.png" for row in rows], root=root, size=12)
    np.testing.assert_array_equal(np.asarray(files), images[rows])
    assert max(waiting) < 1000
