"""Sealer: texts that only a process with the key can read (Fernet: AES-128-CBC and HMAC-SHA256)."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from models.refusal import Refusal


class KeyUnusable(Refusal):
    """The setting holds no key."""

    remedy = (
        "Make one: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'. "
        "Several, with commas in between, all open; the first seals."
    )


class SealBroken(Refusal):
    """A sealed text can't be opened with the keys at hand."""

    remedy = "Name the key it was sealed with too, or rotate the endpoint's secret in the portal's settings."


class Sealer:
    """Seals with the first of its keys, opens with any."""

    def __init__(self, keys: str) -> None:
        """Take keys with commas in between; raises KeyUnusable."""
        try:
            self._keys = MultiFernet([Fernet(key.strip()) for key in keys.split(",") if key.strip()])
        except ValueError as error:
            raise KeyUnusable("this is no key", setting="TIEOUT_WEBHOOKS_KEY") from error

    def seal(self, text: str) -> str:
        """Return a text as only a holder of the key reads it."""
        return self._keys.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return what was sealed; raises SealBroken."""
        try:
            return self._keys.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SealBroken("a secret can't be opened") from error
