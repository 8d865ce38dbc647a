from django.urls import path

from dev.demo_lms.views import demo_purchase_complete, test, test_celery_signal

urlpatterns = [
    path("test/", test, name="demo-lms-test"),
    path("test_celery_signal/", test_celery_signal, name="demo-lms-test-celery-signal"),
    path("demo_purchase_complete/", demo_purchase_complete, name="demo-lms-demo-purchase-complete"),
]
