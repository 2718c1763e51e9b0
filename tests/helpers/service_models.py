"""Botocore's service models, read once per process: each new session parses megabytes of JSON again otherwise."""

from __future__ import annotations

import functools

import botocore.loaders

create_loader_once = functools.cache(botocore.loaders.create_loader)
"""In place of ``botocore.session.create_loader``; a loader keeps what it has read."""
