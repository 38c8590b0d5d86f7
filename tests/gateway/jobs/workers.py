"""A real Celery worker in a process of its own."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.db.models.functions import Now

from gateway.models import Job

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60.0


def end_what_is_left():
    """End what other tests left waiting: a worker would have to see to all of it first."""
    left = Job.objects.filter(finished_at=None)
    left.update(state=Job.State.CANCELLED, finished_at=Now(), lease_until=None, holder="")


class Worker:
    """Started as production starts it, with fewer threads."""

    def __enter__(self):
        self.log = tempfile.NamedTemporaryFile()
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "celery", "--quiet", "-A", "gateway.celery", "worker",
                "--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle",
            ],
            cwd=ROOT, env=dict(os.environ), stdout=self.log, stderr=self.log,
        )  # fmt: skip
        return self

    def __exit__(self, *_):
        self.kill()
        self.log.close()

    def kill(self):
        """SIGKILL it, as the kernel does when memory is short."""
        self.process.kill()
        self.process.wait(PATIENCE_S)
