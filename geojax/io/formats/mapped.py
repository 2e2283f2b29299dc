"""One safetensors file, mapped into memory."""

import mmap
import os
import weakref

import numpy as np

from geojax.io.formats.errors import CheckpointError
from geojax.io.formats.header import read_header


class MappedFile:
    """An open file: its descriptor, its header, and a memory map that is made when the first tensor is viewed."""

    def __init__(self, path: str):
        self.path = path
        self.map: mmap.mmap | None = None
        self.descriptor = os.open(path, os.O_RDONLY)
        self._end = weakref.finalize(self, os.close, self.descriptor)
        try:
            header = read_header(path, self.descriptor)
        except BaseException:
            self.close()
            raise
        self.extents = header.extents
        self.metadata = header.metadata

    def view(self, name: str) -> np.ndarray:
        """A tensor as a read-only view of the file's bytes."""
        extent = self.extents[name]
        if extent.start == extent.stop:
            array = np.empty(extent.shape, extent.dtype)
            array.flags.writeable = False
            return array
        array = np.ndarray(extent.shape, extent.dtype, self._mapped(), extent.start)
        self._check_booleans(name, array)
        return array

    def read_into(self, name: str, first: int, out: np.ndarray) -> None:
        """Copies the bytes of the file that begin at ``first`` into a contiguous array."""
        self._check_open()
        if out.nbytes == 0:
            return
        place = memoryview(out.view(np.uint8).data)
        done = 0
        while done < len(place):
            count = os.preadv(self.descriptor, [place[done:]], first + done)
            if count == 0:
                reason = f"the file became shorter while it was open, and ends at byte {first + done}"
                raise CheckpointError(self.path, reason, tensor=name, extent=(first, first + len(place)))
            done += count
        self._check_booleans(name, out)

    def release(self, name: str) -> None:
        """Allows the system to drop the pages that hold only this tensor."""
        extent = self.extents[name]
        start = -(-extent.start // mmap.PAGESIZE) * mmap.PAGESIZE
        if self.map is not None and extent.stop > start:
            self.map.madvise(mmap.MADV_DONTNEED, start, extent.stop - start)

    def close(self) -> None:
        """Closes the file; its memory map is kept as long as there are views."""
        self.map = None
        self._end()
        self.descriptor = -1

    def _mapped(self) -> mmap.mmap:
        self._check_open()
        if self.map is None:
            self.map = mmap.mmap(self.descriptor, 0, access=mmap.ACCESS_READ)
        return self.map

    def _check_booleans(self, name: str, array: np.ndarray) -> None:
        if array.dtype == np.bool_ and np.any(array.view(np.uint8) > 1):
            extent = self.extents[name]
            reason = "a byte of this boolean tensor is neither 0 nor 1"
            raise CheckpointError(self.path, reason, tensor=name, extent=(extent.start, extent.stop))

    def _check_open(self) -> None:
        if self.descriptor < 0:
            raise ValueError(f"{self.path}: the checkpoint is closed. Use it inside its with statement.")
