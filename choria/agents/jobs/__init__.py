"""Commands that go on without us: jobs, kept by a small program each, known after a restart."""

from __future__ import annotations

from .model import Job, JobSpec, Kept, Phase
from .running import end_job, look, read_output, spec_for, start_job, wait_for
from .store import JobStore

__all__ = [
    "Job",
    "JobSpec",
    "JobStore",
    "Kept",
    "Phase",
    "end_job",
    "look",
    "read_output",
    "spec_for",
    "start_job",
    "wait_for",
]
