"""Presigned URLs as AWS mints them: they work for five minutes."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_sagemaker_presign.minting.presigned_url import URL_VALIDITY, PresignedUrl


def minted_url(
    url: str, minted_at: datetime, name: str = "research", session: timedelta = timedelta(hours=1)
) -> PresignedUrl:
    """Make one."""
    return PresignedUrl(
        url,
        name=name,
        minted_at=minted_at,
        expires_at=minted_at + URL_VALIDITY,
        session_expiration_duration=session,
    )
