"""Arrays as files whose bytes are the same each time they are written, for the scripts that store some."""

from __future__ import annotations

import hashlib
import io
import zipfile

import numpy as np


def npy_bytes(array: np.ndarray) -> bytes:
    """`array` as the bytes of a .npy file, which holds no time of writing."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """`arrays` as the bytes of an .npz file: stored uncompressed, with one fixed date, as if on Unix.

    Compression would save a tenth, and make the bytes depend on the version of zlib.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            archive.writestr(member, npy_bytes(array))
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
