"""Sign in and out. Nobody learns from an answer whether an e-mail is known."""

from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from audit.actor import Actor
from gateway.access import public, signed_in
from tenants import sign_in as attempts
from tenants.models import User
from tenants.selectors import actor_of, owner_exists
from tenants.services.sessions import session_close, session_open, session_refuse

PASSWORD_LENGTH_MAX = 1024
EMAIL_LENGTH_MAX = 254
BACKEND = "django.contrib.auth.backends.ModelBackend"
SOMEBODY = "somebody not signed in"
WRONG = "This e-mail and password do not belong together, or the account is closed."


class SignInForm(forms.Form):
    """Who somebody says to be."""

    email = forms.CharField(
        label="E-mail",
        max_length=EMAIL_LENGTH_MAX,
        widget=forms.EmailInput({"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label="Password",
        max_length=PASSWORD_LENGTH_MAX,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )


@public("nobody is signed in before this page")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the form, or check it: at most so many attempts for an address and an e-mail."""
    onward = own_path(request.POST.get("next") or request.GET.get("next") or "")
    if isinstance(request.user, User):
        return redirect(onward)
    form = SignInForm(request.POST if request.method == "POST" else None)
    if not form.is_bound:
        return _page(request, form, onward, HTTPStatus.OK)
    if not form.is_valid():
        return _page(request, form, onward, HTTPStatus.UNPROCESSABLE_ENTITY)
    email, password = form.cleaned_data["email"], form.cleaned_data["password"]
    address = request.META.get("REMOTE_ADDR", "")
    wait_s = attempts.attempt(email=email, address=address, now=timezone.now())
    if wait_s:
        form.add_error(None, f"That was too many attempts. Try again in {_waiting(wait_s)}.")
        refused = _page(request, form, onward, HTTPStatus.TOO_MANY_REQUESTS)
        refused["Retry-After"] = str(wait_s)
        return refused
    user = authenticate(request, username=email, password=password)
    if not isinstance(user, User):
        session_refuse(actor=Actor("user", "", SOMEBODY, address), email=email)
        form.add_error(None, WRONG)
        return _page(request, form, onward, HTTPStatus.UNPROCESSABLE_ENTITY)
    attempts.succeeded(email=email)
    let_in(request, user)
    return redirect(onward)


@transaction.atomic
def let_in(request: HttpRequest, user: User) -> None:
    """Begin the session of a person who has shown who they are, with its event."""
    login(request, user, backend=BACKEND)
    session_open(actor=actor_of(user, request.META.get("REMOTE_ADDR", "")), user=user)


@signed_in("whoever came in may leave")
@require_POST
def sign_out(request: HttpRequest, actor: Actor) -> HttpResponse:
    """End the session."""
    if isinstance(request.user, User):
        session_close(actor=actor, user=request.user)
    logout(request)
    return redirect(reverse("sign_in"))


def own_path(wanted: str) -> str:
    """Return a path of ours to go to: the one wanted, or the first page."""
    is_path = wanted.startswith("/") and wanted.isprintable()
    is_ours = is_path and url_has_allowed_host_and_scheme(wanted, None)
    return wanted if is_ours else reverse("home")


def _page(request: HttpRequest, form: SignInForm, onward: str, status: HTTPStatus) -> HttpResponse:
    content: dict[str, Any] = {"form": form, "next": onward, "has_owner": owner_exists()}
    return render(request, "tenants/sign_in.html", content, status=status)


def _waiting(seconds: int) -> str:
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds} second{'s' if seconds > 1 else ''}"
    minutes = -(-seconds // 60)
    return f"{minutes} minute{'s' if minutes > 1 else ''}"
