"""Contract versions side by side: every place at which two differ, clause by clause."""

from collections.abc import Iterator
from typing import Any

from models.contract import Contract


def differences(before: Contract, after: Contract) -> Iterator[dict[str, Any]]:
    """Yield every place at which two contract versions differ, clauses told apart by their ids (prices by meter)."""
    yield from _differences("", clauses_of(before), clauses_of(after))


def clauses_of(contract: Contract) -> dict[str, Any]:
    """Return a contract as places and what they say: a list of clauses as a mapping by their ids (prices by meter)."""
    keyed: dict[str, Any] = _keyed(contract.model_dump(mode="json"))
    return keyed


def _keyed(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _keyed(value) for key, value in content.items()}
    if isinstance(content, list) and content and all(isinstance(item, dict) for item in content):
        named: dict[str, Any] = {}
        for item in content:
            where = ",".join(f"{key}={value}" for key, value in sorted((item.get("where") or {}).items()))
            name = item.get("id") or item.get("jurisdiction") or item.get("meter")
            key = f"{name or len(named) + 1}{f'[{where}]' if where else ''}"
            key += f"@{item['starts_at']}" if item.get("starts_at") and not item.get("id") else ""
            named[key if key not in named else f"{key}#{len(named) + 1}"] = _keyed(item)
        return named
    return content


def _differences(place: str, before: Any, after: Any) -> Iterator[dict[str, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _differences(f"{place}.{key}" if place else key, before.get(key), after.get(key))
    elif before != after:
        yield {"place": place, "before": before, "after": after}
