"""Terms: contracts, rate versions and authorities, appended with both times."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import String, any_, func, literal, update
from sqlalchemy.dialects.postgresql import ARRAY, Range, distinct_on, insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from adapters.postgres.sessions import Database, code_of, one_at_a_time
from models.authority import Authority
from models.books import Conflict, FourEyes, OverlappingRates
from models.contract import Contract
from models.opening import Opening
from models.period import first_day, next_month
from models.rate_card import RateVersion
from models.tables.terms import AuthorityRow, ContractRow, OpeningRow, RateVersionRow

EXCLUSION_VIOLATION = "23P01"
_TICK = timedelta(microseconds=1)


@lru_cache(maxsize=4096)
def _contract(body: str) -> Contract:
    return Contract.from_text(body)


@dataclass(frozen=True)
class _Catalog:
    """Every rate version and when it was what is known; the head is the position of the newest."""

    head: int
    rows: tuple[tuple[RateVersion, Range[datetime]], ...]


def _was_known(recorded: Range[datetime], at: datetime | None) -> bool:
    """Return whether a row was what was known at an instant; None: whether it is now."""
    return recorded.upper is None if at is None else at in recorded


class PostgresTerms:
    """`activities.ports.TermsBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._catalog = _Catalog(head=0, rows=())
        self._populations: dict[str, tuple[int, tuple[str, ...]]] = {}

    def population(self, month: str) -> tuple[str, ...]:
        """Return the customers whose contract is in force on a day of the month, by id; the last amendment counts.

        Contracts are looked through again only where one was appended since: every customer's close asks this.
        """
        newest = (
            select(ContractRow)
            .ext(distinct_on(col(ContractRow.contract)))
            .order_by(col(ContractRow.contract), col(ContractRow.effective_on).desc(), col(ContractRow.position).desc())
            .subquery()
        )
        found = (
            select(newest.c.customer)
            .where(newest.c.starts_on < first_day(next_month(month)), newest.c.ends_on > first_day(month))
            .distinct()
            .order_by(newest.c.customer)
        )
        with self.database.reading() as session:
            # Their number, not the highest position: a lower one may be committed after a higher one.
            count = session.exec(select(func.count()).select_from(ContractRow)).one()
            kept = self._populations.get(month)
            if kept is None or kept[0] != count:
                kept = self._populations[month] = count, tuple(session.exec(found).all())
        return kept[1]

    def contracts(self, customer: str, known_at: datetime | None = None) -> tuple[Contract, ...]:
        """Return every version of a customer's contracts recorded by then, by effective day and order of recording."""
        found = (
            select(ContractRow.body)
            .where(col(ContractRow.customer) == customer)
            .order_by(col(ContractRow.effective_on), col(ContractRow.position))
        )
        if known_at is not None:
            found = found.where(col(ContractRow.recorded_at) <= known_at)
        with self.database.reading() as session:
            return tuple(_contract(body) for body in session.exec(found))

    def contracts_by_customer(self, customers: Collection[str]) -> dict[str, tuple[Contract, ...]]:
        """Return each of these customers' contracts as `contracts` does, in one read; one without any is left out."""
        found = (
            select(ContractRow.customer, ContractRow.body)
            .where(col(ContractRow.customer) == any_(literal(sorted(customers), ARRAY(String))))
            .order_by(col(ContractRow.effective_on), col(ContractRow.position))
        )
        versions: dict[str, list[Contract]] = {}
        with self.database.reading() as session:
            for customer, body in session.exec(found):
                versions.setdefault(customer, []).append(_contract(body))
        return {customer: tuple(mine) for customer, mine in versions.items()}

    def rates(self, known_at: datetime | None = None) -> tuple[RateVersion, ...]:
        """Return the rate versions as known at an instant (now for None), by card, meter, where and start."""
        catalog = self._catalog_as_it_is()
        return tuple(version for version, recorded in catalog.rows if _was_known(recorded, known_at))

    def _catalog_as_it_is(self) -> "_Catalog":
        """Return every rate version; rows are read again only where one was appended since."""
        with self.database.reading() as session:
            head = session.exec(select(func.max(RateVersionRow.position))).one() or 0
            if head != self._catalog.head:
                found = select(RateVersionRow.body, RateVersionRow.approved_by, RateVersionRow.recorded).order_by(
                    col(RateVersionRow.rate),
                    col(RateVersionRow.meter),
                    col(RateVersionRow.subject),
                    func.lower(RateVersionRow.effective),
                    col(RateVersionRow.position),
                )
                rows = tuple(
                    (RateVersion.from_text(body).model_copy(update={"approved_by": approver}), recorded)
                    for body, approver, recorded in session.exec(found)
                )
                self._catalog = _Catalog(head=head, rows=rows)
        return self._catalog

    def authorities(self, known_at: datetime | None = None) -> tuple[Authority, ...]:
        """Return the declared authorities as known at an instant, in the order they were declared."""
        found = select(AuthorityRow.body).order_by(col(AuthorityRow.position))
        if known_at is not None:
            found = found.where(col(AuthorityRow.recorded_at) <= known_at)
        with self.database.reading() as session:
            return tuple(Authority.from_text(body) for body in session.exec(found))

    def proposers(self, contract_versions: Sequence[str], rate_versions: Sequence[str]) -> frozenset[str]:
        """Return who proposed these versions and the opening of their contract, and who ever declared an authority."""
        with self.database.reading() as session:
            return frozenset(
                [
                    *session.exec(
                        select(ContractRow.proposed_by).where(col(ContractRow.version).in_(contract_versions))
                    ),
                    *session.exec(
                        select(OpeningRow.proposed_by)
                        .join(ContractRow, col(ContractRow.contract) == col(OpeningRow.contract))
                        .where(col(ContractRow.version).in_(contract_versions))
                    ),
                    *session.exec(
                        select(RateVersionRow.proposed_by).where(col(RateVersionRow.version).in_(rate_versions))
                    ),
                    *session.exec(select(AuthorityRow.declared_by)),
                ]
            )

    def add_contract(self, contract: Contract, proposed_by: str, approved_by: str, at: datetime) -> str:
        """Append a contract version and return its version id; the same version with the same terms is there once.

        Raises:
            FourEyes: proposer and approver are one person.
            Conflict: this version says something else already.
        """
        _refuse_one_person(proposed_by, approved_by, contract.version)
        body = contract.canonical()
        with self.database.writing() as session:
            session.exec(
                insert(ContractRow)
                .values(
                    version=contract.version,
                    contract=contract.contract,
                    customer=contract.customer,
                    currency=contract.currency,
                    effective_on=contract.effective or contract.term.starts_on,
                    starts_on=contract.term.starts_on,
                    ends_on=contract.term.ends_on,
                    fingerprint=contract.fingerprint(),
                    body=body,
                    proposed_by=proposed_by,
                    approved_by=approved_by,
                    recorded_at=at,
                )
                .on_conflict_do_nothing(index_elements=["version"])
            )
            kept = session.exec(select(ContractRow.body).where(ContractRow.version == contract.version)).one()
        if kept != body:
            raise Conflict("a contract version is appended once", version=contract.version)
        return contract.version

    def add_rates(
        self,
        versions: Sequence[RateVersion],
        proposed_by: str,
        approved_by: str,
        at: datetime,
        correcting: Collection[str] = (),
    ) -> int:
        """Append rate versions and return how many are new.

        A version in force until another begins is superseded in recorded time by rows that say so; nothing of what
        was known before is lost. Where `at` is not after what is known, the new knowledge is a microsecond later.
        `correcting` are the fingerprints of versions known to be wrong: one of the same start takes their place, and
        what was known until then stays to be looked up.

        Raises:
            FourEyes: proposer and approver are one person.
            OverlappingRates: another version of the same subject begins at the same instant.
        """
        _refuse_one_person(proposed_by, approved_by, versions[0].id if versions else "")
        by_subject: dict[str, list[RateVersion]] = {}
        for version in versions:
            by_subject.setdefault(version.subject, []).append(version.bare())
        try:
            with self.database.writing() as session:
                one_at_a_time(session, "rate_versions")
                known = _known(session, by_subject)
                changes = [
                    _changed(subject, known.get(subject, []), fresh, proposed_by, approved_by, at, correcting)
                    for subject, fresh in by_subject.items()
                ]
                for superseded, superseded_at in (each for ended, _, _ in changes for each in ended):
                    session.exec(
                        update(RateVersionRow)
                        .where(col(RateVersionRow.position) == superseded.position)
                        .values(recorded=Range(superseded.recorded.lower, superseded_at))
                    )
                rows = [row for _, added, _ in changes for row in added]
                if rows:
                    session.exec(insert(RateVersionRow), params=rows)
        except IntegrityError as error:
            if code_of(error) == EXCLUSION_VIOLATION:
                raise OverlappingRates("two rate versions claim one instant", subjects=sorted(by_subject)) from error
            raise
        return sum(new for _, _, new in changes)

    def opening(self, contract: str) -> Opening | None:
        """Return the opening position of a contract that was taken over while it ran, or None."""
        with self.database.reading() as session:
            body = session.exec(select(OpeningRow.body).where(OpeningRow.contract == contract)).first()
        return Opening.from_text(body) if body else None

    def add_opening(self, opening: Opening, proposed_by: str, approved_by: str, at: datetime) -> None:
        """Append a contract's opening position; the same one is there once.

        Raises:
            FourEyes: proposer and approver are one person.
            Conflict: the contract was opened with another position.
        """
        _refuse_one_person(proposed_by, approved_by, opening.contract)
        body = opening.canonical()
        with self.database.writing() as session:
            session.exec(
                insert(OpeningRow)
                .values(
                    contract=opening.contract,
                    customer=opening.customer,
                    currency=opening.currency,
                    as_of=opening.as_of,
                    fingerprint=opening.fingerprint(),
                    body=body,
                    proposed_by=proposed_by,
                    approved_by=approved_by,
                    recorded_at=at,
                )
                .on_conflict_do_nothing(index_elements=["contract"])
            )
            kept = session.exec(select(OpeningRow.body).where(OpeningRow.contract == opening.contract)).one()
        if kept != body:
            raise Conflict("a contract is taken over once", contract=opening.contract)

    def declare(self, authority: Authority, at: datetime) -> None:
        """Append an authority; the same declaration is there once."""
        with self.database.writing() as session:
            session.exec(
                insert(AuthorityRow)
                .values(
                    fingerprint=authority.fingerprint(),
                    body=authority.canonical(),
                    declared_by=authority.declared_by,
                    starts_on=authority.starts_on,
                    ends_on=authority.ends_on,
                    recorded_at=at,
                )
                .on_conflict_do_nothing(index_elements=["fingerprint"])
            )


_Change = tuple[list[tuple[RateVersionRow, datetime]], list[dict[str, Any]], int]


def _known(session: Session, subjects: Iterable[str]) -> dict[str, list[RateVersionRow]]:
    """Return what is known now of these subjects, by subject, in order of start."""
    rows = session.exec(
        select(RateVersionRow)
        .where(col(RateVersionRow.subject).in_(list(subjects)), func.upper_inf(RateVersionRow.recorded))
        .order_by(func.lower(RateVersionRow.effective))
    )
    known: dict[str, list[RateVersionRow]] = {}
    for row in rows:
        known.setdefault(row.subject, []).append(row)
    return known


def _changed(
    subject: str,
    known: list[RateVersionRow],
    fresh: Sequence[RateVersion],
    proposed_by: str,
    approved_by: str,
    at: datetime,
    correcting: Collection[str],
) -> _Change:
    """Return which rows are superseded (and when), the rows to add, and how many versions are new."""
    there = {row.effective.lower: row for row in known}
    starts = {row.effective.lower: RateVersion.from_text(row.body) for row in known}
    new = 0
    wrong: set[datetime] = set()
    for version in fresh:
        rival = starts.get(version.starts_at)
        if rival is None:
            starts[version.starts_at] = version
            new += 1
        elif rival != version and rival.fingerprint() in correcting:
            starts[version.starts_at] = version
            wrong.add(version.starts_at)
            new += 1
        elif rival != version:
            raise OverlappingRates(
                "another version of this rate begins at this instant", subject=subject, at=version.starts_at.isoformat()
            )
    ordered = sorted(starts)
    ends = dict(zip(ordered, [*ordered[1:], None], strict=True))
    superseded = [
        row for row in known if row.effective.upper != ends[row.effective.lower] or row.effective.lower in wrong
    ]
    recorded_at = max([at, *(row.recorded.lower + _TICK for row in superseded)])
    rows = []
    for start in ordered:
        row = there.get(start)
        if row is not None and row not in superseded:
            continue
        rows.append(
            _row(
                starts[start],
                Range(start, ends[start]),
                Range(recorded_at, None),
                row.proposed_by if row and start not in wrong else proposed_by,
                row.approved_by if row and start not in wrong else approved_by,
            )
        )
    return [(row, recorded_at) for row in superseded], rows, new


def _row(
    version: RateVersion, effective: Range[datetime], recorded: Range[datetime], proposed_by: str, approved_by: str
) -> dict[str, Any]:
    return {
        "version": version.id,
        "subject": version.subject,
        "rate": version.rate,
        "meter": version.meter,
        "amount": version.amount,
        "per": version.per,
        "currency": version.currency,
        "effective": effective,
        "recorded": recorded,
        "fingerprint": version.fingerprint(),
        "body": version.canonical(),
        "proposed_by": proposed_by,
        "approved_by": approved_by,
    }


def _refuse_one_person(proposed_by: str, approved_by: str, what: str) -> None:
    if proposed_by == approved_by:
        raise FourEyes("terms are proposed by one person and approved by another", person=proposed_by, version=what)
