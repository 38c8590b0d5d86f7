"""The console's addresses. What the data plane answers never comes here (gateway/asgi.py)."""

from django.urls import URLPattern, URLResolver, path

from gateway.views import apps, calls, errors, keys, setup, sign_in, theme

urlpatterns: list[URLPattern | URLResolver] = [
    path("", calls.home, name="home"),
    path("calls", calls.page, name="calls"),
    path("calls/<uuid:call_id>", calls.show, name="call"),
    path("keys", keys.page, name="keys"),
    path("keys/new", keys.issue, name="key_issue"),
    path("keys/<uuid:key_id>", keys.show, name="key"),
    path("keys/<uuid:key_id>/rotate", keys.rotate, name="key_rotate"),
    path("keys/<uuid:key_id>/revoke", keys.revoke, name="key_revoke"),
    path("apps", apps.page, name="apps"),
    path("apps/new", apps.create, name="app_create"),
    path("apps/<uuid:app_id>", apps.show, name="app"),
    path("apps/<uuid:app_id>/edit", apps.edit, name="app_edit"),
    path("apps/<uuid:app_id>/suspend", apps.suspend, name="app_suspend"),
    path("apps/<uuid:app_id>/resume", apps.resume, name="app_resume"),
    path("apps/<uuid:app_id>/remove", apps.remove, name="app_remove"),
    path("setup/<str:token>", setup.first_owner, name="setup"),
    path("sign-in", sign_in.sign_in, name="sign_in"),
    path("theme", theme.choose, name="theme"),
    path("sign-out", sign_in.sign_out, name="sign_out"),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.broken
