"""Write the door's pages, and the headers that keep them to themselves."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from airflow_sagemaker_presign.links import DOOR_PREFIX

ASSETS = {"door.css": "text/css", "door.js": "text/javascript"}

HEADERS = {
    "Cache-Control": "no-store",
    # Not "no-referrer": with that a browser on plain HTTP says of our own form that it came from "null".
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
)
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?")
_REGION = re.compile(r"[a-z0-9-]+")


def security_headers(form_action: tuple[str, ...] = ()) -> dict[str, str]:
    """
    Answer the headers of every answer.

    :param form_action: hosts to which the form's answer may lead.
    """
    sources = " ".join(("'self'", *form_action))
    return {**HEADERS, "Content-Security-Policy": _POLICY.format(form_action=sources)}


def notebook_hosts(notebook_url: str, region: str) -> tuple[str, ...]:
    """
    Say where a presigned URL may lead, since browsers hold a form's redirect against ``form-action`` too.

    :param notebook_url: Describe's ``Url``, which has no scheme.
    :param region: the notebook instance's.
    """
    hosts = [notebook_url.partition("/")[0]] if notebook_url else []
    if _REGION.fullmatch(region):
        domain = "sagemaker.com.cn" if region.startswith("cn-") else "sagemaker.aws"
        hosts.append(f"*.notebook.{region}.{domain}")
    return tuple(host for host in hosts if _HOST.fullmatch(host.removeprefix("*.")))


def write(template: str, **values: Any) -> str:
    """
    Write a page. Everything that is shown is escaped.

    :param template: ``notebook.html`` or ``refusal.html``.
    :param values: what it shows.
    """
    return _environment().get_template(template).render(**values, frame=_frame(values))


@cache
def asset(name: str) -> bytes:
    """Answer a file that the pages load."""
    return files(__package__).joinpath("assets", name).read_bytes()


@cache
def asset_path(name: str) -> str:
    """Say where a file is, in a way that changes with its content."""
    digest = hashlib.sha256(asset(name)).hexdigest()[:12]
    return f"{DOOR_PREFIX}/assets/{name}?v={digest}"


def _frame(values: dict[str, Any]) -> str:
    """
    Say what the script cannot take over into a page that is open: whose it is, of which notebook, in which version.

    A page that comes with another one replaces the whole page.
    """
    parts = [str(values.get(name, "")) for name in ("name", "session", "visitor", "path")]
    return hashlib.sha256("|".join((*parts, *map(asset_path, ASSETS))).encode()).hexdigest()[:12]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("airflow_sagemaker_presign.door"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset_path"] = asset_path
    return environment
