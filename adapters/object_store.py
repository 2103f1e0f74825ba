"""Object store: content under retention in S3, first writer wins, local copies checked by checksum."""

import base64
import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from models.refusal import Refusal
from models.snapshot import Artifact

PARQUET = "application/vnd.apache.parquet"
THERE_ALREADY = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})
NOT_THERE = frozenset({"NoSuchKey", "404", "NotFound"})


class EvidenceChanged(Refusal):
    """Bytes in the object store are not the bytes that were sealed."""

    remedy = "Restore the object from its locked version; nothing was computed from the changed bytes."


class S3Store:
    """The `ObjectStore` port on S3."""

    def __init__(
        self,
        bucket: str,
        cache: Path,
        url: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        retention_days: int = 0,
    ) -> None:
        self.bucket = bucket
        self.cache = cache
        self.retention = timedelta(days=retention_days)
        self._s3 = s3_client(url, access_key, secret_key)

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
        """Keep bytes under a key once, under retention where one is set, and return their uri."""
        return self._put(key, body, hashlib.sha256(body).digest(), content_type)

    def put_table(self, key: str, body: bytes) -> str:
        """Keep the bytes of a Parquet file as `put` does, and in the cache; return their uri."""
        digest = hashlib.sha256(body)
        uri = self._put(key, body, digest.digest(), PARQUET)
        self._cached(digest.hexdigest(), lambda half: half.write_bytes(body))
        return uri

    def put_file(self, folder: str, path: Path, content_type: str) -> tuple[str, str]:
        """Keep a file under the name of its SHA-256; return its uri and that checksum. It stays in the cache too."""
        with path.open("rb") as body:
            digest = hashlib.file_digest(body, "sha256")
            body.seek(0)
            uri = self._put(f"{folder}/{digest.hexdigest()}{path.suffix}", body, digest.digest(), content_type)
        self._cached(digest.hexdigest(), lambda half: shutil.copyfile(path, half))
        return uri, digest.hexdigest()

    def _put(self, key: str, body: bytes | BinaryIO, sha256: bytes, content_type: str) -> str:
        more: dict[str, Any] = {}
        if self.retention:
            more = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": datetime.now(UTC) + self.retention}
        try:
            self._s3.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                ChecksumSHA256=base64.b64encode(sha256).decode(),
                IfNoneMatch="*",
                **more,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in THERE_ALREADY:
                raise
        return f"s3://{self.bucket}/{key}"

    def get(self, uri: str) -> bytes:
        """Return the bytes of a uri; raises FileNotFoundError."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            return bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_THERE:
                raise FileNotFoundError(uri) from error
            raise

    def path(self, artifact: Artifact) -> Path:
        """Return a local file with the artifact's bytes, named and checked by their checksum."""
        path = self._cache_path(artifact.sha256)
        if path.is_file():
            return path
        body = self.get(artifact.uri)
        if hashlib.sha256(body).hexdigest() != artifact.sha256:
            raise EvidenceChanged("the bytes are not the sealed ones", uri=artifact.uri)
        return self._cached(artifact.sha256, lambda half: half.write_bytes(body))

    def _cache_path(self, sha256: str) -> Path:
        return self.cache / f"{sha256}.parquet"

    def _cached(self, sha256: str, write: Callable[[Path], object]) -> Path:
        """Write a local copy beside its place and move it there whole: a reader sees all of it or none."""
        path = self._cache_path(sha256)
        if not path.is_file():
            self.cache.mkdir(parents=True, exist_ok=True)
            half = path.with_name(f"{path.name}.{uuid4()}.half")
            write(half)
            half.replace(path)
        return path

    def uris(self, prefix: str) -> tuple[str, ...]:
        """Return the uris of everything under a prefix, in order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = sorted(item["Key"] for page in pages for item in page.get("Contents", []))
        return tuple(f"s3://{self.bucket}/{key}" for key in keys)


def s3_client(url: str | None, access_key: str | None, secret_key: str | None) -> Any:
    """Return a boto3 S3 client with signature v4 and path addressing, which every S3 understands."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1" if url else None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"max_attempts": 2},
            connect_timeout=5,
            read_timeout=60,
        ),
    )
