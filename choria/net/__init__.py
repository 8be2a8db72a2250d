"""The Trio shell: transports, credentials on disk, sessions, and the pump that serves a broker."""

from __future__ import annotations

from .ports import Peer, Switch

__all__ = ["Peer", "Switch"]
