"""Addresses."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, path, register_converter

from frontend.site.converters import FileKind, Hexadecimal
from frontend.views import (
    basket_link,
    calendars,
    cart,
    checkout,
    covers,
    dashboard,
    enroll,
    groups,
    here,
    manager_people,
    managers,
    orders,
    organizations,
    payment,
    redeem,
    robots,
    search,
)

register_converter(Hexadecimal, "hex32")
register_converter(FileKind, "filekind")

urlpatterns: list[URLPattern | URLResolver] = [
    path(
        "covers/<int:version>/<slug:shape>/<slug:palette>-<hex32:seed>.svg",
        covers.cover,
        name="cover",
    ),
    path("covers/<int:version>/social/<slug:palette>-<hex32:seed>.png", covers.card, name="social-card"),
    path("brand.css", covers.brand_stylesheet, name="brand-stylesheet"),
    path("brand-mark.svg", covers.brand_mark, name="brand-mark"),
    path("favicon.ico", covers.favicon, name="favicon"),
    path("apple-touch-icon.png", covers.phone_icon, name="phone-icon"),
    path("robots.txt", robots.robots, name="robots"),
    path("search/suggestions/", search.suggestions, name="search-suggestions"),
    path("instructors/<slug:slug>/", search.instructor, name="instructor"),
    path("cart/", cart.cart, name="cart"),
    path("cart/add/", cart.add, name="cart-add"),
    path("site-check/here/", here.here, name="site-here"),
    path("basket/add/", basket_link.add_from_course_site, name="basket-add"),
    path("cart/group/", cart.group, name="cart-group"),
    path("cart/seats/", cart.seats, name="cart-seats"),
    path("cart/starts/", cart.starts, name="cart-starts"),
    path("cart/remove/", cart.remove, name="cart-remove"),
    path("cart/code/", cart.apply, name="cart-code"),
    path("cart/code/remove/", cart.remove_applied_code, name="cart-code-remove"),
    path("cart/keep/", cart.keep, name="cart-keep"),
    path("cart/back/", cart.back, name="cart-back"),
    path("cart/header/", cart.header, name="cart-header"),
    path("cart/leave/", cart.leave, name="cart-leave"),
    path("checkout/", checkout.checkout, name="checkout"),
    path("checkout/details/", checkout.details, name="checkout-details"),
    path("checkout/receipt/", orders.receipt, name="receipt"),
    path("payment/completed/<uuid:reference>/", payment.completed, name="payment-completed"),
    path("payment/canceled/<uuid:reference>/", payment.canceled, name="payment-canceled"),
    path("payment/<slug:gateway>/form/<uuid:reference>/", payment.hand_over, name="payment-form"),
    path("payment/<slug:gateway>/return/", payment.answer, name="payment-answer"),
    path("checkout/receipt/codes/", orders.codes, name="receipt-codes"),
    path("checkout/receipt/pdf/", orders.pdf, name="receipt-pdf"),
    path("orders/history/", orders.history, name="orders"),
    path("orders/refund/", orders.refund, name="refund"),
    path("redeem/", redeem.enter, name="redeem"),
    path("enrollmentcode/", redeem.enter, name="enrollment-code-entry"),
    path("enrollmentcode/<path:code>/", redeem.redeem, name="enrollment-code"),
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("dashboard/start/", dashboard.start, name="dashboard-start"),
    path("enroll/", enroll.enroll, name="enroll"),
    path("calendar/<int:run_id>.ics", calendars.run_dates, name="run-calendar"),
    path("manage-seats/", managers.choose_organization, name="manage-seats"),
    path("organizations/<str:slug>/manage/", managers.list_contracts, name="manage"),
    path("organizations/<str:slug>/manage/people/", manager_people.list_people, name="manage-people"),
    path(
        "organizations/<str:slug>/manage/people/<int:seat_id>/withdraw/",
        manager_people.remove_person,
        name="manage-person-remove",
    ),
    path("organizations/<str:slug>/manage/<int:contract_id>/", managers.list_codes, name="manage-codes"),
    path(
        "organizations/<str:slug>/manage/<int:contract_id>/more-seats/",
        manager_people.ask_for_more_seats,
        name="manage-more-seats",
    ),
    path(
        "organizations/<str:slug>/manage/<int:contract_id>/hand-out/", managers.hand_out_codes, name="manage-hand-out"
    ),
    path(
        "organizations/<str:slug>/manage/<int:contract_id>/selected/", managers.act_on_selection, name="manage-selected"
    ),
    path(
        "organizations/<str:slug>/manage/<int:contract_id>/replace/<int:run_id>/",
        managers.replace_link,
        name="manage-replace",
    ),
    path(
        "organizations/<str:slug>/manage/<int:contract_id>/codes.csv", managers.download_codes, name="manage-codes-file"
    ),
    path(
        "organizations/<str:slug>/manage/<int:contract_id>/redemptions.<filekind:kind>",
        managers.download_redemptions,
        name="manage-redemptions",
    ),
    path("group-purchases/", groups.list_groups, name="groups"),
    path("group-purchases/lists/new/", groups.add_list, name="company-list-new"),
    path("group-purchases/lists/<int:list_id>/", groups.show_list, name="company-list"),
    path("group-purchases/lists/<int:list_id>/delete/", groups.remove_list, name="company-list-delete"),
    path("group-purchases/lists/<int:list_id>/helpers/", groups.add_list_helper, name="company-list-helpers"),
    path(
        "group-purchases/lists/<int:list_id>/helpers/<int:helper_id>/remove/",
        groups.drop_list_helper,
        name="company-list-helper-remove",
    ),
    path(
        "group-purchases/lists/<int:list_id>/<int:sale_id>/remove/",
        groups.take_off_list,
        name="company-list-sale-remove",
    ),
    path("group-purchases/<int:sale_id>/", groups.show_group, name="group"),
    path("group-purchases/<int:sale_id>/hand-out/", groups.hand_out_codes, name="group-hand-out"),
    path("group-purchases/<int:sale_id>/selected/", groups.act_on_selection, name="group-selected"),
    path("group-purchases/<int:sale_id>/codes.<filekind:kind>", groups.download_codes, name="group-file"),
    path("group-purchases/<int:sale_id>/helpers/", groups.add_helper, name="group-helpers"),
    path(
        "group-purchases/<int:sale_id>/helpers/<int:helper_id>/remove/",
        groups.drop_helper,
        name="group-helper-remove",
    ),
    path("group-purchases/<int:sale_id>/list/", groups.choose_list, name="group-list"),
    path("organizations/<path:rest>/", organizations.organization, name="organization"),
]

if settings.SANDBOX_PAYMENTS:
    urlpatterns += [path("payment/sandbox/<uuid:reference>/", payment.sandbox, name="sandbox-payment")]
