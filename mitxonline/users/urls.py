"""Addresses around an account."""

from django.urls import path

from mitxonline.users.views import accounts, deleting, providers

urlpatterns = [
    # One way in and out, for visitors as for the administrations.
    path("admin/login/", accounts.staff_login, {"home": "/admin/"}),
    path("admin/logout/", accounts.log_out),
    path("cms/login/", accounts.staff_login, {"home": "/cms/"}),
    path("_util/login/", accounts.staff_login),
    path("cms/logout/", accounts.log_out),
    path("login/", accounts.LoginView.as_view(), name="login"),
    path("login/connect/", providers.ask_for_link, name="sso_connect"),
    path("login/connect/<str:token>/", providers.connect_by_link, name="sso_connect_link"),
    path("login/<slug:provider_name>/", providers.begin, name="sso_begin"),
    path("complete/<slug:provider_name>/", providers.complete, name="sso_complete"),
    path("sso/<slug:provider_name>/logout/", providers.backchannel_logout, name="sso_backchannel_logout"),
    path("logout/", accounts.log_out, name="logout"),
    path("logout/done/", providers.logged_out, name="logged_out"),
    path("account/connections/<int:connection_id>/disconnect/", providers.disconnect, name="sso_disconnect"),
    path("register/", accounts.RegisterView.as_view(), name="register"),
    path("password-reset/", accounts.PasswordResetView.as_view(), name="password_reset"),
    path("password-reset/sent/", accounts.password_reset_done, name="password_reset_done"),
    path(
        "password-reset/<uidb64>/<token>/",
        accounts.PasswordResetConfirmView.as_view(),
        name="password_reset_confirm",
    ),
    path("verify-email/<str:token>/", accounts.VerifyEmailView.as_view(), name="verify_email"),
    path("account/", accounts.AccountView.as_view(), name="account"),
    path("account/password/", accounts.PasswordChangeView.as_view(), name="password_change"),
    path("account/email/", accounts.EmailChangeView.as_view(), name="email_change"),
    path("account/email/<str:token>/", accounts.EmailChangeLinkView.as_view(), name="email_change_link"),
    path("account/data/", accounts.download_data, name="account_data"),
    path("account/delete/", deleting.DeleteAccountView.as_view(), name="account_delete"),
    path("account/delete/<str:token>/", deleting.DeleteLinkView.as_view(), name="account_delete_link"),
    path("account/deleted/", deleting.show_deleted, name="account_deleted"),
    path("account/verify-email/", accounts.send_verification, name="send_verification"),
]
