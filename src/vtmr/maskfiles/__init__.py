"""What mask files mean, found out in one place: beside photos, given to commands, in data sets."""

from vtmr.maskfiles.reading import MaskFile, Reading, read_mask, read_mask_file

__all__ = ["MaskFile", "Reading", "read_mask", "read_mask_file"]
