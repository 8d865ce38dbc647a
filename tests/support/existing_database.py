"""A pytest plugin: use the database that DATABASE_URL names as it is, and leave in it what tests wrote."""

from unittest import mock

import pytest
from django.test import TransactionTestCase


@pytest.fixture(scope="session", autouse=True)
def _keep_rows() -> object:
    with mock.patch.object(TransactionTestCase, "_fixture_teardown", return_value=None):
        yield


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """Replace pytest-django's fixture, which would make a database."""
