import pytest
from django.test import Client
from social_django.models import UserSocialAuth

from mitxonline.users.models import User
from tests.support.oidc import FakeProvider
from tests.users.sso.conftest import is_signed_in, sign_in

pytestmark = pytest.mark.django_db


def test_a_new_user_gets_an_account_with_name_and_address(client: Client, provider: FakeProvider) -> None:
    response = sign_in(client, provider)
    assert (response.status_code, response["Location"]) == (302, "/dashboard/")
    user = User.objects.get()
    assert (user.email, user.name, user.is_email_verified) == ("amara@northgate.example", "Amara Okafor", True)
    assert not user.has_usable_password()
    assert is_signed_in(client)
    connection = UserSocialAuth.objects.get()
    assert (connection.provider, connection.uid) == ("keycloak", f"{provider.issuer}#{provider.claims['sub']}")
