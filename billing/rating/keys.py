"""Keys: stable business keys for lines and clauses, inside what an identifier may hold."""

import re
from datetime import datetime

from billing.rating.usage import Pairs
from models.value import fingerprint_of, instant_text

_LONGEST = 128
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/*-]{0,127}")
_FOREIGN = re.compile(r"[^A-Za-z0-9._:@/*-]")


def key_of(*parts: str) -> str:
    """Return the parts as one identifier. What an identifier can't hold is told apart by a short hash at its end.

    >>> key_of("usage", "llm.tokens", "model/gpt-4o")
    'usage/llm.tokens/model/gpt-4o'
    """
    text = "/".join(part for part in parts if part)
    if _PLAIN.fullmatch(text):
        return text
    plain = _FOREIGN.sub("-", text)
    mark = fingerprint_of(text)[:12]
    plain = plain if plain[:1].isalnum() else f"x{plain}"
    return f"{plain[: _LONGEST - len(mark) - 1]}:{mark}"


def pairs_text(pairs: Pairs) -> str:
    """Return dimensions as a part of a key: model/gpt-4o:provider/openai."""
    return ":".join(f"{key}/{value}" for key, value in pairs)


def since(at: datetime) -> str:
    """Return an instant as a part of a key."""
    return instant_text(at)
