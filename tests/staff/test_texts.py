"""Filters for texts on staff pages."""

from __future__ import annotations

from mitxonline.staff.templatetags.staff_text import breakable


def test_a_long_name_wraps_between_its_parts_only() -> None:
    assert breakable("courses.receivers.bring_run") == "courses.<wbr>receivers.<wbr>bring_<wbr>run"
    assert breakable("course-v1:MITx+6.00") == "course-v1:<wbr>MITx+<wbr>6.00"
    assert breakable("site/runs.py:123: away") == "site/<wbr>runs.<wbr>py:<wbr>123: away"


def test_sentences_amounts_days_and_times_stay_as_they_are() -> None:
    for text in ("It failed. Why?", "$1,250.50", "05/01/2027", "23:21:26"):
        assert breakable(text) == text


def test_what_looks_like_markup_stays_text() -> None:
    assert breakable("<b>.x & y") == "&lt;b&gt;.<wbr>x &amp; y"
