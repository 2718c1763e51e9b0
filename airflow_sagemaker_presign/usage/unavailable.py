"""Why a Jupyter server could not be asked."""

from __future__ import annotations


class JupyterUnavailable(Exception):
    """
    The Jupyter server could not be asked. The text names its host; it has neither the URL nor the cookie.

    :param problem: why, as a sentence.
    :param advice: what the reader can check, as a clause without a full stop.
    """

    def __init__(self, problem: str, advice: str) -> None:
        self.problem, self.advice = problem, advice
        super().__init__(problem)


class SessionRefused(JupyterUnavailable):
    """The server refused the URL or the cookie."""
