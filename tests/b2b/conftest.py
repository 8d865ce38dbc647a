import pytest


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Contracts live in the database."""
