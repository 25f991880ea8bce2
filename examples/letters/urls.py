from django.urls import path

from letters import views

urlpatterns = [
    path("count/", views.count, name="count_primes"),
    path("deliver/", views.deliver, name="deliver_letter"),
]
