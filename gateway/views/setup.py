"""The set-up link: makes the first owner of the installation, once."""

from http import HTTPStatus

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway.access import public
from gateway.selectors import setup_token_is_good
from gateway.views.errors import explain
from gateway.views.sign_in import EMAIL_LENGTH_MAX, PASSWORD_LENGTH_MAX, let_in
from tenants.models import User
from tenants.selectors import owner_exists
from tenants.services.people import owner_create


class FirstOwnerForm(forms.Form):
    """The first owner, as they describe themselves."""

    email = forms.EmailField(
        label="E-mail",
        max_length=EMAIL_LENGTH_MAX,
        widget=forms.EmailInput({"autocomplete": "username", "autofocus": True}),
    )
    name = forms.CharField(
        label="Name",
        required=False,
        max_length=120,
        widget=forms.TextInput({"autocomplete": "name"}),
    )
    password = forms.CharField(
        label="Password",
        max_length=PASSWORD_LENGTH_MAX,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text=" ".join(password_validators_help_texts()),
    )
    repeated = forms.CharField(
        label="Password again",
        max_length=PASSWORD_LENGTH_MAX,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )

    def clean_repeated(self) -> str:
        """Refuse a second password that is not the first."""
        repeated: str = self.cleaned_data["repeated"]
        if "password" in self.cleaned_data and repeated != self.cleaned_data["password"]:
            raise ValidationError("The two passwords differ.")
        return repeated


@public("the link itself is the permission; it dies once an owner exists")
@require_http_methods(["GET", "HEAD", "POST"])
def first_owner(request: HttpRequest, token: str) -> HttpResponse:
    """Show the form, or create the owner and sign them in."""
    if owner_exists():
        return _used(request)
    if not setup_token_is_good(token):
        return _unknown(request)
    form = FirstOwnerForm(request.POST if request.method == "POST" else None)
    if not form.is_bound:
        return render(request, "tenants/owner_create.html", {"form": form})
    if form.is_valid():
        try:
            user = _create(form, request.META.get("REMOTE_ADDR", ""))
        except PermissionDenied:  # another was faster
            return _used(request)
        except ValidationError as error:
            _show(form, error)
        else:
            let_in(request, user)
            return redirect(reverse("home"))
    return render(
        request,
        "tenants/owner_create.html",
        {"form": form},
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
    )


def _create(form: FirstOwnerForm, address: str) -> User:
    given = form.cleaned_data
    return owner_create(
        actor=Actor("user", "", f"set-up link ({given['email']})", address),
        email=given["email"],
        name=given["name"],
        password=given["password"],
    )


def _show(form: FirstOwnerForm, error: ValidationError) -> None:
    """Put what the service says where the person can mend it."""
    if not hasattr(error, "error_dict"):
        form.add_error("password", error)
        return
    for name, faults in error.error_dict.items():
        form.add_error(name if name in form.fields else None, faults)


def _used(request: HttpRequest) -> HttpResponse:
    return explain(
        request,
        HTTPStatus.GONE,
        "This installation has its owner",
        "The set-up link works once, and it was used.",
        f"Sign in at {reverse('sign_in')}. If it was not you who used the link, stop the server"
        " and look into the events before you go on.",
    )


def _unknown(request: HttpRequest) -> HttpResponse:
    return explain(
        request,
        HTTPStatus.NOT_FOUND,
        "This set-up link is not valid",
        "It is incomplete, or older than seven days, or it comes from another installation.",
        "Start the server again: it prints a new link as long as there is no owner.",
    )
