"""The OAuth2 endpoints: tokens, their end and their meaning for programs, consent for people."""

import base64
import binascii
import datetime
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_plus

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from oauth2_provider.forms import AllowForm
from oauth2_provider.views.base import AuthorizationView, RevokeTokenView, TokenView
from oauth2_provider.views.introspect import IntrospectTokenView

from audit.actor import Actor
from audit.rest.fields import unfit
from gateway.access import public, signed_in
from gateway.middleware import content_security_policy
from gateway.models import OAuthApplication
from gateway.oauth.events import REFUSE, note_oauth
from gateway.oauth.redirects import form_target
from gateway.rest.methods import methods
from gateway.selectors import token_application
from tenants import sign_in as attempts
from tenants.sign_in import Pace

FORM = "application/x-www-form-urlencoded"
ADDRESS = Pace(120, datetime.timedelta(milliseconds=500))
CLIENT = Pace(10, datetime.timedelta(seconds=30))
"""Of attempts that fail: a token that is issued forgets those before it."""

Answer = Callable[[HttpRequest], HttpResponse]


class NoClientError(Exception):
    """A request does not say which application asks, or says it twice."""


class Introspection(IntrospectTokenView):  # type: ignore[misc]  # untyped
    """Says what a token is good for, to applications of the token's tenant and of the platform."""

    http_method_names = ("post",)

    def unauthenticated_response(self, _request: HttpRequest, _asked: Any) -> HttpResponse:
        """Refuse an application that has not proven itself (RFC 7662, section 2.3)."""
        return _unknown_client("The application is unknown, or its secret is wrong.")

    def post(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        """Answer for the token in the body."""
        token = request.POST.get("token", "")
        asking = OAuthApplication.objects.filter(client_id=client_of(request)).first()
        owner = token_application(token)
        is_foreign = (
            owner is None
            or asking is None
            or asking.tenant_id
            not in (
                None,
                owner.tenant_id,
            )
        )
        if token and is_foreign:
            return JsonResponse({"active": False})
        answer: HttpResponse = self.get_token_response(token or None)
        return answer


class Consent(AuthorizationView):  # type: ignore[misc]  # untyped
    """Asks a person whether an application may act for them."""

    template_name = "gateway/oauth_consent.html"

    def form_valid(self, form: AllowForm) -> HttpResponseBase:
        """Send the person back with their answer; a refusal is an event, too."""
        asked = form.cleaned_data
        application = OAuthApplication.objects.filter(client_id=asked["client_id"]).first()
        uri = asked.get("redirect_uri") or ""
        if application is None or not application.redirect_uri_allowed(uri):
            raise BadRequest("this is no answer to a question of ours")
        if not asked.get("allow"):
            told = {"scopes": sorted(set(asked["scope"].split()) & set(application.scopes))}
            note_oauth(self.request.actor, REFUSE, application, told)
        answer: HttpResponseBase = super().form_valid(form)
        return answer

    def redirect(self, redirect_to: str, application: OAuthApplication | None) -> HttpResponseBase:
        """Send the person to the application, by the schemes that it may use."""
        if application is None:  # the question was faulty, but it says who asks
            client_id = self.request.GET.get("client_id", "")
            application = OAuthApplication.objects.filter(client_id=client_id).first()
        answer: HttpResponseBase = super().redirect(redirect_to, application)
        return answer

    def render_to_response(self, context: dict[str, Any], **terms: Any) -> HttpResponseBase:
        """Return the page; its form leads to the application, which the policy must allow."""
        page: HttpResponseBase = super().render_to_response(context, **terms)
        if "application" in context and "error" not in context:
            target = form_target(context["redirect_uri"])  # one of the application's own
            page["Content-Security-Policy"] = content_security_policy(target)
        return page


def _for_programs(answer: Answer) -> Answer:
    """Bound how often an address, and how often without success an application, may ask."""

    @wraps(answer)
    def bounded(request: HttpRequest) -> HttpResponse:
        if request.content_type != FORM:
            return _error("invalid_request", f"Send {FORM}.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        if next(unfit(dict(request.POST.lists())), None) is not None:
            return _error("invalid_request", "A value holds U+0000.", HTTPStatus.BAD_REQUEST)
        address = attempts.network(request.META.get("REMOTE_ADDR", ""))
        try:
            # With the address, so that nobody elsewhere can use up what an application may try.
            subject = attempts.subject("oauth application", f"{client_of(request)} {address}")
        except NoClientError:
            return _unknown_client("Say once who asks.")
        now = timezone.now()
        attempts.forget(now)
        wait_s = attempts.take(
            attempts.subject("oauth address", address), ADDRESS, now
        ) or attempts.take(subject, CLIENT, now)
        if wait_s:
            slow = _error("slow_down", "Too many requests.", HTTPStatus.TOO_MANY_REQUESTS)
            slow["Retry-After"] = str(wait_s)
            return slow
        answered = answer(request)
        if answered.status_code == HTTPStatus.OK:
            attempts.clear(subject)
        answered["Cache-Control"] = "no-store"
        if answered.content:  # the library names no type where it refuses late
            answered["Content-Type"] = "application/json"
        return answered

    return bounded


token = public("an application's secret, or a person's code, is the permission")(
    csrf_exempt(methods("POST")(_for_programs(TokenView.as_view())))
)
revoke = public("whoever has a token and its application's secret may end it")(
    csrf_exempt(methods("POST")(_for_programs(RevokeTokenView.as_view())))
)
introspect = public("an application's secret is the permission")(
    csrf_exempt(methods("POST")(_for_programs(Introspection.as_view())))
)


@signed_in("a person says what an application may do for them")
@require_http_methods(["GET", "HEAD", "POST"])
def authorize(request: HttpRequest, _actor: Actor) -> HttpResponse:
    """Ask, or send the person back to the application with the answer."""
    page: HttpResponse = Consent.as_view()(request)
    if hasattr(page, "render"):
        page.render()
    return page


def client_of(request: HttpRequest) -> str:
    """Return the id of the application that asks; raise NoClientError where it is not one."""
    scheme, _, coded = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    said = {value for value in request.POST.getlist("client_id") if value}
    if scheme == "Basic":
        try:
            text = base64.b64decode(coded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise NoClientError from None
        said.add(unquote_plus(text.partition(":")[0]))
    if len(said) != 1 or next(unfit(list(said)), None) is not None:
        raise NoClientError
    return said.pop()


def _unknown_client(description: str) -> HttpResponse:
    answer = _error("invalid_client", description, HTTPStatus.UNAUTHORIZED)
    answer["WWW-Authenticate"] = 'Basic realm="gatehouse"'
    return answer


def _error(code: str, description: str, status: HTTPStatus) -> HttpResponse:
    return JsonResponse({"error": code, "error_description": description}, status=status)
