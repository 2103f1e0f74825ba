"""After a demo no key, token, password or phone number stands in a log, a history, an attribute or a kept page."""

import asyncio
import base64
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devstack.up import Stack
from migrations.roles import ROLES, role_url
from runtime import settings, temporal
from tests.demo.test_demo import demo

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("demo")]

SHORTEST = 16
"""Characters from which a remembered word is a secret: ports, ids and names are shorter."""
NAMES = {"access_key"}
"""Long words that are no secret: the name of the account at the S3 server, which logs it."""
PHONE = re.compile(r"(?<![\w.:/+-])\+[1-9]\d{7,14}(?!\d)")
"""A number as E.164 writes it; an instant's offset has fewer digits."""


@dataclass
class Left:
    """What a demo left: its secrets by name, and texts by where they stand."""

    secrets: dict[str, str]
    texts: dict[str, str]


@pytest.fixture(scope="module")
def left() -> Iterator[Left]:
    folder = Path(tempfile.mkdtemp(prefix="tieout-secrets-"))
    folder.chmod(0o755)
    before = dict(os.environ)
    state = folder / "state"
    try:
        code, said = demo(state)
        assert code == 0, said
        texts = {"printed": said}
        texts |= {f"logs/{one.name}": one.read_text(errors="replace") for one in (state / "logs").iterdir()}
        texts |= {f"pages/{one.name}": one.read_text() for one in (state / "out").rglob("*.html")}
        with Stack(state, {}) as stack:
            os.environ.update(stack.endpoints.as_environment())
            texts |= asyncio.run(histories())
            yield Left(secrets_of(state, str(stack.endpoints.database_url)), texts)
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder)


def secrets_of(state: Path, owner_url: str) -> dict[str, str]:
    """Return every secret of a state folder: what services remember, people's tokens, the roles' passwords."""
    found = {f"token of {who}": token for who, token in json.loads((state / "people.json").read_text()).items()}
    for file in (state / "remembered").iterdir():
        for name, word in json.loads(file.read_text()).items():
            if isinstance(word, str) and len(word) >= SHORTEST and name not in NAMES:
                found[f"{file.stem} {name}"] = word
    return found | {f"password of {role}": str(role_url(owner_url, role).password) for role in ROLES}


async def histories() -> dict[str, str]:
    """Return each workflow's history with its payloads opened, and its memo and search attributes."""
    client = await temporal.connect(settings.load(), "test")
    found = {}
    async for one in client.list_workflows():
        history = await client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history()
        found[f"history of {one.id} {one.run_id}"] = "\n".join(opened(history.to_json_dict()))
        found[f"attributes of {one.id} {one.run_id}"] = f"{one.typed_search_attributes} {await one.memo()}"
    return found


def opened(event: Any) -> Iterator[str]:
    """Yield every text of a history; what is base64 of text is yielded opened."""
    if isinstance(event, dict):
        for name, value in event.items():
            if name == "data" and isinstance(value, str):
                yield base64.b64decode(value).decode(errors="replace")
            else:
                yield from opened(value)
    elif isinstance(event, list):
        for value in event:
            yield from opened(value)
    else:
        yield str(event)


def test_the_texts_are_those_of_a_whole_demo(left: Left) -> None:
    assert len([one for one in left.texts if one.startswith("history of close/2026-10/")]) >= 13
    assert len([one for one in left.texts if one.startswith("logs/")]) >= 8
    assert len([one for one in left.texts if one.startswith("pages/")]) > 60
    assert "preparer_may_not_approve" in "".join(left.texts.values())  # payloads are opened
    assert len(left.secrets) > 15


def test_no_secret_stands_anywhere(left: Left) -> None:
    found = sorted({(name, where) for where, text in left.texts.items() for name, word in left.secrets.items()
                    if word in text})  # fmt: skip
    assert found == []


def test_no_phone_number_stands_anywhere(left: Left) -> None:
    found = {where: PHONE.findall(text)[:3] for where, text in left.texts.items() if PHONE.search(text)}
    assert found == {}


def test_no_line_of_a_log_has_a_bearer_or_a_cookie(left: Left) -> None:
    worded = re.compile(
        r"(?i)\b(authorization|set-cookie|cookie|x-api-key)\b\s*[:=]\s*\S+|\bsk_(live|test)_\w+|whsec_\w+"
    )
    found = {where: worded.search(text) for where, text in left.texts.items() if worded.search(text)}
    assert found == {}
