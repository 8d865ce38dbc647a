import pytest

from mitxonline.kernel.text import (
    encode_domain,
    escape_formula,
    join_titles,
    list_titles,
    normalize_code,
    normalize_email,
    read_code,
)


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
        "ab12\u2212cd34",  # a minus sign
        "ab12\u30fbcd34",  # a katakana dot
        "ab12_cd34",
    ],
)
def test_a_code_is_the_same_however_it_was_pasted(typed: str) -> None:
    assert normalize_code(typed) == "AB12CD34"


def test_letters_of_a_code_still_count() -> None:
    assert normalize_code("ab_é1") == "ABÉ1"
    assert normalize_code("") == ""


GROUPS = "7f3a90b1-6c55-47aa-9f13-0d2e7c9916aa"
LINK = f"https://shop.example/enrollmentcode/{GROUPS}/"
OTHER = "b81d4e02-6c55-47aa-9f13-0d2e7c9916aa"


@pytest.mark.parametrize(
    "pasted",
    [
        "{}",
        "“{}”",
        "„{}“,",
        "«\u00a0{}\u00a0»",
        "({})",
        "[{}].",
        "<{}>;",
        "`{}`",
        "*{}*",
        "•\t{}",
        "\u200b{}\u2060\ufeff",
        "\u202a{}\u202c",
        "Code: {}",
        "CODE：{}",
        "Your code for Statistics: {}.",
        "code={}",
        "Enrollment code # {}",
    ],
)
def test_what_people_add_around_a_code_is_left_out(pasted: str) -> None:
    for code in (GROUPS, "SUMMER15", "SUMMER-15", LINK):
        found = normalize_code(read_code(pasted.format(code)))
        assert found == normalize_code(GROUPS if code == LINK else code)


@pytest.mark.parametrize("dash", ["‐", "‑", "‒", "–", "—", "―", "−", "﹣", "－", " - ", "\u00ad", "_", "·", "⁃", "-\n"])
def test_any_dash_will_do(dash: str) -> None:
    assert normalize_code(read_code(f"Code: {GROUPS.replace('-', dash)}.")) == normalize_code(GROUPS)
    assert normalize_code(read_code(LINK.replace("-", dash))) == normalize_code(GROUPS)


@pytest.mark.parametrize(
    "pasted",
    [
        f"Your code is {GROUPS}. Use it by Friday",
        f"{LINK}?utm_source=mail&utm_id=5",
        f"Take your seat ({LINK}).",
        f"https://safelinks.example/?url=https%3A%2F%2Fshop.example%2Fenrollmentcode%2F{GROUPS}%2F&data={OTHER}",
        f"/enrollmentcode/%22{GROUPS}%22./",
    ],
)
def test_a_code_is_found_in_a_sentence_and_in_a_link(pasted: str) -> None:
    assert normalize_code(read_code(pasted)) == normalize_code(GROUPS)


def test_of_two_codes_none_is_taken() -> None:
    assert normalize_code(read_code(f"{GROUPS} {OTHER}")) == normalize_code(GROUPS + OTHER)


@pytest.mark.parametrize("pasted", ["", " ", ".", "“”", "\u200b"])
def test_punctuation_alone_is_no_code(pasted: str) -> None:
    assert read_code(pasted) == ""


@pytest.mark.parametrize("typed", ["Ada@Example.org", " ada@example.org ", "ADA@EXAMPLE.ORG"])
def test_an_address_is_kept_in_one_form(typed: str) -> None:
    assert normalize_email(typed) == "ada@example.org"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ines@XN--MLLER-KVA.example", "ines@müller.example"),
        ("ines@Müller.example", "ines@müller.example"),
        ("ines@mail.xn--strae-oqa.example", "ines@mail.straße.example"),
        ("ines@xn--a.example", "ines@xn--a.example"),
        ("ines@", "ines@"),
        ("xn--mller-kva.example", "müller.example"),
    ],
)
def test_an_international_domain_is_one_however_it_is_written(typed: str, kept: str) -> None:
    assert normalize_email(typed) == kept
    assert normalize_email(kept) == kept


def test_mail_for_an_international_domain_goes_to_that_domain() -> None:
    assert encode_domain("ines@straße.example") == "ines@xn--strae-oqa.example"
    assert encode_domain("ines@example.org") == "ines@example.org"
    assert encode_domain("ines@\u0301.example") == "ines@\u0301.example"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_starts_a_formula(cell: str) -> None:
    assert escape_formula(cell) == f"'{cell}"


def test_ordinary_cells_stay() -> None:
    assert [escape_formula(cell) for cell in ("", "5-3", "a=b")] == ["", "5-3", "a=b"]


@pytest.mark.parametrize(
    ("titles", "within", "alone"),
    [
        ([], "", ""),
        (["Safety, step by step"], "“Safety, step by step”", "Safety, step by step"),
        (["Safety, step by step", "Statistics"], "“Safety, step by step” and “Statistics”", None),
        (["A, B", "C", "D"], "“A, B”, “C” and “D”", None),
    ],
)
def test_titles_with_commas_stay_apart(titles: list[str], within: str, alone: str | None) -> None:
    assert join_titles(titles) == within
    assert list_titles(titles) == (within if alone is None else alone)
