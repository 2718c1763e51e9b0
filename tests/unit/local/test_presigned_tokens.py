from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.sagemaker_api.presigned_tokens import LinkRefused, PresignedTokens, expiry_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_a_link_opens_a_session_of_its_notebook_as_often_as_one_likes(tokens: PresignedTokens) -> None:
    token = tokens.mint("research", timedelta(hours=8))
    for _ in range(2):
        session = tokens.open_link(token)
        assert (session.notebook_instance_name, session.ends_at) == ("research", NOON + timedelta(hours=8))


def test_a_link_works_for_five_minutes_and_not_a_second_longer(
    tokens: PresignedTokens, local_clock: LocalClock
) -> None:
    token = tokens.mint("research", timedelta(hours=8))
    local_clock.advance(299)
    tokens.open_link(token)
    local_clock.advance(1)
    with pytest.raises(LinkRefused, match="expired"):
        tokens.open_link(token)


def test_a_session_outlives_its_link_and_ends_when_it_was_to_end(
    tokens: PresignedTokens, local_clock: LocalClock
) -> None:
    cookie = tokens.cookie_of(tokens.open_link(tokens.mint("research", timedelta(hours=8))))
    local_clock.advance(timedelta(hours=8) - timedelta(seconds=1))
    assert tokens.read_cookie(cookie).notebook_instance_name == "research"
    local_clock.advance(1)
    with pytest.raises(LinkRefused, match="session has ended"):
        tokens.read_cookie(cookie)


def test_an_altered_link_is_refused_wherever_it_was_altered(tokens: PresignedTokens) -> None:
    token = tokens.mint("research", timedelta(hours=8))
    for place in range(len(token)):
        altered = token[:place] + ("B" if token[place] == "A" else "A") + token[place + 1 :]
        with pytest.raises(LinkRefused, match="altered"):
            tokens.open_link(altered)


def test_a_token_is_as_long_as_those_of_aws_and_may_stand_in_a_url_as_it_is(tokens: PresignedTokens) -> None:
    for name in ("a", "a" * 63):
        assert re.fullmatch(r"[A-Za-z0-9_-]{3500}", tokens.mint(name, timedelta(hours=8), instance_id="f" * 16))


def test_no_piece_of_a_token_is_in_another_of_the_same_notebook_and_moment(tokens: PresignedTokens) -> None:
    def pieces(token: str) -> set[str]:
        return {token[start : start + 8] for start in range(len(token) - 7)}

    first, second = (tokens.mint("research", timedelta(hours=8)) for _ in range(2))
    assert not pieces(first) & pieces(second)
    assert b"research" not in base64.urlsafe_b64decode(first)


def test_when_a_link_expires_can_be_read_without_the_key(tokens: PresignedTokens) -> None:
    assert expiry_of(tokens.mint("research", timedelta(hours=8))) == NOON + timedelta(minutes=5)
    for foreign in ("", "abc.def", "A" * 3500, "ä"):
        with pytest.raises(LinkRefused, match="not made by a local SageMaker"):
            expiry_of(foreign)


@pytest.mark.parametrize("token", ["", "x", "A" * 3499, "A" * 3500, "A" * 5000, "ä", "a.b", " "])
def test_a_malformed_token_is_rejected(token: str, tokens: PresignedTokens) -> None:
    with pytest.raises(LinkRefused, match="not made by this local SageMaker"):
        tokens.open_link(token)


def test_the_session_cookie_stays_small(tokens: PresignedTokens) -> None:
    token = tokens.mint("a" * 63, timedelta(hours=8), instance_id="f" * 16)
    assert len(tokens.cookie_of(tokens.open_link(token))) < 400


def test_a_link_of_another_service_is_refused(tokens: PresignedTokens, local_clock: LocalClock) -> None:
    foreign = PresignedTokens(b"f" * 32, local_clock).mint("research", timedelta(hours=8))
    with pytest.raises(LinkRefused, match="not made by this local SageMaker"):
        tokens.open_link(foreign)


def test_a_link_is_no_cookie_and_a_cookie_no_link(tokens: PresignedTokens) -> None:
    token = tokens.mint("research", timedelta(hours=8))
    with pytest.raises(LinkRefused):
        tokens.read_cookie(token)
    with pytest.raises(LinkRefused):
        tokens.open_link(tokens.cookie_of(tokens.open_link(token)))
