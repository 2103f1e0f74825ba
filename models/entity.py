"""Entity: the company that closes, its functional currency and the revenue policies a controller signs."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.money import Currency
from models.usage import Identifier
from models.value import Day, Value

UNSIGNED = "default, unsigned"


class Policies(Value):
    """Revenue policies, each with the house's default; a contract's own clause wins over every one of them."""

    breakage: Literal["remote", "expected"] = "remote"  # on expiry, or in proportion to use by an estimate
    shortfall_carries_forward: bool = False  # may a billed shortfall be used later
    credits_refundable: bool = False  # is what remains at expiry paid back
    unclaimed_property: bool = False  # is what remains at expiry somebody else's by law
    prepaid_tax: Literal["at_sale"] = "at_sale"
    ratable: Literal["daily", "monthly"] = "daily"  # how a fee over several months is earned
    bundled_credits: Literal["blended", "free"] = (
        "blended"  # one cost for bought and bonus credits, or none for the bonus
    )


class Signature(Value):
    """Who signed a policy, and when."""

    by: Identifier
    on: Day


class Entity(Value):
    """The company that closes. A policy that is not the default holds only with a controller's signature."""

    schema_: Literal["tieout/entity/v1"] = Field(default="tieout/entity/v1", alias="schema")
    entity: Identifier = "default"
    functional_currency: Currency = "USD"
    fx_card: Identifier = "fx"  # the rate card whose `fx.<currency>` versions are the exchange rates
    policies: Policies = Policies()
    signed: dict[str, Signature] = {}

    @model_validator(mode="after")
    def _is_signed(self) -> Self:
        for name in self.signed:
            if name not in Policies.model_fields:
                raise ValueError(
                    f"{name!r} is signed and is no policy; policies are {', '.join(Policies.model_fields)}"
                )
        for name, policy in Policies.model_fields.items():
            if getattr(self.policies, name) != policy.default and name not in self.signed:
                raise ValueError(f"the policy {name} is not the default, so a controller signs it: signed.{name}")
        return self

    def standing(self) -> tuple[tuple[str, str, str], ...]:
        """Return each policy with its value and who signed it, or that nobody did."""
        rows = []
        for name in Policies.model_fields:
            value, signature = getattr(self.policies, name), self.signed.get(name)
            text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
            rows.append((name, text, f"{signature.by}, {signature.on}" if signature else UNSIGNED))
        return tuple(rows)


DEFAULT = Entity()
"""An entity that has signed nothing."""
