"""The console's addresses, below /app/."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.i18n import set_language

from console.views import account, campaigns, connection, contacts, imports, inbox, media

app_name = "console"

unit_urls = [
    path("", inbox.index, name="inbox"),
    path("conversations", inbox.rows, name="conversations"),
    path("conversations/new", inbox.new, name="new-conversation"),
    path("conversations/<uuid:conversation_id>", inbox.thread, name="conversation"),
    path("conversations/<uuid:conversation_id>/messages", inbox.messages, name="messages"),
    path("conversations/<uuid:conversation_id>/read", inbox.read, name="read"),
    path("messages/<uuid:message_id>/settle", inbox.settle, name="settle"),
    path("messages/<uuid:message_id>/media", media.file, name="message-media"),
    path("messages/<uuid:message_id>/media/thumbnail", media.thumbnail, name="message-thumbnail"),
    path("messages/<uuid:message_id>/media/retry", media.retry, name="retry-media"),
    path("number", connection.page, name="number"),
    path("number/panel", connection.panel, name="number-panel"),
    path("number/state", connection.state, name="number-state"),
    path("number/connect", connection.connect, name="number-connect"),
    path("number/disconnect", connection.disconnect, name="number-disconnect"),
    path("number/groups", connection.groups, name="number-groups"),
    path("number/release", connection.release, name="number-release"),
    path("number/pace", connection.pace, name="number-pace"),
    path("number/waiting", connection.waiting, name="number-waiting"),
    path("number/waiting/later", connection.later, name="number-later"),
    path("campaigns", campaigns.index, name="campaigns"),
    path("campaigns/new", campaigns.new, name="new-campaign"),
    path("campaigns/new/contacts", campaigns.pick, name="pick-contacts"),
    path("campaigns/new/check", campaigns.check, name="check-campaign"),
    path("campaigns/<uuid:campaign_id>", campaigns.detail, name="campaign"),
    path("campaigns/<uuid:campaign_id>/edit", campaigns.edit, name="edit-campaign"),
    path("campaigns/<uuid:campaign_id>/rehearsal", campaigns.rehearsal, name="campaign-rehearsal"),
    path("campaigns/<uuid:campaign_id>/recipients.csv", campaigns.export, name="export-recipients"),
    path("campaigns/<uuid:campaign_id>/progress", campaigns.progress, name="campaign-progress"),
    path("campaigns/<uuid:campaign_id>/recipients", campaigns.recipients, name="campaign-recipients"),
    path("campaigns/<uuid:campaign_id>/<slug:action>", campaigns.act, name="campaign-action"),
    path("contacts", contacts.index, name="contacts"),
    path("contacts/new", contacts.new, name="new-contact"),
    path("contacts/export", imports.export, name="export-contacts"),
    path("contacts/imports", imports.index, name="imports"),
    path("contacts/imports/preview", imports.preview, name="import-preview"),
    path("contacts/imports/<uuid:import_id>", imports.detail, name="import"),
    path("contacts/imports/<uuid:import_id>/cancel", imports.cancel, name="cancel-import"),
    path("contacts/imports/<uuid:import_id>/refused", imports.refused, name="import-refused"),
    path("contacts/<uuid:contact_id>", contacts.detail, name="contact"),
    path("contacts/<uuid:contact_id>/consent/<slug:action>", contacts.consent_step, name="contact-consent"),
    path("contacts/<uuid:contact_id>/conversation", contacts.converse, name="contact-conversation"),
]

urlpatterns = [
    path("", account.home, name="home"),
    path("login", account.Login.as_view(), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("password", account.forgot, name="forgot-password"),
    path("password/<slug:uidb64>/<slug:token>", account.SetPassword.as_view(), name="set-password"),
    path("language", set_language, name="language"),
    path("u/<uuid:unit_id>/", include(unit_urls)),
]
