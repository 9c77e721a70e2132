"""Records the screenshots of docs/page.md: page-light, page-phone, captions-room and captions-over, each a PNG.

Needs streamtrans[serve], playwright, pillow and Chromium. Run again when the page or the model has changed.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

HERE = Path(__file__).parent
TEXT = (
    "Good morning, everybody, and thank you for coming. Today I would like to talk about the history of our city. "
    "The old harbour was built three hundred years ago, when ships from the whole world came here to trade. "
)
BACKDROP = "linear-gradient(100deg, #e8c468, #f4f4f4 50%, #2a6f97)"  # what an overlay may lie on


def keep(page: Page, name: str) -> None:
    """Saves what a page shows, in few colours."""
    path = HERE / f"{name}.png"
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path.name, path.stat().st_size)


def main() -> None:
    """Types the text on the page, and watches its captions."""
    server = subprocess.Popen(
        [sys.executable, "-m", "streamtrans", "serve", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    address = re.search(r"http://\S+(?=/ )", server.stderr.readline())[0]
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            typed(page, address)
            keep(page, "page-light")
            captions = address + page.get_attribute("#captions", "href")
            for name, wish in (("room", "&source=1"), ("over", "&background=transparent&size=44&lines=2")):
                screen = browser.new_page(viewport={"width": 1280, "height": 500 if name == "room" else 360})
                screen.goto(captions + wish)
                expect(screen.locator("#target p")).to_have_count(4)
                if name == "over":
                    screen.evaluate("b => { document.body.style.background = b; }", BACKDROP)
                keep(screen, f"captions-{name}")
            phone = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")
            typed(phone, address)
            keep(phone, "page-phone")
            browser.close()
    finally:
        server.terminate()


def typed(page: Page, address: str) -> None:
    """Types, and points at a word of the third sentence."""
    page.goto(address)
    expect(page.locator("#state")).to_have_attribute("data-state", "live")
    page.locator("#typed").press_sequentially(TEXT + "Now many of the houses are empt")
    expect(page.locator("li:nth-child(4) .source .word")).to_have_count(6, timeout=30_000)
    page.wait_for_timeout(1000)
    page.locator("li:nth-child(3) .target .word").nth(4).hover()


main()
