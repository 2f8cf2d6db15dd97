"""Run by another environment's Python: other programs' own readers on files that vtmr wrote.

    python format_readers.py READER FOLDER

prints {image's stem: [[label, numbers of the pixels that are on, row by row], …]} as JSON.
`write` lets Datumaro write its own formats from what it has read: then vtmr reads them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Found = dict[str, list[tuple[str, list[int]]]]


def datumaro(form: str) -> Callable[[Path], Found]:
    def read(folder: Path) -> Found:
        import datumaro as dm
        from datumaro.components.annotation import AnnotationType

        dataset = dm.Dataset.import_from(str(folder), form)
        labels = dataset.categories()[AnnotationType.label]
        found: Found = {}
        for item in dataset:
            masks = [one for one in item.annotations if one.type == AnnotationType.mask]
            masks.sort(key=lambda one: (one.z_order, one.group))
            found[Path(item.id).stem] = [
                (labels[one.label].name, np.flatnonzero(np.asarray(one.image)).tolist())
                for one in masks
            ]
        return found

    return read


def datumaro_writes(folder: Path) -> Found:
    """Each of its formats into a folder of that name beside the given one."""
    import datumaro as dm

    dataset = dm.Dataset.import_from(str(folder), "datumaro")
    for form in ("coco_instances", "cvat", "voc_segmentation", "datumaro", "yolo_ultralytics"):
        target = folder.parent / "written" / form
        kinds = {"task": "segmentation"} if form.startswith("yolo") else {}
        try:
            dataset.export(str(target), form, save_media=False, **kinds)
        except Exception as error:  # told: which formats it can write is its own affair
            print(form, repr(error)[:300], file=sys.stderr)
    return {}


def label_studio(folder: Path) -> Found:
    from label_studio_sdk.converter.brush import decode_rle

    found: Found = {}
    for task in json.loads((folder / "tasks.json").read_text()):
        masks = []
        for result in task["annotations"][0]["result"]:
            height, width = result["original_height"], result["original_width"]
            flat = decode_rle(result["value"]["rle"])
            alpha = np.reshape(flat, (height, width, 4))[..., 3]
            masks.append((result["value"]["brushlabels"][0], np.flatnonzero(alpha).tolist()))
        found[Path(task["data"]["image"].partition("=")[2]).stem] = masks
    return found


def labelme(folder: Path) -> Found:
    """Parts of one group are one object, as its own converter to COCO has it."""
    from labelme import utils
    from labelme._label_file import read_label_file

    found: Found = {}
    for path in sorted(folder.rglob("*.json")):
        data = read_label_file(str(path))
        height, width = utils.img_data_to_arr(data.image_data).shape[:2]
        groups: dict[Any, Any] = {}
        for number, shape in enumerate(data.shapes):
            mask = np.zeros((height, width), bool)
            if shape["shape_type"] == "mask":
                (x0, y0), (x1, y1) = np.array(shape["points"], int)
                mask[y0 : y1 + 1, x0 : x1 + 1] = shape["mask"]
            else:
                mask = utils.shape_to_mask((height, width), shape["points"], shape["shape_type"])
            key = (shape["label"], shape["group_id"] or ("alone", number))
            groups[key] = groups.get(key, np.zeros_like(mask)) | mask
        found[path.stem] = [(key[0], np.flatnonzero(one).tolist()) for key, one in groups.items()]
    return found


def supervision_yolo(folder: Path) -> Found:
    import supervision

    dataset = supervision.DetectionDataset.from_yolo(
        str(folder / "images"), str(folder / "labels"), str(folder / "data.yaml"), force_masks=True
    )
    return _of_supervision(dataset)


def supervision_coco(folder: Path) -> Found:
    import supervision

    dataset = supervision.DetectionDataset.from_coco(
        str(folder / "images"), str(folder / "annotations.json"), force_masks=True
    )
    return _of_supervision(dataset)


def _of_supervision(dataset: Any) -> Found:
    found: Found = {}
    for path, _, detections in dataset:
        if detections.mask is None:
            continue  # an image without objects
        masks = zip(detections.class_id, detections.mask, strict=True)
        found[Path(path).stem] = [
            (dataset.classes[label], np.flatnonzero(mask).tolist()) for label, mask in masks
        ]
    return found


def cvat_sdk(folder: Path) -> Found:
    """The SDK has no reader of XML: its encoder makes of each mask what the XML has."""
    from xml.etree import ElementTree

    from cvat_sdk.masks import encode_mask

    found: Found = {}
    for image in ElementTree.parse(folder / "annotations.xml").iter("image"):
        height, width = int(image.attrib["height"]), int(image.attrib["width"])
        masks = []
        for one in image.iter("mask"):
            left, top, across, down = (
                int(one.attrib[key]) for key in ("left", "top", "width", "height")
            )
            runs = [int(run) for run in one.attrib["rle"].split(",")]
            mask = np.zeros((height, width), bool)
            signs = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
            mask[top : top + down, left : left + across] = signs.reshape(down, across)
            assert encode_mask(mask) == [*runs, left, top, left + across - 1, top + down - 1]
            masks.append((one.attrib["label"], np.flatnonzero(mask).tolist()))
        found[Path(image.attrib["name"]).stem] = masks
    return found


READERS: Mapping[str, Callable[[Path], Found]] = {
    "datumaro": datumaro("datumaro"),
    "datumaro-cvat": datumaro("cvat"),
    "datumaro-voc": datumaro("voc_segmentation"),
    "datumaro-coco": datumaro("coco_instances"),
    "datumaro-writes": datumaro_writes,
    "label-studio": label_studio,
    "labelme": labelme,
    "supervision-yolo": supervision_yolo,
    "supervision-coco": supervision_coco,
    "cvat-sdk": cvat_sdk,
}

if __name__ == "__main__":
    print("FOUND" + json.dumps(READERS[sys.argv[1]](Path(sys.argv[2]))))
