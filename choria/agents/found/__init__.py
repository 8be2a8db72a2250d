"""Agents found on disk: added, upgraded and removed while the node runs."""

from __future__ import annotations

from .catalogue import RESERVED, Catalogue
from .external import EXTERNAL, LASTING, ExternalFolder
from .files import Settling, check_owner, read_checked, version_of
from .model import Facts, Found, Scan, Source
from .modules import ModuleFolder, activated

__all__ = [
    "EXTERNAL",
    "LASTING",
    "RESERVED",
    "Catalogue",
    "ExternalFolder",
    "Facts",
    "Found",
    "ModuleFolder",
    "Scan",
    "Settling",
    "Source",
    "activated",
    "check_owner",
    "read_checked",
    "version_of",
]
