"""
Sphinx's configuration: ``make docs`` writes docs/_build/html/index.html.

The sources are those of the whole checkout, not of this folder alone: README.md, CHANGELOG.md and the others are pages,
too, so that each relative link means the same here and where the repository is read, and the build checks it.
"""

from __future__ import annotations

import os
import tempfile

from airflow_sagemaker_presign import __version__

# Before autodoc imports Airflow, which makes its home where it is told to.
_HOME = tempfile.TemporaryDirectory(prefix="airflow-sagemaker-presign-docs-", ignore_cleanup_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME.name

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

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
autodoc_type_aliases = {"LinkMode": "LinkMode", "AllowedUsers": "AllowedUsers"}

# Nothing is fetched, so there are no links into the documentation of Python, Airflow and botocore.
nitpick_ignore_regex = [("py:.*", r"(?!airflow_sagemaker_presign\.).*")]
