"""The welcome notebook of a JupyterLab: what it simulates, and how long link and session last."""

from __future__ import annotations

import json
from pathlib import Path

_TEXT = """# Welcome

This is a real JupyterLab on your own machine. It simulates the one on a SageMaker notebook instance.

* The link that brought you here worked for **five minutes**; you may open it again until then.
* Your session lasts as long as was requested when the link was made, at most 12 hours. It ends when the notebook
  instance stops, and so do your kernels and terminals; your files stay.
* On AWS, such a link gives anybody who has it the permissions of the notebook's execution role. So it is sent to one
  person, and stored nowhere.
"""
_CODE = "sum(range(10))"


def write_welcome(root: Path) -> None:
    """
    Write the welcome notebook, unless there is one.

    :param root: where a notebook instance's files are.
    """
    welcome = root / "welcome.ipynb"
    if not welcome.exists():
        welcome.write_text(json.dumps(_notebook(), indent=1))


def write_settings(settings: Path) -> None:
    """
    Write the settings that keep JupyterLab quiet.

    :param settings: where JupyterLab's settings are.
    """
    folder = settings / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True, exist_ok=True)
    # Otherwise JupyterLab asks each new user whether it may fetch news.
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (folder / "notification.jupyterlab-settings").write_text(json.dumps(quiet))


def _notebook() -> dict[str, object]:
    return {
        "cells": [
            {"cell_type": "markdown", "id": "welcome", "metadata": {}, "source": _TEXT.splitlines(True)},
            {
                "cell_type": "code",
                "id": "try-me",
                "execution_count": None,
                "metadata": {},
                "outputs": [],
                "source": [_CODE],
            },
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
