"""Addresses around an account."""

from django.urls import path

from mitxonline.users import views
from mitxonline.users.sso import views as sso

urlpatterns = [
    # One way in and out, for visitors as for the administrations.
    path("admin/login/", views.staff_login, {"home": "/admin/"}),
    path("admin/logout/", views.log_out),
    path("cms/login/", views.staff_login, {"home": "/cms/"}),
    path("_util/login/", views.staff_login),
    path("cms/logout/", views.log_out),
    path("login/", views.LoginView.as_view(), name="login"),
    path("login/connect/", sso.ask_for_link, name="sso_connect"),
    path("login/connect/<str:token>/", sso.connect_by_link, name="sso_connect_link"),
    path("login/<slug:backend>/", sso.begin, name="sso_begin"),
    path("complete/<slug:backend>/", sso.complete, name="sso_complete"),
    path("sso/<slug:backend>/logout/", sso.backchannel_logout, name="sso_backchannel_logout"),
    path("logout/", views.log_out, name="logout"),
    path("logout/done/", sso.logged_out, name="logged_out"),
    path("account/connections/<int:connection_id>/disconnect/", sso.disconnect, name="sso_disconnect"),
    path("register/", views.RegisterView.as_view(), name="register"),
    path("password-reset/", views.PasswordResetView.as_view(), name="password_reset"),
    path("password-reset/sent/", views.password_reset_done, name="password_reset_done"),
    path(
        "password-reset/<uidb64>/<token>/",
        views.PasswordResetConfirmView.as_view(),
        name="password_reset_confirm",
    ),
    path("verify-email/<str:token>/", views.VerifyEmailView.as_view(), name="verify_email"),
    path("account/", views.AccountView.as_view(), name="account"),
    path("account/password/", views.PasswordChangeView.as_view(), name="password_change"),
    path("account/verify-email/", views.send_verification, name="send_verification"),
]
