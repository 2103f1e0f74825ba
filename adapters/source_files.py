"""Source files: what usage is delivered in, in S3 or in a local folder, read as it was listed or not at all."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from adapters.reading import SourceChangedWhileRead

CHUNK = 1024 * 1024


@dataclass(frozen=True, order=True)
class SourceFile:
    """One file as it was listed: its key, what names its content, and its size in bytes."""

    key: str
    tag: str
    size: int


class SourceFiles(Protocol):
    """A place that files are delivered to."""

    def listed(self) -> tuple[SourceFile, ...]:
        """Return all files, in order of their keys."""
        ...

    def fetch(self, file: SourceFile, path: Path) -> None:
        """Write a file's bytes to a path; raises SourceChangedWhileRead unless they are the ones that were listed."""
        ...


class S3Files:
    """Objects under a prefix of a bucket."""

    def __init__(self, s3: Any, bucket: str, prefix: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix

    def listed(self) -> tuple[SourceFile, ...]:
        """Return all objects under the prefix."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        items = [item for page in pages for item in page.get("Contents", [])]
        return tuple(sorted(SourceFile(item["Key"], item["ETag"], item["Size"]) for item in items))

    def fetch(self, file: SourceFile, path: Path) -> None:
        """Write an object's bytes to a path; the store refuses one whose tag is no longer the listed one."""
        written = 0
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=file.key, IfMatch=file.tag)["Body"]
            with path.open("wb") as out:
                while part := body.read(CHUNK):
                    written += out.write(part)
        except (ClientError, BotoCoreError, HTTPError, OSError) as error:
            raise SourceChangedWhileRead(f"the file could not be read whole: {error}", file=file.key) from error
        _refuse_short(file, written)


class FolderFiles:
    """Files under a local folder; their keys are their paths inside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def listed(self) -> tuple[SourceFile, ...]:
        """Return all files under the folder, hidden ones and office programs' lock files left out."""
        return tuple(
            sorted(
                SourceFile(path.relative_to(self._folder).as_posix(), _digest(path), path.stat().st_size)
                for path in self._folder.rglob("*")
                if path.is_file() and not path.name.startswith((".", "~$"))
            )
        )

    def fetch(self, file: SourceFile, path: Path) -> None:
        """Write a file's bytes to a path; a file whose content is no longer the listed one is refused."""
        try:
            written = path.write_bytes((self._folder / file.key).read_bytes())
        except OSError as error:
            raise SourceChangedWhileRead(f"the file could not be read whole: {error}", file=file.key) from error
        _refuse_short(file, written)
        if _digest(path) != file.tag:
            raise SourceChangedWhileRead("the file is not the one that was listed", file=file.key)


@contextmanager
def unchanged(files: SourceFiles) -> Iterator[tuple[SourceFile, ...]]:
    """Give the list of files; when the reader is done, raise SourceChangedWhileRead where the place has others."""
    before = files.listed()
    yield before
    after = files.listed()
    if before != after:
        moved = sorted({file.key for file in set(before) ^ set(after)})
        raise SourceChangedWhileRead("files came, went or changed during the pass", file=moved[0], files=len(moved))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_short(file: SourceFile, written: int) -> None:
    if written != file.size:
        raise SourceChangedWhileRead("the file is not whole", file=file.key, listed=file.size, read=written)
