"""What changes a picture, as data: PNG in, PNG out, the same bytes each time.

All of them read and write RGB. What can be proved of a result is in `proofs`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from transforms.scenes.base import Box, decoded, encoded


class Change(BaseModel):
    """An operation with its parameters; equal through JSON and back (`OPERATION`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def apply(self, png: bytes) -> bytes:
        """Returns the changed picture."""
        return encoded(self.of(decoded(png)))

    def of(self, image: Image.Image) -> Image.Image:
        raise NotImplementedError


class Crop(Change):
    """Cuts out a box, at the same scale."""

    name: Literal["crop"] = "crop"
    box: Box

    def of(self, image: Image.Image) -> Image.Image:
        return image.crop(self.box)


class Zoom(Change):
    """Cuts out a box and enlarges it."""

    name: Literal["zoom"] = "zoom"
    box: Box
    factor: Annotated[int, Field(ge=2, le=8)]

    def of(self, image: Image.Image) -> Image.Image:
        cut = image.crop(self.box)
        size = (cut.width * self.factor, cut.height * self.factor)
        return cut.resize(size, Image.Resampling.LANCZOS)


class Transpose(Change):
    """Turns by quarters, clockwise: no pixel is lost."""

    name: Literal["transpose"] = "transpose"
    quarters: Annotated[int, Field(ge=1, le=3)]

    def of(self, image: Image.Image) -> Image.Image:
        ways = (Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90)
        return image.transpose(ways[self.quarters - 1])


class Mirror(Change):
    """Swaps left and right, or top and bottom."""

    name: Literal["mirror"] = "mirror"
    axis: Literal["horizontal", "vertical"] = "horizontal"

    def of(self, image: Image.Image) -> Image.Image:
        return ImageOps.mirror(image) if self.axis == "horizontal" else ImageOps.flip(image)


class Rotate(Change):
    """Turns by an angle, clockwise, on a sheet that grows; corners are white."""

    name: Literal["rotate"] = "rotate"
    degrees: float
    size: tuple[int, int] | None = None
    """Width and height to which the sheet is then cut, around its middle; None cuts nothing."""

    def of(self, image: Image.Image) -> Image.Image:
        turned = image.rotate(
            -self.degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=(255, 255, 255)
        )
        if self.size is None:
            return turned
        wide, high = self.size
        left, top = (turned.width - wide) // 2, (turned.height - high) // 2
        return turned.crop((left, top, left + wide, top + high))


class Levels(Change):
    """Maps levels 0..255 to low..high: 115..140 is low contrast, 0..40 dark, 215..255 overexposed.

    Levels that are mapped to the same one are lost.
    """

    name: Literal["levels"] = "levels"
    low: Annotated[int, Field(ge=0, le=255)]
    high: Annotated[int, Field(ge=0, le=255)]

    def of(self, image: Image.Image) -> Image.Image:
        step = (self.high - self.low) / 255
        return image.point([round(self.low + level * step) for level in range(256)] * 3)


class Stretch(Change):
    """Maps the levels that the picture has to 0..255: what undoes `Levels`, but for rounding."""

    name: Literal["stretch"] = "stretch"

    def of(self, image: Image.Image) -> Image.Image:
        return ImageOps.autocontrast(image, preserve_tone=True)


class Noise(Change):
    """Makes a share of the pixels black or white."""

    name: Literal["noise"] = "noise"
    share: Annotated[float, Field(gt=0, lt=1)]
    seed: int

    def of(self, image: Image.Image) -> Image.Image:
        pixels = np.array(image)
        drawn = np.random.Generator(np.random.PCG64(self.seed)).random(pixels.shape[:2])
        pixels[drawn < self.share / 2] = 0
        pixels[(self.share / 2 <= drawn) & (drawn < self.share)] = 255
        return Image.fromarray(pixels)


class Denoise(Change):
    """Takes the median of a square around each black or white pixel, as `Noise` makes them. All
    other pixels stay: the median of all made an 86 in print look like a 96."""

    name: Literal["denoise"] = "denoise"
    side: Literal[3, 5] = 3

    def of(self, image: Image.Image) -> Image.Image:
        pixels, median = (
            np.asarray(each) for each in (image, image.filter(ImageFilter.MedianFilter(self.side)))
        )
        is_noise = (pixels == 0).all(axis=2) | (pixels == 255).all(axis=2)
        return Image.fromarray(np.where(is_noise[..., None], median, pixels))


class Blur(Change):
    """Blurs by a Gaussian. Nothing here undoes it: sharpening made text less readable."""

    name: Literal["blur"] = "blur"
    radius: Annotated[float, Field(gt=0)]

    def of(self, image: Image.Image) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur(self.radius))


class Fit(Change):
    """Shrinks to a number of pixels, as a model sees a picture that has more than it takes."""

    name: Literal["fit"] = "fit"
    pixels: Annotated[int, Field(ge=28 * 28)]

    def of(self, image: Image.Image) -> Image.Image:
        share = (self.pixels / (image.width * image.height)) ** 0.5
        if share >= 1:
            return image
        size = (max(1, int(image.width * share)), max(1, int(image.height * share)))
        return image.resize(size, Image.Resampling.BICUBIC)


Operation = (
    Crop | Zoom | Transpose | Mirror | Rotate | Levels | Stretch | Noise | Denoise | Blur | Fit
)
OPERATION: TypeAdapter[Operation] = TypeAdapter(Annotated[Operation, Field(discriminator="name")])
"""Reads an operation from JSON or plain values."""


def undone(change: Operation) -> Operation | None:
    """Returns the operation that best undoes another; None where none does.

    >>> undone(Transpose(quarters=1))
    Transpose(name='transpose', quarters=3)
    """
    match change:
        case Transpose():
            return Transpose(quarters=4 - change.quarters)
        case Mirror():
            return change
        case Rotate():
            return Rotate(degrees=-change.degrees)
        case Levels():
            return Stretch()
        case Noise():
            return Denoise()
    return None
