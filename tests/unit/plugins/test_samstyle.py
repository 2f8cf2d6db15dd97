"""The same calls on segment-anything's own SamPredictor and on ours: shapes, dtypes, errors agree.

SAM is tiny and random. It imports torchvision for two functions, for which Pillow stands in here;
where segment-anything or torch isn't installed the written table alone holds ours.
"""

from __future__ import annotations

import importlib
import sys
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image

import vtmr
from vtmr.segmenter import segmenter_for

IMAGE = shapes_image()
POINTS, LABELS = np.array([[56, 54]]), np.array([1])
ANSWERS: dict[str, tuple[dict[str, Any], int, str]] = {  # arguments, masks, dtype of the masks
    "a point": ({"point_coords": POINTS, "point_labels": LABELS}, 3, "bool"),
    "one mask": (
        {"point_coords": POINTS, "point_labels": LABELS, "multimask_output": False},
        1,
        "bool",
    ),
    "logits": (
        {"point_coords": POINTS, "point_labels": LABELS, "return_logits": True},
        3,
        "float32",
    ),
    "a box": ({"box": np.array([20, 15, 92, 95]), "multimask_output": False}, 1, "bool"),
    "a box 1 x 4": ({"box": np.array([[20, 15, 92, 95]])}, 3, "bool"),
    "a mask": ({"mask_input": np.ones((1, 256, 256), np.float32)}, 3, "bool"),
    "nothing": ({}, 3, "bool"),
    "box and padding": (
        {
            "point_coords": np.array([[56, 54], [0, 0]]),
            "point_labels": np.array([1, -1]),
            "box": np.array([20, 15, 92, 95]),
        },
        3,
        "bool",
    ),
}
ERRORS: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "no labels": ({"point_coords": POINTS}, AssertionError),
    "a mask of another size": ({"mask_input": np.ones((1, 99, 99), np.float32)}, RuntimeError),
    "a mask without its axis": ({"mask_input": np.ones((256, 256), np.float32)}, IndexError),
    "a label too many": ({"point_coords": POINTS, "point_labels": np.array([1, 0])}, IndexError),
}


def ours() -> Any:
    return vtmr.VtmrPredictor(segmenter_for(ColourNetwork()))


def sam() -> Any:
    torch = pytest.importorskip("torch")
    if importlib.util.find_spec("segment_anything") is None:
        pytest.skip("segment-anything isn't installed")
    if importlib.util.find_spec("torchvision") is None:
        functional, boxes = ModuleType("functional"), ModuleType("boxes")
        from PIL import Image as pillow

        functional.resize = lambda picture, size: picture.resize(size[::-1])  # type: ignore[attr-defined]
        functional.to_pil_image = pillow.fromarray  # type: ignore[attr-defined]
        boxes.batched_nms = boxes.box_area = None  # type: ignore[attr-defined]
        for name in ("torchvision", "torchvision.transforms", "torchvision.ops"):
            sys.modules[name] = ModuleType(name)
        sys.modules["torchvision.transforms.functional"] = functional
        sys.modules["torchvision.ops.boxes"] = boxes
    try:
        package = importlib.import_module("segment_anything")
        modeling = importlib.import_module("segment_anything.modeling")
    finally:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            if not hasattr(sys.modules[name], "__file__"):
                del sys.modules[name]
    torch.manual_seed(0)
    encoder = modeling.ImageEncoderViT(
        img_size=1024, patch_size=16, embed_dim=16, depth=1, num_heads=2, out_chans=32,
        window_size=14, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
    )  # fmt: skip
    prompts = modeling.PromptEncoder(32, (64, 64), (1024, 1024), 16)
    transformer = modeling.TwoWayTransformer(1, 32, 2, 32)
    decoder = modeling.MaskDecoder(transformer_dim=32, transformer=transformer)
    return package.SamPredictor(modeling.Sam(encoder, prompts, decoder).eval())


@pytest.fixture(scope="module", params=[ours, sam], ids=["ours", "sam"])
def predictor(request: pytest.FixtureRequest) -> Any:
    made = request.param()
    with pytest.raises(RuntimeError, match="An image must be set"):
        made.predict(POINTS, LABELS)
    with pytest.raises(AssertionError, match="image_format must be in"):
        made.set_image(IMAGE, "GBR")
    made.set_image(IMAGE)
    return made


@pytest.mark.parametrize("case", ANSWERS)
def test_shapes_and_dtypes(predictor: Any, case: str) -> None:
    arguments, count, dtype = ANSWERS[case]
    masks, scores, low = predictor.predict(**arguments)
    assert (masks.shape, masks.dtype) == ((count, 120, 160), np.dtype(dtype))
    assert (scores.shape, scores.dtype) == ((count,), np.float32)
    assert (low.shape, low.dtype) == ((count, 256, 256), np.float32)
    again = predictor.predict(POINTS, LABELS, mask_input=low[:1], multimask_output=False)
    assert again[0].shape == (1, 120, 160)


@pytest.mark.parametrize("case", ERRORS)
def test_errors(predictor: Any, case: str) -> None:
    arguments, error = ERRORS[case]
    with pytest.raises(error):
        predictor.predict(**arguments)


def test_our_errors_are_vtmrs_too() -> None:
    for arguments, _ in ERRORS.values():
        predictor = ours()
        with pytest.raises(vtmr.InputError):
            predictor.predict(**arguments)
        predictor.set_image(IMAGE)
        with pytest.raises(vtmr.InputError):
            predictor.predict(**arguments)
        predictor.reset_image()
        assert not predictor.is_image_set


def session(**options: Any) -> vtmr.Session:
    return vtmr.Session(segmenter_for(ColourNetwork()), IMAGE, **options)


def test_masks_are_a_sessions_and_logits_fed_back_go_on() -> None:
    predictor = ours()
    predictor.set_image(IMAGE[..., ::-1], "BGR")
    points, labels = np.array([[56, 54], [124, 66], [5, 5]]), np.array([1, 1, 0])
    expected = session()
    fed = None
    for count in (1, 2, 3):
        x, y = points[count - 1]
        expected = expected.add(vtmr.Click(x + 0.5, y + 0.5, bool(labels[count - 1])))
        masks, _, fed = predictor.predict(
            points[:count], labels[:count], mask_input=fed, multimask_output=False
        )
        assert np.array_equal(masks[0], expected.mask)
    predictor.set_image(IMAGE)
    masks, _, _ = predictor.predict(points, labels)
    assert np.array_equal(masks[0], expected.mask)
    logits, _, low = predictor.predict(points, labels, return_logits=True)
    assert np.array_equal(logits > 0, masks)
    assert (low[:, 192:] < 0).all()  # below the image of 160 x 120


def test_three_masks_nest_and_scores_are_shares() -> None:
    predictor = ours()
    predictor.set_image(IMAGE)
    masks, scores, low = predictor.predict(POINTS, LABELS)
    assert masks[2].sum() <= masks[0].sum() <= masks[1].sum()
    assert ((scores > 0) & (scores <= 1)).all()
    assert not np.array_equal(low[0], low[1])


def test_an_initial_mask_is_corrected_and_logits_of_others_are_refitted() -> None:
    initial = np.zeros((120, 160), np.bool_)
    initial[40:90, 110:140] = True
    predictor = ours()
    predictor.set_image(IMAGE)
    masks, _, _ = predictor.predict(POINTS, LABELS, init_mask=initial)
    expected = session(initial_mask=initial).add(vtmr.Click(56.5, 54.5))
    assert np.array_equal(masks[0], expected.mask)
    foreign = np.full((1, 256, 256), -5, np.float32)
    foreign[0, 64:144, 176:224] = 5  # 1.6 cells a pixel: the same mask
    (alone, *_), _, _ = predictor.predict(mask_input=foreign)
    assert np.array_equal(alone, initial)


def test_a_variant_fed_back_goes_on_and_leaves_prompts_alone_as_they_were() -> None:
    predictor = ours()
    predictor.set_image(IMAGE)
    points, labels = np.array([[56, 54], [124, 66]]), np.array([1, 1])
    expected, _, low = predictor.predict(points, labels)
    same, _, again = predictor.predict(points, labels, mask_input=low[1:2])
    assert np.array_equal(same[0], expected[1])  # nothing new: that very answer
    assert np.array_equal(again[0], low[1])
    assert not np.array_equal(again[0], again[2])
    alone, _, _ = predictor.predict(points, labels)
    assert np.array_equal(alone, expected)
