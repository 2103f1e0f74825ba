"""Witness: the journal's chain as it stood at each lock, kept under retention where no database role reaches."""

from datetime import datetime

from activities.ports import JournalBook, ObjectStore
from models.journal import ChainHead

FOLDER = "journal/heads"


def heads_of(store: ObjectStore) -> tuple[ChainHead, ...]:
    """Return the heads kept so far, oldest first."""
    return tuple(ChainHead.from_text(store.get(uri).decode()) for uri in store.uris(f"{FOLDER}/"))


def witness(store: ObjectStore, journal: JournalBook, month: str, at: datetime) -> ChainHead:
    """Keep every link since the head before, and return what was kept. A second time keeps nothing new.

    A head is named by the place it ends at, so that whoever runs it again finds what is there.
    """
    known = heads_of(store)
    after = max((link.position for head in known for link in head.links), default=0)
    head = ChainHead(month=month, locked_at=at, links=journal.links(after))
    if not head.links and any(one.month == month for one in known):
        return known[-1]
    end = head.links[-1].position if head.links else after
    store.put(f"{FOLDER}/{end:012d}-{month}.json", head.canonical().encode(), "application/json")
    return head
