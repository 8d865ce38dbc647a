import pytest

from mitxonline.kernel.text import escape_formula, normalize_code, normalize_email


@pytest.mark.parametrize(
    "typed",
    [
        "ab12-cd34",
        " AB12CD34\n",
        "ab12 cd34",
        "ab12–cd34",
        "\u200bab12\u00a0cd34\ufeff",
        "ａｂ１２－ｃｄ３４",
        "ab12\u00adcd34",
    ],
)
def test_a_code_is_the_same_however_it_was_pasted(typed: str) -> None:
    assert normalize_code(typed) == "AB12CD34"


def test_letters_of_a_code_still_count() -> None:
    assert normalize_code("ab_1") == "AB_1"
    assert normalize_code("") == ""


@pytest.mark.parametrize("typed", ["Ada@Example.org", " ada@example.org ", "ADA@EXAMPLE.ORG"])
def test_an_address_is_kept_in_one_form(typed: str) -> None:
    assert normalize_email(typed) == "ada@example.org"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_starts_a_formula(cell: str) -> None:
    assert escape_formula(cell) == f"'{cell}"


def test_ordinary_cells_stay() -> None:
    assert [escape_formula(cell) for cell in ("", "5-3", "a=b")] == ["", "5-3", "a=b"]
