"""The API for programs: an OpenAPI 3.1 document, made of the limits that are in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import vtmr
from vtmr.plugins.service.limits import Limits

Schema = dict[str, Any]

_ERRORS = {
    400: "bad_request: what came isn't what this describes; the message says where",
    401: "unauthorised: the API key is missing or isn't known",
    403: "forbidden: without keys, a page of another site or another host's name",
    404: "unknown_image: it isn't here, or isn't any more; upload it, then ask again",
    408: "too_slow: the body stopped coming",
    413: "too_large: the body or the image is beyond the limits",
    415: "wrong_type: a Content-Type that isn't taken here",
    422: "unreadable_image, or unusable: the prompts don't go with the image",
    503: "busy: try again after Retry-After seconds; nothing was done",
}
_ID = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
# OpenAPI 3.1 has JSON Schema's words for bytes; 3.0's `format: binary` and `byte` mean nothing.
_BYTES = {"type": "string", "contentMediaType": "application/octet-stream"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}
_SIZE = {
    "type": "array",
    "description": "[height, width]",
    "items": {"type": "integer", "minimum": 1},
    "minItems": 2,
    "maxItems": 2,
}


def document(limits: Limits) -> Schema:
    """The document that /openapi.json serves."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "vtmr",
            "version": vtmr.__version__,
            "description": "Images and prompts in, masks out. See docs/doors/http.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # Two entries, as either will do: what stands in one entry is needed together.
        "security": [{"key": []}, {"header": []}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(limits),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _paths() -> Schema:
    image_parameter = {"name": "image", "in": "path", "required": True, "schema": _ID}
    return {
        "/v1/images": {
            "post": {
                "summary": "Uploads an image",
                "requestBody": _upload_body(),
                "responses": _responses(
                    (400, 401, 403, 408, 413, 415, 422, 503),
                    {"201": _json("It is here, under this id", "Image")},
                ),
            }
        },
        "/v1/images/{image}": {
            "parameters": [image_parameter],
            "get": {
                "summary": "Whether an image is still here",
                "responses": _responses((400, 401, 403, 404), {"200": _json("It is", "Image")}),
            },
            "delete": {
                "summary": "Forgets an image",
                "responses": _responses(
                    (400, 401, 403, 404), {"204": {"description": "It is gone"}}
                ),
            },
        },
        "/v1/masks": {
            "post": {
                "summary": "Answers prompts with a mask",
                "requestBody": _prompts_body(),
                "responses": _responses(
                    (400, 401, 403, 404, 408, 413, 415, 422, 503),
                    {"200": _mask_response()},
                ),
            }
        },
        "/health": {
            "get": {
                "summary": "Whether the service answers",
                "security": [],
                "responses": _responses((403,), {"200": _json("It does", "Health")}),
            }
        },
        "/metrics": {
            "get": {
                "summary": "Figures in Prometheus' text format",
                "responses": _responses(
                    (401, 403),
                    {
                        "200": {
                            "description": "Of all processes together",
                            "content": {"text/plain": {"schema": {"type": "string"}}},
                        }
                    },
                ),
            }
        },
    }


def _schemas(limits: Limits) -> Schema:
    text, number = {"type": "string"}, {"type": "number"}
    count = {"type": "integer", "minimum": 0}
    box = {"type": "array", "items": number, "minItems": 4, "maxItems": 4}
    runs = _object({"size": _SIZE, "counts": text}, ("size", "counts"))
    click = _object({"x": number, "y": number, "positive": {"type": "boolean"}}, ("x", "y"))
    prompts = {
        "clicks": {"type": "array", "items": click, "maxItems": limits.clicks},
        "box": {**box, "description": "x0, y0, x1, y1 in pixels"},
        "mask": {
            "description": "A mask to correct: COCO run lengths, or a PNG",
            "anyOf": [_runs_in(), _object({"png": _BASE64}, ("png",))],
        },
        "correction": {
            "enum": ["here", "refit"],
            "description": "What clicks may change of a mask: the region they lie in, or all",
        },
        "format": {"enum": ["rle", "png"]},
    }
    return {
        "Prompts": _object(prompts, ()),
        "MaskRequest": {
            **_object({"image": _BASE64, "image_id": _ID, **prompts}, ()),
            "oneOf": [{"required": ["image"]}, {"required": ["image_id"]}],
        },
        "Image": _object(
            {"image_id": _ID, "height": count, "width": count}, ("image_id", "height", "width")
        ),
        "Mask": _object(
            {
                "image_id": _ID,
                "mask": {**runs, "description": "COCO's compressed run lengths"},
                "bbox": {**box, "description": "x, y, width, height"},
                "area": count,
                "model": text,
                "ms": {**number, "description": "Making it, without waiting"},
            },
            ("image_id", "mask", "bbox", "area", "model", "ms"),
        ),
        "Health": _object(
            {"status": {"const": "ok"}, "model": text, "version": text},
            ("status", "model", "version"),
        ),
        "Error": {
            "type": "object",
            "properties": {
                "error": _object({"code": text, "message": text}, ("code", "message")),
            },
            "required": ["error"],
        },
    }


def _runs_in() -> Schema:
    """Run lengths as they are taken: compressed, or numbers."""
    numbers = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    counts = {"anyOf": [{"type": "string"}, numbers]}
    return _object({"size": _SIZE, "counts": counts}, ("size", "counts"))


def _upload_body() -> Schema:
    form = _object({"image": _BYTES}, ("image",))
    return {
        "required": True,
        "content": {
            "application/json": {"schema": _object({"image": _BASE64}, ("image",))},
            "multipart/form-data": {"schema": form},
            "application/octet-stream": {"schema": _BYTES},
            "image/*": {"schema": _BYTES},
        },
    }


def _prompts_body() -> Schema:
    prompts = {"$ref": "#/components/schemas/Prompts"}
    form = _object({"image": _BYTES, "mask": _BYTES, "prompts": prompts}, ("image", "prompts"))
    return {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/MaskRequest"}},
            "multipart/form-data": {
                "schema": form,
                "encoding": {"prompts": {"contentType": "application/json"}},
            },
        },
    }


def _mask_response() -> Schema:
    answer = _json("The mask, in the form that was asked for", "Mask")
    answer["content"]["image/png"] = {"schema": _BYTES}
    return answer


def _object(properties: Mapping[str, Any], required: Sequence[str]) -> Schema:
    """An object that has these fields and no others."""
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    if required:
        schema["required"] = list(required)
    return schema


def _json(what: str, schema: str) -> Schema:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": what, "content": {"application/json": {"schema": reference}}}


def _responses(errors: Sequence[int], right: Mapping[str, Schema]) -> Schema:
    return {**right, **{str(status): _json(_ERRORS[status], "Error") for status in errors}}
