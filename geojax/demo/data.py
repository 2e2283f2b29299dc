"""The images of the demonstration: the digits of scikit-learn, or a folder of idx files such as Fashion-MNIST."""

import dataclasses
import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from geojax.demo.errors import DemoError

IMAGES, LABELS = 3, 1
"""Number of axes of an idx file of images and of labels."""

MENDING = (
    "Give the folder of Fashion-MNIST or of a data set in the same form: train-images-idx3-ubyte, "
    "train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or as .gz. "
    "Without --data the digits of scikit-learn are used."
)
SMALLEST = 8


class DataError(DemoError):
    """The data cannot be read."""


@dataclasses.dataclass(frozen=True)
class Data:
    """Grey images with their classes, divided for training and testing.

    Attributes:
        name: Name of the data set in tables and results.
        train_images: [n, height, width, 1], float32 from 0 to 1.
        train_labels: [n], int32 from 0.
        test_images: As train_images.
        test_labels: As train_labels.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @property
    def num_classes(self) -> int:
        """Number of classes, one more than the largest label."""
        return int(max(self.train_labels.max(), self.test_labels.max())) + 1

    def head(self, train: int, test: int) -> "Data":
        """The first images of each part."""
        return Data(
            self.name,
            self.train_images[:train],
            self.train_labels[:train],
            self.test_images[:test],
            self.test_labels[:test],
        )


def digits() -> Data:
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn; 400 are kept for testing."""
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(classes))
    images = (np.asarray(pixels)[order].reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    labels = np.asarray(classes)[order].astype(np.int32)
    return Data("digits", images[400:], labels[400:], images[:400], labels[:400])


def idx_folder(folder: Path) -> Data:
    """Reads a data set from a folder with four idx files, plain or compressed with gzip.

    Raises:
        DataError: If the folder or a file is missing, a file is truncated, has another format or contradicts its
            header, or images and labels differ in number.
    """
    if not folder.exists():
        raise DataError(f"--data: {folder} does not exist. {MENDING}")
    if not folder.is_dir():
        raise DataError(f"--data: {folder} is a file, not a folder. {MENDING}")
    train_images, train_labels = _pair(folder, "train")
    test_images, test_labels = _pair(folder, "t10k")
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{folder}: training images are {_size(train_images)}, test images {_size(test_images)}; "
            "expected one size. Take all four files from one data set."
        )
    return Data(folder.resolve().name, train_images, train_labels, test_images, test_labels)


def _pair(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    image_file, label_file = _find(folder, part, "images", IMAGES), _find(folder, part, "labels", LABELS)
    images, labels = _read(image_file, IMAGES), _read(label_file, LABELS)
    if len(images) != len(labels):
        raise DataError(
            f"{image_file} holds {len(images)} images but {label_file} holds {len(labels)} labels; expected one label "
            "for each image. Take both files from one data set."
        )
    if len(images) == 0:
        raise DataError(f"{image_file} holds no images. Fetch the file again.")
    if min(images.shape[1:]) < SMALLEST:
        raise DataError(
            f"{image_file}: images are {_size(images)}; expected at least {SMALLEST} x {SMALLEST} pixels."
        )
    return (images[..., None] / np.float32(255)).astype(np.float32), labels.astype(np.int32)


def _find(folder: Path, part: str, what: str, rank: int) -> Path:
    names = [f"{part}-{what}{mark}idx{rank}-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"--data: {folder} has no {names[0]} (nor {names[1]}). {MENDING}")


def _read(file: Path, rank: int) -> np.ndarray:
    content = _bytes(file)
    magic = b"\x00\x00\x08" + bytes([rank])
    start = 4 + 4 * rank
    if content[:4] != magic[: len(content)]:
        raise DataError(
            f"{file} begins with the bytes {content[:4].hex(' ')}; expected {magic.hex(' ')}, an idx file of unsigned "
            f"bytes with {rank} {'axis' if rank == 1 else 'axes'}. Is it the right file under this name?"
        )
    shape = tuple(int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank))
    if len(content) < start or len(content) - start < math.prod(shape):
        raise DataError(
            f"{file} is cut short: it has {max(0, len(content) - start):,} bytes of data, "
            f"expected {math.prod(shape):,}. Fetch the file again."
        )
    if len(content) - start > math.prod(shape):
        raise DataError(
            f"{file} has {len(content) - start - math.prod(shape):,} bytes more than its header says. "
            "Fetch the file again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _bytes(file: Path) -> bytes:
    try:
        if file.suffix != ".gz":
            return file.read_bytes()
        with gzip.open(file) as stream:
            return stream.read()
    except EOFError as error:
        raise DataError(
            f"{file} is cut short: the compressed stream ends early. Fetch the file again."
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{file} is not a sound gzip file ({error}). Fetch it again, or unpack it and drop .gz."
        ) from error
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror or error}. Look at its permissions."
        ) from error


def _size(images: np.ndarray) -> str:
    return " x ".join(str(n) for n in images.shape[1:3])
