"""The console's addresses. What the data plane answers never comes here (gateway/asgi.py)."""

from django.urls import URLPattern, URLResolver, include, path

from gateway.api import router
from gateway.views import calls, errors, oauth, schema, setup, sign_in

urlpatterns: list[URLPattern | URLResolver] = [
    path("", calls.home, name="home"),
    path("api/schema/", schema.schema, name="schema"),
    path("api/v1/", include(router.urls())),
    path("calls", calls.page, name="calls"),
    path("calls/<uuid:call_id>", calls.show, name="call"),
    path("o/authorize/", oauth.authorize, name="oauth_authorize"),
    path("o/introspect/", oauth.introspect, name="oauth_introspect"),
    path("o/revoke/", oauth.revoke, name="oauth_revoke"),
    path("o/token/", oauth.token, name="oauth_token"),
    path("setup/<str:token>", setup.first_owner, name="setup"),
    path("sign-in", sign_in.sign_in, name="sign_in"),
    path("sign-out", sign_in.sign_out, name="sign_out"),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.broken
