from django.urls import path

from attention import views

urlpatterns = [path("units/<uuid:unit_id>/attention", views.AttentionView.as_view(), name="attention")]
