"""Stripe's lists: newest first, filtered, at most 100 a page, paged by the id of an object seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from devstack.stripe.errors import invalid, missing
from devstack.stripe.store import Json, Store

PAGING = frozenset({"limit", "starting_after", "ending_before"})
COMPARED = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page_of(things: Sequence[Json], params: Mapping[str, Any], url: str, kind: str) -> Json:
    """Return the page of an ordered sequence that `limit`, `starting_after` and `ending_before` ask for.

    Raises:
        StripeError: limit not within 1 to 100, both cursors given, or a cursor that is not in the list.
    """
    limit = _limit(params)
    ids = [thing["id"] for thing in things]
    first, end = 0, len(things)
    for cursor in ("starting_after", "ending_before"):
        if cursor in params and params[cursor] not in ids:
            raise missing(kind, params[cursor], cursor, 400)
    if "ending_before" in params:
        end = ids.index(params["ending_before"])
        first = max(0, end - limit)
        return _list(things[first:end], first > 0, url)
    if "starting_after" in params:
        first = ids.index(params["starting_after"]) + 1
    return _list(things[first : first + limit], end > first + limit, url)


def newest(
    store: Store,
    kind: str,
    params: Mapping[str, Any],
    url: str,
    view: Callable[[Json], Json] = lambda thing: thing,
    equal: Mapping[str, str | None] = MappingProxyType({}),
) -> Json:
    """Return a page of a kind's objects, newest first, filtered by `created` and by the store's columns in `equal`.

    A column whose value is None does not filter.

    Raises:
        StripeError: limit not within 1 to 100, both cursors given, or a cursor that does not exist.
    """
    limit = _limit(params)
    where: list[str] = ["kind = ?"]
    values: list[str | int] = [kind]
    for column, value in equal.items():
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    created = params.get("created")
    bounds = (
        {"=": created} if isinstance(created, int) else {COMPARED[name]: at for name, at in (created or {}).items()}
    )
    for comparison, at in bounds.items():
        where.append(f"created {comparison} ?")
        values.append(at)
    backwards = "ending_before" in params
    for cursor, comparison in (("starting_after", "<"), ("ending_before", ">")):
        if cursor in params:
            row = store.sql.execute(
                "SELECT seq FROM objects WHERE id = ? AND kind = ?", (params[cursor], kind)
            ).fetchone()
            if row is None:
                raise missing(kind, params[cursor], cursor, 400)
            where.append(f"seq {comparison} ?")
            values.append(row["seq"])
    found = store.sql.execute(
        f"SELECT id FROM objects WHERE {' AND '.join(where)} ORDER BY seq {'ASC' if backwards else 'DESC'} LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    ids = [row["id"] for row in found[:limit]]
    if backwards:
        ids.reverse()
    things = [thing for thing in (store.find(kind, identifier) for identifier in ids) if thing is not None]
    return _list([view(thing) for thing in things], len(found) > limit, url)


def _limit(params: Mapping[str, Any]) -> int:
    limit = int(params.get("limit", 10))
    if not 1 <= limit <= 100:
        raise invalid(f"Invalid integer: {limit}; limit is between 1 and 100", "limit", "parameter_invalid_integer")
    if "starting_after" in params and "ending_before" in params:
        raise invalid("You can only use one of starting_after and ending_before", "ending_before")
    return limit


def _list(data: Sequence[Json], has_more: bool, url: str) -> Json:
    return {"object": "list", "url": url, "has_more": has_more, "data": list(data)}
