"""A browser in front of the door's page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE

if TYPE_CHECKING:
    from tests.integration.door.page_server import Notebook

UNSEEN = """
Object.defineProperty(Document.prototype, "hidden", { get: () => Boolean(window.isUnseen) });
window.setUnseen = (isUnseen) => {
  window.isUnseen = isUnseen;
  document.dispatchEvent(new Event("visibilitychange"));
};
"""
"""A browser without a window takes every tab for the one in front; tests say which is not."""

IN_FLIGHT = """
window.inFlight = 0;
const send = window.fetch;
window.fetch = async (...request) => {
  window.inFlight += 1;
  try {
    const answer = await send(...request);
    await answer.clone().text();
    return answer;
  } finally {
    window.inFlight -= 1;
  }
};
"""
"""Counts what the page has asked for and has no answer to yet: its time stands still meanwhile."""


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    """A stopped notebook, and its page on this machine."""
    if not HAS_LAUNCH_PAGE:
        pytest.skip("there is no door before Airflow 3.1.1")
    from tests.integration.door.page_server import PATH, Notebook, landing_app, page_app, served

    notebook = Notebook()
    with served(page_app(notebook)) as port, served(landing_app(notebook)) as landing_port:
        notebook.base_url = f"http://127.0.0.1:{port}"
        notebook.page_url = notebook.base_url + PATH
        notebook.landing_url = f"http://127.0.0.1:{landing_port}/lab?authToken=of-a-test"
        yield notebook


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A tab whose time a test can turn."""
    context = browser.new_context(viewport={"width": 640, "height": 900})
    context.set_default_timeout(10_000)
    context.add_init_script(UNSEEN + IN_FLIGHT)
    page = context.new_page()
    page.clock.install()
    yield page
    context.close()
