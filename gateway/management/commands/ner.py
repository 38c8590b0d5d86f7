"""`manage.py ner`: the process that finds names by models, for all web workers of a host."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from gateway.ner import process


class Command(BaseCommand):
    help = "Load the models that GATEHOUSE_NER names, and find names for the web workers."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        sys.exit(process.main(os.environ))
