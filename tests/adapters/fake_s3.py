"""An S3 of keys and bodies: the two calls that readers of sources make, and what may go wrong with them."""

import hashlib
import io
from typing import Any

from botocore.exceptions import ClientError
from urllib3.exceptions import ProtocolError


class FakeS3:
    """Keys and bodies; the two calls the reader makes, and what may go wrong with them."""

    def __init__(self, files: dict[str, bytes], fault: str = "") -> None:
        self.files = files
        self.fault = fault
        self.lists = 0

    def get_paginator(self, _name: str) -> "FakeS3":
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        self.lists += 1
        if self.fault == "changes its answer on re-read" and self.lists % 2 == 0:
            self.files = {key: body + b" " for key, body in self.files.items()}
        longer = 1 if self.fault == "lies about its count" else 0
        return [
            {
                "Contents": [
                    {"Key": key, "ETag": hashlib.md5(body).hexdigest(), "Size": len(body) + longer}
                    for key, body in self.files.items()
                    if key.startswith(Prefix)
                ]
            }
        ]

    def get_object(self, Bucket: str, Key: str, IfMatch: str) -> dict[str, Any]:
        body = self.files[Key]
        if self.fault == "was replaced after it was listed":
            body += b" "
        if hashlib.md5(body).hexdigest() != IfMatch:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "GetObject")
        if self.fault == "returns a short last block":
            body = body[:-7]
        return {"Body": Dying(body) if self.fault == "dies in mid-stream" else io.BytesIO(body)}


class Dying(io.BytesIO):
    """A body whose connection breaks after the first block."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise ProtocolError("connection broken: incomplete read")
        return super().read(9)


FILE_FAULTS = (
    "dies in mid-stream",
    "lies about its count",
    "returns a short last block",
    "was replaced after it was listed",
    "changes its answer on re-read",
)
