"""Reading images: what is right is read, what is wrong is said."""

import gzip

import numpy as np
import pytest

from geojax.demo.data import DataError, digits, idx_folder

NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.astype(np.uint8).tobytes()


def pictures(count, side=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, side, side)), rng.integers(0, 10, count)


@pytest.fixture
def folder(tmp_path):
    for part, count in (("train", 6), ("test", 4)):
        for name, array in zip(NAMES[part], pictures(count), strict=True):
            (tmp_path / (name + ".gz")).write_bytes(gzip.compress(idx(array)))
    return tmp_path


@pytest.mark.parametrize("plain", [False, True])
def test_idx_files_are_read_as_they_were_written(folder, plain):
    if plain:
        for file in list(folder.iterdir()):
            file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
            file.unlink()
    data = idx_folder(folder)
    images, labels = pictures(6)
    assert data.name == folder.name
    np.testing.assert_allclose(data.train_images[..., 0] * 255, images, rtol=1e-6)
    np.testing.assert_array_equal(data.train_labels, labels)
    assert data.test_images.shape == (4, 8, 8, 1)
    assert data.train_images.dtype == np.float32
    assert data.train_labels.dtype == np.int32


def test_the_digits_are_divided_without_overlap():
    data = digits()
    assert len(data.train_images) + len(data.test_images) == 1797
    assert data.num_classes == 10
    assert data.train_images.min() == 0
    assert data.train_images.max() == 1
    seen = {image.tobytes() for image in data.train_images}
    assert sum(image.tobytes() in seen for image in data.test_images) == 0


def refused(folder, *words):
    with pytest.raises(DataError) as caught:
        idx_folder(folder)
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert "\n" not in message


def test_a_missing_folder_is_named(tmp_path):
    refused(tmp_path / "nowhere", str(tmp_path / "nowhere"), "does not exist", "train-images-idx3-ubyte")


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "is a file, not a folder")


def test_a_missing_file_is_named(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    refused(folder, "has no t10k-labels-idx1-ubyte")


@pytest.mark.parametrize("kept", [0, 5, 15, 40, 100])
def test_a_truncated_gzip_file_is_named(folder, kept):
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:kept])
    refused(folder, str(file), "cut short", "Fetch the file again")


@pytest.mark.parametrize("kept", [0, 3, 4, 10, 16, 50])
def test_a_truncated_plain_file_is_named(folder, kept):
    file = folder / "train-images-idx3-ubyte"
    file.write_bytes(idx(pictures(6)[0])[:kept])
    refused(folder, str(file), "cut short", "Fetch the file again")


def test_a_damaged_gzip_file_is_named(folder):
    file = folder / "train-images-idx3-ubyte.gz"
    content = bytearray(file.read_bytes())
    content[60:90] = bytes(30)
    file.write_bytes(content)
    refused(folder, str(file), "gzip", "Fetch")


def test_a_file_that_is_no_gzip_file_is_named(folder):
    file = folder / "train-labels-idx1-ubyte.gz"
    file.write_bytes(b"<html>not found</html>")
    refused(folder, str(file), "not a sound gzip file")


def test_a_wrong_magic_number_is_named(folder):
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes((folder / "train-labels-idx1-ubyte.gz").read_bytes())
    refused(folder, str(file), "00 00 08 01", "expected 00 00 08 03")


def test_counts_that_differ_are_named(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(pictures(5)[1])))
    refused(folder, "4 images", "5 labels")


def test_a_file_longer_than_its_header_says_is_named(folder):
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(pictures(4)[1]) + b"abc")
    refused(folder, "3 bytes more")


def test_sizes_that_differ_between_the_parts_are_named(folder):
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures(4, side=9)[0])))
    refused(folder, "8 x 8", "9 x 9")


def test_images_that_are_too_small_are_named(folder):
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures(6, side=4)[0])))
    refused(folder, "4 x 4", "at least 8 x 8")


def test_an_empty_data_set_is_named(folder):
    for name, array in zip(NAMES["train"], pictures(0), strict=True):
        (folder / (name + ".gz")).write_bytes(gzip.compress(idx(array)))
    refused(folder, "no images")
