"""Rate drafts: a rate as a person writes it into a form, beside what the catalog says there."""

from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from billing.rate_drift import known_beside
from models.rate_card import RateVersion
from models.rate_change import RateProposal
from models.refusal import Refusal

FIELDS = ("rate", "meter", "where", "from", "amount", "per", "currency", "source", "checked_on")


class NotARate(Refusal):
    """What was written into the form is no rate version."""

    remedy = "Correct the field that is named, and send the form again."


class SaidAlready(Refusal):
    """The catalog has this price from this instant on."""

    remedy = "Nothing is to be proposed."


def proposal_of(said: Mapping[str, str], catalog: Sequence[RateVersion]) -> RateProposal:
    """Return the proposal a form makes. `said` has FIELDS; `where` is `name=value, …`, `from` an instant in UTC.

    Raises:
        NotARate: a field is missing or wrong. SaidAlready: there is no difference.
    """
    given = {name: said.get(name, "").strip() for name in FIELDS}
    instant = given["from"] if given["from"].endswith("Z") else f"{given['from']}Z"
    try:
        version = RateVersion.model_validate({**given, "where": _where(given["where"]), "from": instant})
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "the form"
        raise NotARate(f"{field}: {str(first['msg']).removeprefix('Value error, ')}") from error
    known = known_beside(catalog, version)
    if known is not None and known.same_price(version):
        raise SaidAlready("the catalog says so already", rate=known.id)
    return RateProposal(table="file", version=version, known=known)


def _where(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, mark, value = (one.strip() for one in part.partition("="))
        if not (mark and name and value) or name in found:
            raise NotARate(f"where: {part!r} is not one name=value")
        found[name] = value
    return found
