"""Render the launch page's templates, and define its security headers."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from airflow_sagemaker_presign.links import LAUNCH_PAGE_PREFIX

ASSETS = {"launch_page.css": "text/css", "launch_page.js": "text/javascript"}

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    # Not "no-referrer": a browser on plain HTTP would then send our own form with an Origin of "null".
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
"""The headers of every response."""

REDIRECT_BY_PAGE = "by=page"
"""The query with which the page's form requests a redirect by an HTML page."""


def write(template: str, **values: Any) -> str:
    """Return a rendered page. All values are escaped."""
    return _environment().get_template(template).render(**values, frame=_frame(values))


@cache
def asset(name: str) -> bytes:
    """Return the content of a static file."""
    return files(__package__).joinpath("assets", name).read_bytes()


@cache
def asset_path(name: str) -> str:
    """Return the path of a static file, with a version that changes with its content."""
    digest = hashlib.sha256(asset(name)).hexdigest()[:12]
    return f"{LAUNCH_PAGE_PREFIX}/assets/{name}?v={digest}"


def _frame(values: dict[str, Any]) -> str:
    """
    Return a digest of what the script cannot update in place: the user, the notebook, and the version of the page.

    The script reloads the whole page when this changes.
    """
    parts = [str(values.get(name, "")) for name in ("kind", "name", "session", "current_user", "path")]
    return hashlib.sha256("|".join((*parts, *map(asset_path, ASSETS))).encode()).hexdigest()[:12]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("airflow_sagemaker_presign.launch_page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(asset_path=asset_path, by_page=REDIRECT_BY_PAGE)
    return environment
