"""Answers: a value as JSON with its ETag, or 304 to who has it already."""

import hashlib
from http import HTTPStatus

from fastapi import Request, Response
from pydantic import BaseModel


def tagged(request: Request, answer: BaseModel, said: str | None = None) -> Response:
    """Return an answer with its ETag; `said` stands for what of it counts, where it also says when it was asked."""
    body = answer.model_dump_json(by_alias=True)  # as the OpenAPI page and the files of the format have it
    tag = f'"{hashlib.sha256((body if said is None else said).encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    given = {one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")}
    if request.method == "GET" and given & {tag, "*"}:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def told(answer: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return the answer to a write."""
    return Response(answer.model_dump_json(by_alias=True), status, {"Cache-Control": "no-store"}, "application/json")
