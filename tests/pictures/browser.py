"""A real Chromium, and what it sees as small PNGs."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.pictures import palette

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

LOOPBACK = "http://127.0.0.1:"
TOKEN_OF_A_URL = "authToken"
# A browser knows how to read a PNG.
PIXELS = """async source => {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height), brush = canvas.getContext("2d");
  brush.drawImage(image, 0, 0);
  const bytes = brush.getImageData(0, 0, image.width, image.height).data;
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return [image.width, image.height, btoa(text)];
}"""


@contextmanager
def page_of(browser: Browser, width: int, height: int = 900, dark: bool = False) -> Iterator[Page]:
    """Open a page that reaches nothing but this machine."""
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",  # What pulses would be pale in one picture and strong in the next.
    )
    page.route(lambda url: not url.startswith(LOOPBACK), lambda route: route.abort())
    yield page
    page.close()


def shot(seen: Page | Locator) -> bytes:
    """Take a picture of a page or of a part of it, unless a token is in sight there."""
    page = seen if not hasattr(seen, "page") else seen.page
    texts = [frame.locator("body").inner_text() for frame in page.frames]
    if any(TOKEN_OF_A_URL in text for text in texts):
        raise RuntimeError(f"A link's token would be in a picture of {page.url}.")
    return seen.screenshot()


def side_by_side(browser: Browser, pictures: list[bytes]) -> bytes:
    """Put pictures into one."""
    images = "".join(f'<img src="{_data_url(picture)}">' for picture in pictures)
    style = (
        "body { margin: 0 } div { display: inline-flex; gap: 16px; align-items: flex-start; background: #fff }"
        "img { outline: 1px solid #d9d9de; outline-offset: -1px }"
    )
    with page_of(browser, width=1600) as page:
        page.set_content(f"<style>{style}</style><div>{images}</div>")
        return shot(page.locator("div"))


def keep(browser: Browser, picture: bytes, path: Path) -> None:
    """Write a picture as a small file."""
    with page_of(browser, width=100) as page:
        width, height, pixels = page.evaluate(PIXELS, _data_url(picture))
    path.write_bytes(palette.png(width, height, b64decode(pixels)))
    print(f"{path.name}: {width} x {height}, {path.stat().st_size / 1000:.0f} kB", flush=True)


def _data_url(picture: bytes) -> str:
    return f"data:image/png;base64,{b64encode(picture).decode()}"
