"""A sealed text is read with its key alone; keys are replaced one after the other."""

import pytest
from cryptography.fernet import Fernet

from adapters.sealer import KeyUnusable, SealBroken, Sealer

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_what_is_sealed_is_read_with_its_key_and_with_no_other() -> None:
    sealed = Sealer(OLD).seal("whsec_AAAA")
    assert "whsec" not in sealed
    assert Sealer(OLD).open(sealed) == Sealer(f"{NEW}, {OLD}").open(sealed) == "whsec_AAAA"
    with pytest.raises(SealBroken):
        Sealer(NEW).open(sealed)
    with pytest.raises(SealBroken):
        Sealer(OLD).open(sealed[:-2] + "AA")


def test_the_first_key_seals() -> None:
    assert Sealer(NEW).open(Sealer(f"{NEW},{OLD}").seal("x")) == "x"


@pytest.mark.parametrize("keys", ["", " , ", "short", f"{OLD},short"], ids=["none", "empty", "short", "one short"])
def test_what_is_no_key_is_refused(keys: str) -> None:
    with pytest.raises(KeyUnusable):
        Sealer(keys)
