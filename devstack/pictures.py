"""Pictures: kept pages as PNG, wide and narrow, by a Chromium where there is one."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from models.refusal import Refusal

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (1280, 390)
HEIGHT = 900


class NoChromium(Refusal):
    """Pictures are required, as in CI, and there is no Chromium to make them."""

    remedy = "Install Chromium (Debian: chromium), or run without CI=true."


class NotStill(Refusal):
    """A kept page asked for something that does not stand in it."""

    remedy = "Have it stand in the page, or leave it out."


def chromium() -> str | None:
    """Return the path of a Chromium on this machine, or None."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def required(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether pictures must be made: in CI."""
    return environment.get("CI", "").lower() in ("1", "true")


def take(pages: Sequence[Path], browser: str) -> tuple[Path, ...]:
    """Take a picture of each page in each width, whole, beside it; return the pictures.

    Raises:
        NotStill: a page asked for anything but itself.
    """
    taken: list[Path] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for width in WIDTHS:
            page = launched.new_page(viewport={"width": width, "height": HEIGHT}, color_scheme="light")
            page.on("request", lambda request: asked.append(request.url))
            for file in pages:
                page.goto(file.resolve().as_uri())
                picture = file.with_name(f"{file.stem}-{width}.png")
                page.screenshot(path=picture, full_page=True)
                taken.append(picture)
        launched.close()
    own = {file.resolve().as_uri() for file in pages}
    strangers = sorted(url for url in set(asked) - own if not url.startswith("data:"))
    if strangers:
        raise NotStill("a kept page asked for something else", asked=strangers[0])
    return tuple(taken)
