"""The two buckets Tieout keeps things in, made where they are missing: `python -m devstack.buckets` in a deployment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EVIDENCE_BUCKET = "tieout-evidence"
SOURCES_BUCKET = "tieout-sources"


def s3_client(url: str | None, access_key: str, secret_key: str) -> S3Client:
    """Return a boto3 client for an S3 server (None: AWS).

    Signature v4, bucket in the path: presigned URLs need both.
    """
    return boto3.session.Session().client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def furnish(client: S3Client, evidence: str = EVIDENCE_BUCKET, sources: str = SOURCES_BUCKET) -> None:
    """Create the buckets where they are missing: evidence with versions and object lock, which can't be added later."""
    present = {bucket.get("Name") for bucket in client.list_buckets()["Buckets"]}
    if evidence not in present:
        client.create_bucket(Bucket=evidence, ObjectLockEnabledForBucket=True)
    if sources not in present:
        client.create_bucket(Bucket=sources)


def main() -> None:
    """Make the buckets the TIEOUT_ settings name."""
    client = s3_client(
        os.environ.get("TIEOUT_S3_URL") or None,
        os.environ["TIEOUT_S3_ACCESS_KEY"],
        os.environ["TIEOUT_S3_SECRET_KEY"],
    )
    furnish(
        client,
        os.environ.get("TIEOUT_EVIDENCE_BUCKET", EVIDENCE_BUCKET),
        os.environ.get("TIEOUT_SOURCES_BUCKET", SOURCES_BUCKET),
    )
    client.close()


if __name__ == "__main__":
    main()
