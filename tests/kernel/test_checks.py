"""The system check of the mail server's password."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks

from mitxonline.kernel.checks import check_mail_password

OPEN = {"EMAIL_HOST": "mail.x.example", "EMAIL_HOST_PASSWORD": "secret", "EMAIL_USE_TLS": False, "EMAIL_USE_SSL": False}


@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({}, ["kernel.W001"]),
        ({"EMAIL_USE_TLS": True}, []),
        ({"EMAIL_USE_SSL": True}, []),
        ({"EMAIL_HOST_PASSWORD": ""}, []),
        ({"EMAIL_HOST": "localhost"}, []),
        ({"EMAIL_HOST": "127.0.0.1"}, []),
    ],
)
def test_a_password_that_goes_in_clear_is_warned_about(settings: Any, changed: dict[str, Any], ids: list[str]) -> None:
    for name, value in (OPEN | changed).items():
        setattr(settings, name, value)
    found = check_mail_password()
    assert [each.id for each in found] == ids
    assert "secret" not in "".join(f"{each.msg}{each.hint}" for each in found)


def test_deploy_checks_warn_about_it_and_others_leave_it() -> None:
    assert check_mail_password in checks.registry.registry.get_checks(include_deployment_checks=True)
    assert check_mail_password not in checks.registry.registry.get_checks()
