"""The bytes of a run's pictures, each once, by their hash: on disk or in an object store."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache

from transforms.engine.errors import RunFolderError
from transforms.engine.files import FileSystems, new_file
from transforms.engine.records import Picture

FORMATS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
"""Format -> ending of file names."""
MIMES = {ending: mime for mime, ending in FORMATS.items()}


@dataclass(frozen=True)
class Blobs:
    """A folder of pictures, on any Beam filesystem. Stages hand on a `Picture`, not its bytes."""

    folder: str

    def put(self, data: bytes) -> Picture:
        """Stores a picture that cotmill drew or took in (`intake.take_in`), unless it is there.

        Raises:
            OSError: the bytes are no PNG, JPEG or WebP (PIL.UnidentifiedImageError), or the folder
                cannot be written.
        """
        picture = picture_of(data)
        self._write(file_name(picture), data)
        return picture

    def keep(self, data: bytes) -> str:
        """Stores any bytes, such as a file of a cell's, which nobody has looked at; returns the
        name for `named`: their hash."""
        name = hashlib.sha256(data).hexdigest()
        self._write(name, data)
        return name

    def _write(self, name: str, data: bytes) -> None:
        path = FileSystems.join(self.folder, name[:2], name)
        if not FileSystems.exists(path):
            with new_file(path) as new:
                new.file.write(data)

    def get(self, picture: Picture) -> bytes:
        """Returns a picture's bytes.

        Raises:
            RunFolderError: they are not there, or are others.
        """
        return self.named(file_name(picture))

    def named(self, name: str) -> bytes:
        """Returns the bytes of the file of this name; raises as `get` does."""
        return _read(FileSystems.join(self.folder, name[:2], name), name.partition(".")[0])

    def path(self, picture: Picture) -> str:
        """Where a picture is."""
        return FileSystems.join(self.folder, picture.sha256[:2], file_name(picture))


def picture_of(data: bytes) -> Picture:
    """Returns what is said of a picture's bytes; no pixel is decoded.

    Raises: PIL.UnidentifiedImageError where they are no PNG, JPEG or WebP.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
        mime = Image.MIME[str(image.format)]
        return Picture(hashlib.sha256(data).hexdigest(), mime, *image.size, len(data))


def file_name(picture: Picture) -> str:
    """The name of a picture's file: it tells nothing but the content's hash and format."""
    return f"{picture.sha256}.{FORMATS[picture.mime]}"


@lru_cache(16)
def _read(path: str, sha256: str) -> bytes:
    try:
        with FileSystems.open(path, compression_type="uncompressed") as file:
            data = bytes(file.read())
    except OSError as error:
        raise RunFolderError(
            f"the blob {path} cannot be read ({error}): bring the run's folder blobs back, or "
            "start anew with overwrite=true and another ledger.dir"
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise RunFolderError(f"the blob {path} is damaged: delete it, and resume=true")
    return data
