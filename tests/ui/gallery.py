"""Every component in its states, on one page that only the tests have."""

from django.shortcuts import render
from django.urls import path

from gateway.access import public
from gateway.charts import Point, chart, spark
from gateway.urls import handler400, handler403, handler404, handler500, urlpatterns
from gateway.views.sign_in import SignInForm

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

POINTS = [Point(f"{day} Nov", value) for day, value in enumerate((3, 5, 4, 8, 13, 9, 11), 1)]


@public("a gallery for the tests")
def gallery(request):
    given = {
        "form": SignInForm({"email": ""}),
        "chart": chart(POINTS),
        "spark": spark([point.value for point in POINTS]),
        "meters": [
            {"spent": 30, "held": 10, "look": "", "text": "30 of 100 spent, 10 held"},
            {"spent": 80, "held": 5, "look": "warn", "text": "80 of 100 spent, 5 held"},
            {"spent": 100, "held": 0, "look": "bad", "text": "100 of 100 spent"},
        ],
    }
    return render(request, "console/gallery.html", given)


urlpatterns = [*urlpatterns, path("__ui__/", gallery, name="gallery")]
