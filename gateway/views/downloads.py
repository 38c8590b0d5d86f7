"""A file of an export, for whoever holds an address that the management API has given out."""

from django.http import Http404, HttpRequest

from gateway.access import public
from gateway.downloads import FileAnswer
from gateway.rest.methods import methods
from gateway.selectors import export_file


@public("its token, good for one file and a minute, was given to whoever may download it")
@methods("GET", "HEAD")
def download(_request: HttpRequest, token: str) -> FileAnswer:
    """Answer with the file that a token opens."""
    path = export_file(token)
    try:
        file = None if path is None else path.open("rb")
    except FileNotFoundError:  # the export has just expired
        file = None
    if file is None:
        raise Http404
    return FileAnswer(file, as_attachment=True, headers={"Cache-Control": "no-store"})
