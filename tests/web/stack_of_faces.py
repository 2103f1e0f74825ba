"""The whole embedded stack with both faces, as `make up` starts it, and people in real browsers before it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from devstack import pictures
from devstack.state import ENVIRONMENT

CHROMIUM = pictures.chromium()
ROOT = Path(__file__).resolve().parents[2]
WIDTHS = (1280, 390)
UP_WITHIN_SECONDS = 150
SHOTS = Path(os.environ.get("TIEOUT_SHOTS", tempfile.gettempdir())) / "tieout-shots"


@dataclass
class Faces:
    """Where the faces of a running stack are, its ready sign-ins by who, people's tokens, and a key of acme's."""

    console: str
    portal: str
    mail: Path
    sign_ins: dict[str, str]
    tokens: dict[str, str]
    key: str
    environment: Path

    def pay(self, stripe_id: str) -> None:
        """Pay an invoice as its customer's bank does: outside the platform, which is told and tells our hook."""
        settings = json.loads(self.environment.read_text())
        httpx.post(
            f"{settings['TIEOUT_STRIPE_URL']}/v1/invoices/{stripe_id}/pay",
            data={"paid_out_of_band": "true"},
            auth=(settings["TIEOUT_STRIPE_KEY"], ""),
            trust_env=False,
        ).raise_for_status()


@contextlib.contextmanager
def up(state: Path) -> Iterator[Faces]:
    """Start the stack with the demo book and no month closed, and stop it at the end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "400"}
    command = [sys.executable, "-m", "devstack.serve", "--state", str(state)]
    log = state.parent / "up.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
        try:
            text = _until(lambda: log.read_text(), lambda said: "/v1/overview" in said or process.poll() is not None)
            assert process.poll() is None, text
            found = dict(re.findall(r"^  (.+?) {2,}(http://\S+)$", text, re.MULTILINE))
            console, portal = (
                re.search(rf"^{name} +(http://[\d.:]+)", text, re.MULTILINE) for name in ("finance", "customers")
            )
            assert console is not None
            assert portal is not None
            keys = dict(re.findall(r'Bearer (\w+)" (http\S+)', text))
            yield Faces(
                console[1],
                portal[1],
                state / "mail",
                {who.partition(" ")[0]: at for who, at in found.items()},
                json.loads((state / "people.json").read_text()),
                next(key for key, at in keys.items() if at.startswith(portal[1])),
                state / ENVIRONMENT,
            )
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _until(read: Callable[[], str], so: Callable[[str], bool]) -> str:
    """Return what is read once it is so; what it is at the end of the time otherwise."""
    over = time.monotonic() + UP_WITHIN_SECONDS
    while not so(text := read()) and time.monotonic() < over:
        time.sleep(0.2)
    return text


@dataclass
class Watched:
    """A page whose requests off our own hosts, and whose errors, are noted."""

    page: Page
    strangers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start a real Chromium; the test is skipped, loudly, where there is none."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def a_page(browser: Browser, width: int = 1280, dark: bool = False) -> Watched:
    """Return a page of a new person's browser."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    watched = Watched(context.new_page())

    def asked(url: str) -> None:
        if not re.match(r"http://127\.0\.0\.1:\d+/|data:", url):
            watched.strangers.append(url)

    watched.page.on("request", lambda request: asked(request.url))
    watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
    watched.page.on(
        "console", lambda said: watched.errors.append(said.text) if "Content Security Policy" in said.text else None
    )
    return watched


def refuse_barriers(page: Page, what: str) -> None:
    """Fail where axe finds something that keeps people out."""
    found = Axe().run(page)
    assert found.violations_count == 0, f"{what}: {found.generate_report()}"


def look(page: Page, folder: Path, name: str) -> None:
    """Look at a page in every width and theme: it fits, axe is content, and a picture is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function("document.fonts.status === 'loaded'")
            page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} at {width}"
            found = Axe().run(page).response["violations"]
            said = [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]
            assert said == [], f"{name} at {width}, {theme}"


def shot(page: Page, name: str) -> None:
    """Keep a picture of the whole page."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SHOTS / f"{name}.png"), full_page=True)
