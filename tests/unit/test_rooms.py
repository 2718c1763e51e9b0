"""The drawing in docs/architecture.md shows the rooms and imports that there are."""

from __future__ import annotations

import ast

from tests.pictures import rooms


def test_the_drawing_is_of_the_code_as_it_is() -> None:
    hint = "Draw it anew: python -m tests.pictures.rooms"
    assert rooms.DRAWING.read_text() == rooms.svg(), hint


def test_an_import_for_types_alone_is_no_arrow() -> None:
    source = (
        "from airflow_sagemaker_presign import metrics\n"
        "if TYPE_CHECKING:\n"
        "    from airflow_sagemaker_presign.hooks import base\n"
        "def later():\n"
        "    import airflow_sagemaker_presign.minting.redaction\n"
    )
    assert list(rooms.imported(ast.parse(source))) == [
        "airflow_sagemaker_presign.metrics",
        "airflow_sagemaker_presign.minting.redaction",
    ]
