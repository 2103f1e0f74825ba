"""Problem: a page that can't be had, in words that are the same whoever asks."""

from http import HTTPStatus


class Problem(Exception):
    """A page that can't be had: status, what is wrong, and the way out."""

    def __init__(self, status: HTTPStatus, what: str, remedy: str) -> None:
        self.status, self.what, self.remedy = status, what, remedy
        super().__init__(what)


def not_found() -> Problem:
    """Return the one answer to what isn't there and to what is somebody else's."""
    return Problem(HTTPStatus.NOT_FOUND, "There is no such page.", "Check the address, or begin at the overview.")


def forbidden(what: str, remedy: str) -> Problem:
    """Return the answer to somebody whose role does not allow it."""
    return Problem(HTTPStatus.FORBIDDEN, what, remedy)
