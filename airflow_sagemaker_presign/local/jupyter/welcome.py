"""The welcome notebook in a JupyterLab, which explains where the user is."""

from __future__ import annotations

import json
from pathlib import Path

_TEXT = """# You are in

This is a real JupyterLab on your own machine. It stands for the one that runs on a SageMaker notebook instance.

* The link that brought you here worked for **five minutes**; you may open it again until then.
* Your session lasts as long as was asked for when the link was made, 12 hours at most. It ends with the notebook
  instance's stop, and so do your kernels and terminals; your files stay.
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
    # Else JupyterLab asks each new person whether it may fetch news.
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
