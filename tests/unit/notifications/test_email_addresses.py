from __future__ import annotations

import pytest

from airflow_sagemaker_presign.notifications.email_addresses import mailboxes_of


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ada@example.com", [("", "ada@example.com")]),
        (" Ada <ada@example.com> ", [("Ada", "ada@example.com")]),
        ('"Lovelace, Ada; Dr" <ada@example.com>', [("Lovelace, Ada; Dr", "ada@example.com")]),
        ("ada@example.com, bob@example.com;eve@example.com", [("", f"{n}@example.com") for n in ("ada", "bob", "eve")]),
        (["ada@example.com", "Zoë <zoe@example.com>,"], [("", "ada@example.com"), ("Zoë", "zoe@example.com")]),
        ("ada@bücher.example", [("", "ada@xn--bcher-kva.example")]),
        ("zoë@example.com", [("", "zoë@example.com")]),
        ("ada@localhost", [("", "ada@localhost")]),
        ("o'brien@ex_ample-1.com", [("", "o'brien@ex_ample-1.com")]),
        ("ada@例え.jp", [("", "ada@xn--r8jz45g.jp")]),
        ("ada+nb.x_1@mail.example.co.uk", [("", "ada+nb.x_1@mail.example.co.uk")]),
    ],
)
def test_addresses_are_read_as_people_write_them(written: object, read: list[tuple[str, str]]) -> None:
    assert [tuple(mailbox) for mailbox in mailboxes_of("to", written)] == read


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ; ,",
        "None",
        None,
        [],
        [None],
        "ada",
        "ada@",
        "@example.com",
        "ada example.com",
        "a@b@example.com",
        "Ada <ada>",
        "ada@example.com\nBcc: eve@example.com",
        "Ada\r\nBcc: eve@example.com <ada@example.com>",
        '"Ada\nBcc: eve@example.com" <ada@example.com>',
        "ada@example.com> RCPT TO:<eve@example.com",
        "ada\u2028@example.com",
        # Left over from pasting, or from a template.
        "'ada@example.com'",
        "“ada@example.com”",
        "„ada@bücher.example“",
        "*ada@example.com*",
        "`ada@example.com`",
        "ada@example.com.",
        "ada@example.com?subject=Hi",
        "ada@example..com",
        "ada@.example.com",
        "ada@-example.com",
        "ada@http//example.com",
        "ada@" + "a" * 64 + ".com",
        "ada@" + ".".join(["a" * 60] * 5),
        42,
    ],
)
def test_an_invalid_address_raises_an_error_that_names_the_parameter(written: object) -> None:
    with pytest.raises(ValueError, match=r"^to=.*: must be an e-mail address such as"):
        mailboxes_of("to", written)
