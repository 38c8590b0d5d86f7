"""The process of the models: `python -m gateway.ner`, or `manage.py ner`."""

import os
import sys

from gateway.ner.process import main

if __name__ == "__main__":
    sys.exit(main(os.environ))
