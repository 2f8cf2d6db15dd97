"""What mask files mean, found out in one place: beside photos, given to commands, in data sets."""

from vtmr.maskfiles.reading import (
    MaskFile,
    Reading,
    StoredValues,
    read_mask,
    read_mask_bytes,
    read_mask_file,
    read_stored,
)

__all__ = [
    "MaskFile",
    "Reading",
    "StoredValues",
    "read_mask",
    "read_mask_bytes",
    "read_mask_file",
    "read_stored",
]
