"""
Sphinx's configuration: ``make docs`` writes docs/_build/html/index.html.

The sources are in the whole checkout, not only in this folder: README.md, CHANGELOG.md and the others are pages,
too, so that relative links work both here and in the repository browser, and the build checks them.
"""

from __future__ import annotations

import inspect
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import signature, stringify_signature

from airflow_sagemaker_presign import __version__

project = "airflow-sagemaker-presign"
copyright = "the airflow-sagemaker-presign contributors, Apache-2.0"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = [".*", "airflow_sagemaker_presign", "build", "dags", "dist", "docs/_build", "tests"]

html_theme = "furo"
html_title = f"airflow-sagemaker-presign {__version__}"
html_extra_path = ["redirect"]
html_copy_source = False

# As GitHub names a heading, for links like operators.md#which-link.
myst_heading_anchors = 4

# Read without Airflow and boto3: docstrings and signatures need none, and an environment with Sphinx alone is made in
# seconds.
autodoc_mock_imports = ["airflow", "airflow_sagemaker_presign.compat", "botocore", "boto3"]
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_type_aliases = {"LinkMode": "LinkMode", "AllowedUsers": "AllowedUsers"}

# Nothing is fetched, so there are no links into the documentation of Python, Airflow and botocore.
nitpick_ignore_regex = [
    ("py:.*", r"(?!airflow_sagemaker_presign\.).*"),
    # Not public: named here and there, and not among the reference.
    ("py:.*", r"airflow_sagemaker_presign\.(compat|delivery)\..*"),
]


NAVIGATION = {
    "Install": ["installation", "amazon-mwaa", "helm-chart-and-docker", "astronomer", "compatibility"],
    "Use": ["operators", "notifiers", "launch-page", "auth-managers", "connections-and-iam", "reference"],
    "Operate": ["operations", "security"],
    "Test and develop": ["local-sagemaker", "architecture", "testing", "../CONTRIBUTING"],
    "About": ["../README", "../CHANGELOG", "../SECURITY"],
}


def add_navigation(_: Sphinx, docname: str, source: list[str]) -> None:
    """Add the navigation to the first page; in the file itself it would be seen where the repository is read."""
    if docname == root_doc:
        for caption, pages in NAVIGATION.items():
            lines = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n"


def constructor_of(app: Sphinx, what: str, name: str, obj: Any, *_: object) -> tuple[str, None] | None:
    """Return the signature of a class's ``__init__``: a mocked base has a ``__new__``, which takes anything."""
    if not isinstance(obj, type):
        return None
    if not inspect.isfunction(obj.__init__) or not obj.__init__.__module__.startswith("airflow_sagemaker_presign"):
        return "", None
    app.events.emit("autodoc-before-process-signature", obj.__init__, True)
    constructor = signature(obj.__init__, bound_method=True)
    return stringify_signature(constructor, show_return_annotation=False, unqualified_typehints=True), None


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.connect("source-read", add_navigation)
    app.connect("autodoc-process-signature", constructor_of)
