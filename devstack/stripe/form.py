"""Read Stripe's form encoding: `lines[0][period][start]=1` becomes nested dicts and lists of strings."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from devstack.stripe.errors import invalid

PART = re.compile(r"\[([^\[\]]*)\]")


def decoded(text: str) -> dict[str, Any]:
    """Return the nested parameters of a form or query string; every leaf is a string.

    Raises:
        StripeError: a key is no name followed by brackets, or is both a value and a container.
    """
    tree: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        name, _, rest = key.partition("[")
        parts = PART.findall("[" + rest) if rest else []
        if not name or "".join(f"[{part}]" for part in parts) != ("[" + rest if rest else ""):
            raise invalid(f"Invalid parameter name: {key}", key)
        _put(tree, [name, *parts], value, key)
    return {name: _with_lists(node) for name, node in tree.items()}


def _put(tree: dict[str, Any], path: list[str], value: str, key: str) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part or str(len(tree)), {})
        if not isinstance(tree, dict):
            raise invalid(f"Invalid parameter: {key} is given as a value too", key)
    last = path[-1] or str(len(tree))
    if last in tree:
        raise invalid(f"Parameter given twice: {key}", key)
    tree[last] = value


def _with_lists(node: Any) -> Any:
    """Return `node` with each dict whose keys count up from 0 as a list."""
    if not isinstance(node, dict):
        return node
    if node and list(node) == [str(position) for position in range(len(node))]:
        return [_with_lists(child) for child in node.values()]
    return {name: _with_lists(child) for name, child in node.items()}
