"""A Beancount plugin, written beside an export: no entry was recorded after its period was locked."""

import collections
import datetime

__plugins__ = ("refuse_entries_after_lock",)

RecordedAfterLock = collections.namedtuple("RecordedAfterLock", "source message entry")


def refuse_entries_after_lock(entries, options_map):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Return the entries as they are, and an error for each that was recorded after the lock of its period."""
    locks = {
        entry.values[0].value: datetime.datetime.fromisoformat(entry.values[1].value)
        for entry in entries
        if type(entry).__name__ == "Custom" and entry.type == "period-lock"
    }
    errors = []
    for entry in entries:
        meta = entry.meta or {}
        posted_at, period = meta.get("posted_at"), meta.get("period")
        if posted_at and period in locks and datetime.datetime.fromisoformat(posted_at) > locks[period]:
            message = f"entry {meta.get('je_id')} was recorded after {period} was locked"
            errors.append(RecordedAfterLock(meta, message, entry))
    return entries, errors
