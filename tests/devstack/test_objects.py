"""The object store through boto3: one writer wins, evidence cannot be deleted, and a kill loses nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.exceptions import ClientError
from mypy_boto3_s3 import S3Client

from devstack.buckets import s3_client
from devstack.up import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
def client(stack: Stack) -> Iterator[S3Client]:
    endpoints = stack.endpoints
    client = s3_client(endpoints.s3_url, endpoints.s3_access_key, endpoints.s3_secret_key)
    yield client
    client.close()


def refused(error: pytest.ExceptionInfo[ClientError]) -> int:
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_of_racing_conditional_puts_one_wins(stack: Stack, client: S3Client) -> None:
    def put(number: int) -> int:
        try:
            answer = client.put_object(
                Bucket=stack.endpoints.evidence_bucket, Key="race", Body=b"%d" % number, IfNoneMatch="*"
            )
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]
        return answer["ResponseMetadata"]["HTTPStatusCode"]

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(put, range(8)))
    assert answers[0] == 200
    assert set(answers[1:]) <= {409, 412}


def test_evidence_under_retention_cannot_be_deleted_or_shortened(stack: Stack, client: S3Client) -> None:
    bucket = stack.endpoints.evidence_bucket
    until = datetime.now(UTC) + timedelta(days=1)
    version = client.put_object(
        Bucket=bucket, Key="pack", Body=b"evidence", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
    )["VersionId"]
    with pytest.raises(ClientError) as deleting:
        client.delete_object(Bucket=bucket, Key="pack", VersionId=version, BypassGovernanceRetention=True)
    assert refused(deleting) == 403
    with pytest.raises(ClientError) as shortening:
        client.put_object_retention(
            Bucket=bucket,
            Key="pack",
            VersionId=version,
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(minutes=1)},
        )
    assert refused(shortening) == 403
    client.put_object(Bucket=bucket, Key="pack", Body=b"forged")
    assert client.get_object(Bucket=bucket, Key="pack", VersionId=version)["Body"].read() == b"evidence"


def test_the_evidence_bucket_has_versions_and_locks_and_both_buckets_are_there(stack: Stack, client: S3Client) -> None:
    assert client.get_bucket_versioning(Bucket=stack.endpoints.evidence_bucket)["Status"] == "Enabled"
    lock = client.get_object_lock_configuration(Bucket=stack.endpoints.evidence_bucket)["ObjectLockConfiguration"]
    assert lock["ObjectLockEnabled"] == "Enabled"
    names = {bucket.get("Name") for bucket in client.list_buckets()["Buckets"]}
    assert names == {stack.endpoints.evidence_bucket, stack.endpoints.sources_bucket}


def test_a_wrong_secret_and_an_expired_link_are_refused(stack: Stack, client: S3Client) -> None:
    endpoints = stack.endpoints
    stranger = s3_client(endpoints.s3_url, endpoints.s3_access_key, "not the secret")
    with pytest.raises(ClientError) as reading:
        stranger.list_buckets()
    stranger.close()
    assert refused(reading) == 403
    client.put_object(Bucket=endpoints.sources_bucket, Key="sheet.csv", Body=b"id\n")
    where = {"Bucket": endpoints.sources_bucket, "Key": "sheet.csv"}
    assert httpx.get(client.generate_presigned_url("get_object", where, ExpiresIn=60)).status_code == 200
    brief = client.generate_presigned_url("get_object", where, ExpiresIn=1)
    deadline = time.monotonic() + 10
    while (status := httpx.get(brief).status_code) == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status == 403


def test_a_kill_loses_no_object_and_keeps_the_address(stack: Stack, client: S3Client) -> None:
    client.put_object(Bucket=stack.endpoints.sources_bucket, Key="kept", Body=b"x" * 100_000)
    stack.objects.kill()
    stack.objects.start()
    assert stack.objects.url == stack.endpoints.s3_url
    assert client.get_object(Bucket=stack.endpoints.sources_bucket, Key="kept")["Body"].read() == b"x" * 100_000
