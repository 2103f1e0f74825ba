"""Rate drift: where a price table says another price than the catalog. Both values are shown; nobody averages them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from models.price_table import Listing
from models.rate_card import RateVersion
from models.rate_change import RateProposal


def proposals(catalog: Iterable[RateVersion], listing: Listing, since: datetime) -> tuple[RateProposal, ...]:
    """Return a proposal for each instant from which a table's price differs from the catalog's, by rate and instant.

    A dated table is compared at every start that either of the two has from `since` on; one without dates only at
    the instant it was read, for what it said before is not known. A span in which the table says nothing is no
    difference. Of several starts in a row with one difference the first is proposed: the others follow from it.
    """
    kept, listed = _by_subject(catalog), _by_subject(listing.versions)
    found: list[RateProposal] = []
    for subject, versions in sorted(listed.items()):
        ours = kept.get(subject, [])
        starts = _starts(ours, versions, since) if listing.dated else [listing.as_of]
        last: RateProposal | None = None
        for start in starts:
            theirs, known = _in_force(versions, start), _in_force(ours, start)
            if theirs is None or (known is not None and known.same_price(theirs)):
                last = None
                continue
            proposed = RateProposal(
                table=listing.table,
                dated=listing.dated,
                version=theirs.model_copy(update={"starts_at": start}),
                known=known,
            )
            if last is None or last.known != known or not last.version.same_price(proposed.version):
                found.append(proposed)
            last = proposed
    return tuple(found)


def beside(catalog: Iterable[RateVersion], version: RateVersion) -> tuple[RateVersion, ...]:
    """Return the catalog as it would be with a version in it: one of the same key takes the place of what is there."""
    return (*(one for one in catalog if one.id != version.id), version)


def known_beside(catalog: Iterable[RateVersion], version: RateVersion) -> RateVersion | None:
    """Return what the catalog says where a version would begin: the same rate's version in force there, or None."""
    return _in_force([one for one in catalog if one.subject == version.subject], version.starts_at)


def _starts(ours: Sequence[RateVersion], theirs: Sequence[RateVersion], since: datetime) -> list[datetime]:
    return sorted({max(one.starts_at, since) for one in (*ours, *theirs)})


def _in_force(versions: Sequence[RateVersion], at: datetime) -> RateVersion | None:
    """Return the version with the latest start up to an instant; of one start the last listed, as tables mean it."""
    begun = [one for one in reversed(versions) if one.starts_at <= at]
    return max(begun, key=lambda one: one.starts_at) if begun else None


def _by_subject(versions: Iterable[RateVersion]) -> dict[str, list[RateVersion]]:
    found: dict[str, list[RateVersion]] = {}
    for one in versions:
        found.setdefault(one.subject, []).append(one)
    return found
