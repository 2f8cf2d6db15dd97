"""What the colours of a mask file mean: an object for each, a background, and edges between them.

Also of palettes, whose indices mean objects unless their colours say otherwise, and of alpha.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.maskfiles.levels import (
    MAX_OBJECTS,
    Meaning,
    Values,
    ignored_value,
    is_soft,
    levels_meaning,
    looks_like_photo,
    strips_with_margin,
    used_values,
)
from vtmr.masks import Mask

Colours = NDArray[np.uint8]  # N x 3

BLACK, WHITE = 0, 0xFFFFFF
VOC_VOID = 0xE0E0C0  # 224, 224, 192: the border in VOC's coloured masks
_NEAR = 48  # of 255: a step in a channel that compression or resizing makes
_MOST_ODD = 0.2  # share of pixels that fit nothing: beyond it, it is a photo
_MANY_SHADES = 8  # fewer may be objects of a few pixels each
_LEAST_NOISE, _NOISE_SHARE, _RARE, _CLOSE_SHARE = 32, 0.25, 20, 0.8
_MOST_GREYS, _MOST_COLOURS = 32, 256  # of a mask that also has transparency: beyond, it's a photo


def palette_meaning(indices: Values, palette: Colours, labelled: bool) -> Meaning:
    """The meaning of a palette image. indices: uint8 H x W; palette: N x 4, RGBA; labelled: the
    file says what its indices are called, as those exported here do.

    Index 0 is background, unless its colour isn't black and that of one other index is, or where
    others are transparent: then these are.
    """
    used = used_values(indices)
    if (indices == 0).any():
        used.insert(0, 0)
    colours = np.zeros((256, 4), np.uint8)
    colours[:, 3] = 255
    colours[: len(palette)] = palette[:256]
    if not labelled:
        edges = _soft_greys(indices, used, colours) or _shaded(indices, used, colours)
        if edges is not None:
            return edges
    background, notes = _background_index(used, colours, len(palette))
    if background:
        # Index 0 is always background afterwards: what was index 0 trades places with the first.
        table = np.arange(256).astype(indices.dtype)
        table[0], table[background[0]] = background[0], 0
        table[background[1:]] = 0
        indices = table[indices]
    objects = used_values(indices)
    ignored, void = None, None
    if not labelled and len(objects) >= 2:
        void = ignored_value(indices, objects)
    if void is not None:
        ignored = indices == void
        indices = np.where(ignored, 0, indices)
        objects.remove(void)
        notes += (f"Its index {void} is taken as pixels to ignore.",)
    return Meaning(indices, tuple(objects), ignored, notes)


def colour_meaning(index: Values, colours: Colours, hidden: Mask | None = None) -> Meaning:
    """The meaning of a colour image: index: uint16 H x W, which of the colours; hidden: pixels that
    are background whatever their colour.

    Shades of grey are read as a grey image. Black is background, else white; where there is neither
    every colour is an object. Raises InputError for a photo.
    """
    if _are_greys(colours):
        greys: Values = colours[:, 1][index]
        if hidden is not None:
            greys[hidden] = 0
        return levels_meaning(greys)
    index, shades = _without_mixed(index, colours, hidden)
    codes = {i: _code(colours[i]) for i in _present(index, hidden).tolist()}
    background = _background(codes, hidden is not None)
    void = None
    if len(codes) > 2:  # with one other colour it would be the background, or the object
        void = _with_code(codes, VOC_VOID)
    objects = [i for i in codes if i not in (background, void)]
    if len(objects) > MAX_OBJECTS:
        raise InputError(_photo(len(objects)))
    table = np.zeros(len(colours), np.uint16)
    table[objects] = np.arange(1, len(objects) + 1)
    values = table[index]
    if hidden is not None:
        values[hidden] = 0
    ignored, said = None, None
    if void is not None:
        ignored = index == void
    if background is not None:
        said = codes[background]
    notes = _colour_notes(len(objects), said, shades, void is not None)
    return Meaning(values, tuple(range(1, len(objects) + 1)), ignored, notes)


def _are_greys(colours: Colours) -> bool:
    """Whether the channels are equal, or in a bright image nearly so: grey that went through lossy
    compression."""
    spread = colours.max(axis=1).astype(int) - colours.min(axis=1)
    return not spread.any() or bool(spread.max() <= 8 and colours.min(axis=1).max() >= 200)


def alpha_meaning(alpha: Values, index: Values, colours: Colours) -> Meaning:
    """The meaning of a file with transparency. alpha: uint8 H x W.

    Where all that is seen has one colour, or as many as a photo, the alpha is the mask; else what
    is transparent is background and the colours count.
    """
    levels = used_values(alpha)
    if len(levels) <= 1 and (not levels or not (alpha == 0).any()):
        meaning = colour_meaning(index, colours)
        if not levels:
            note = "It is transparent everywhere: its colours are taken as the mask."
            return Meaning(meaning.values, meaning.objects, meaning.ignored, (note, *meaning.notes))
        return meaning
    shape = levels_meaning(alpha)
    visible = shape.values != 0
    by_alpha = Meaning(
        visible.view(np.uint8), (1,), None, ("Its transparency is taken as the mask.",)
    )
    seen = _present(index, alpha != levels[-1])
    most = _MOST_COLOURS
    if (colours[seen] == colours[seen][:, :1]).all():
        most = _MOST_GREYS
    if not 1 < len(seen) <= most:
        return by_alpha
    try:
        meaning = colour_meaning(index, colours, ~visible)
    except InputError:
        return by_alpha
    note = "What is transparent in it is taken as background."
    return Meaning(meaning.values, meaning.objects, meaning.ignored, (note, *meaning.notes))


def _background(codes: dict[int, int], transparent: bool) -> int | None:
    """The colour that is background: black, else white; with transparency, which is background too,
    black alone, and that only beside others."""
    black = _with_code(codes, BLACK)
    if transparent and len(codes) <= 1:
        return None
    if transparent or black is not None:
        return black
    return _with_code(codes, WHITE)


def _with_code(codes: dict[int, int], wanted: int) -> int | None:
    """The first colour of that code; None where there is none."""
    for i, code in codes.items():
        if code == wanted:
            return i
    return None


def _background_index(
    used: list[int], colours: Colours, defined: int
) -> tuple[list[int], tuple[str, ...]]:
    """The indices that are background in place of 0; empty where 0 is."""
    clear = [i for i in used if colours[i, 3] == 0]
    if clear and 0 not in clear:
        return clear, ("Its transparent indices are taken as background.",)
    if clear or _code(colours[0]) == BLACK:
        return [], ()
    black = [i for i in used if i < defined and _code(colours[i]) == BLACK]
    if len(black) == 1:
        note = f"Its black, index {black[0]}, is taken as background, and index 0 as an object."
        return black, (note,)
    return [], ("Its index 0, which isn't black, is taken as background.",)


def _soft_greys(indices: Values, used: list[int], colours: Colours) -> Meaning | None:
    """The meaning of a palette of greys in which a soft mask was saved."""
    greys = colours[used, :3]
    opaque = (colours[used, 3] == 255).all()
    if len(used) < 3 or not opaque or (greys != greys[:, :1]).any():
        return None
    levels = set(greys[:, 0].tolist())
    if not {0, 255} <= levels or len(levels) < len(used):
        return None
    values = colours[:, 0][indices]
    if not is_soft(values, used_values(values)):
        return None
    return levels_meaning(values)


def _shaded(indices: Values, used: list[int], colours: Colours) -> Meaning | None:
    """The meaning of a palette in which colours with soft edges were saved: many of its colours are
    nowhere an area."""
    distinct = {_code(colours[i]) for i in used}
    if len(distinct) < len(used) or len(used) <= _MANY_SHADES:
        return None
    index = indices.astype(np.uint16)
    _, shades = _without_mixed(index, colours[:, :3], None)
    if shades < _MANY_SHADES:
        return None
    return colour_meaning(index, colours[:, :3])


def _without_mixed(index: Values, colours: Colours, hidden: Mask | None) -> tuple[Values, int]:
    """The index with every colour that only edges have replaced by the nearest that fills an area,
    and how many such colours there were.

    A colour that lies nowhere between those around it is one of its own, however small its spots.
    Raises InputError where too many pixels fit nothing.
    """
    present = _present(index, hidden)
    if hidden is None and looks_like_photo(index, len(present)):
        raise InputError(_photo(len(present)))
    flat = _flat(index, len(colours), hidden)
    made_of = _compressed(index, colours, present, flat)
    if made_of is not None:
        return made_of[index], len(present) - len(set(made_of[present].tolist()))
    areas = [i for i in present if flat[i]]
    rest = [i for i in present if not flat[i]]
    if not rest:
        return index, 0
    if not areas:
        if len(rest) > MAX_OBJECTS:
            raise InputError(_photo(len(rest)))
        return index, 0
    pixels, between = _betweenness(index, colours, flat)
    table = np.arange(len(colours), dtype=np.uint16)
    mixed, odd = 0, 0
    for i in rest:
        distances = np.abs(colours[areas].astype(int) - colours[i]).max(axis=1)
        nearest = int(np.argmin(distances))
        if between[i] * 10 >= pixels[i] * 9 or distances[nearest] <= _NEAR:
            table[i] = areas[nearest]
            mixed += 1
        else:
            odd += int(pixels[i])
    total = int(pixels[present].sum())
    if odd > _MOST_ODD * total and len(rest) - mixed > 256:
        raise InputError(_photo(len(present)))
    return table[index], mixed


def _compressed(
    index: Values, colours: Colours, present: NDArray[np.intp], flat: NDArray[np.bool_]
) -> NDArray[np.uint16] | None:
    """Of every colour the one that lossy compression made it of; None where the image shows no
    sign of that: many rare colours close to frequent ones, and a few that nearly all are close to.
    """
    if len(present) < _LEAST_NOISE:
        return None
    counts = np.zeros(len(colours), np.int64)
    for strip, inner in strips_with_margin(index, 0):
        counts += np.bincount(strip[inner].reshape(-1), minlength=len(colours))
    total, rare = int(counts[present].sum()), 0
    centres: list[int] = []
    for i in present[np.argsort(-counts[present], kind="stable")]:
        away = np.abs(colours[centres].astype(int) - colours[i]).max(axis=1)
        if away.size and away.min() <= _NEAR:
            rare += int(counts[i] * _RARE <= counts[centres[int(np.argmin(away))]])
        elif flat[i] and counts[i] * 1000 >= total and len(centres) < _MOST_COLOURS:
            centres.append(int(i))
    if not centres or rare < max(_LEAST_NOISE, _NOISE_SHARE * len(present)):
        return None
    table = np.arange(len(colours), dtype=np.uint16)
    close = 0
    for i in present:
        away = np.abs(colours[centres].astype(int) - colours[i]).max(axis=1)
        table[i] = centres[int(np.argmin(away))]
        if away.min() <= _NEAR // 2:
            close += int(counts[i])
    if close < _CLOSE_SHARE * total:
        return None
    return table


def _flat(index: Values, count: int, hidden: Mask | None) -> NDArray[np.bool_]:
    """Which colours have a pixel whose eight neighbours have the same: they fill an area."""
    found = np.zeros(count, np.bool_)
    box = np.ones((3, 3), np.uint8)
    for strip, inner in strips_with_margin(index):
        same = cv2.erode(strip, box) == cv2.dilate(strip, box)
        found[strip[inner][same[inner]]] = True
    return found


def _betweenness(
    index: Values, colours: Colours, flat: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each colour: its pixels, and how many of them lie in every channel between colours that
    fill areas nearby."""
    pixels = np.zeros(len(colours), np.int64)
    between = np.zeros(len(colours), np.int64)
    box = np.ones((5, 5), np.uint8)
    for strip, inner in strips_with_margin(index, 2):
        sure = flat[strip]
        inside = np.ones(strip.shape, np.bool_)
        for channel in range(3):
            values = colours[:, channel][strip]
            # What fills no area says nothing of its neighbours: 255 is no one's minimum, 0 no
            # one's maximum.
            low = cv2.erode(np.where(sure, values, 255).astype(np.uint8), box)
            high = cv2.dilate(np.where(sure, values, 0).astype(np.uint8), box)
            inside &= (low <= values) & (values <= high)
        own = strip[inner]
        pixels += np.bincount(own.reshape(-1), minlength=len(colours))
        between += np.bincount(own[inside[inner]], minlength=len(colours))
    return pixels, between


def _present(index: Values, hidden: Mask | None) -> NDArray[np.intp]:
    """The colours that occur where nothing is hidden."""
    found = np.zeros(1 << 16, np.bool_)
    rows = max(1, 4_000_000 // max(index.shape[1], 1))
    for top in range(0, len(index), rows):
        part = index[top : top + rows]
        if hidden is not None:
            part = part[~hidden[top : top + rows]]
        found[part.reshape(-1)] = True
    return np.flatnonzero(found)


def _colour_notes(objects: int, background: int | None, shades: int, void: bool) -> tuple[str, ...]:
    notes = []
    if objects > 1:
        notes.append(f"Its {objects} colours are taken as one object each.")
    if background == WHITE:
        notes.append("Its white is taken as background.")
    if background is None and objects > 1:
        notes.append("It has neither black nor white: no colour is taken as background.")
    if shades:
        notes.append(f"{shades} shades at its edges are taken as the nearest colour.")
    if void:
        notes.append("Its colour 224, 224, 192 is taken as pixels to ignore, as VOC has it.")
    return tuple(notes)


def _code(colour: NDArray[np.uint8]) -> int:
    red, green, blue = map(int, colour[:3])  # shifted, NumPy's bytes would overflow
    return red << 16 | green << 8 | blue


def _photo(count: int) -> str:
    return f"It holds {count:,} colours, as a photo does: expected a mask, with a colour an object."
