"""The Trio shell: transports, credentials on disk, sessions, and the pump that serves a broker."""

from __future__ import annotations

from .backoff import Backoff
from .bytequeue import ByteQueue
from .connector import Connector, TlsConnector, Wire
from .credentials import ALPN, Credentials, load_credentials, load_issuers, wall_clock_ms
from .endpoints import (
    DEFAULT_PORT,
    Endpoint,
    Endpoints,
    SrvEndpoints,
    StaticEndpoints,
    parse_endpoint,
)
from .engine import Engine
from .enrol_client import Application, Enrolled, enrol, new_application
from .enrol_door import EnrolDoor, enrol_context, serve_enrol_port
from .greeter import Greeter
from .memory import MemoryConnector, MemoryShell
from .ports import Peer, Switch
from .puppet import (
    PuppetConfig,
    Whereabouts,
    find_puppet_folder,
    is_puppet_folder,
    load_puppet_credentials,
)
from .replies import Incoming
from .revocation_file import RevocationFile
from .serve import serve_broker_port
from .session import RoutedMessage, Session, open_session
from .settings import EngineSettings, SessionSettings
from .stranger import Door
from .trust_config import TrustConfig
from .trust_file import TrustFile
from .trust_keeper import TrustKeeper
from .trust_store import KEPT_NAME, TrustStore, open_trust_store

__all__ = [
    "ALPN",
    "DEFAULT_PORT",
    "KEPT_NAME",
    "Application",
    "Backoff",
    "ByteQueue",
    "Connector",
    "Credentials",
    "Door",
    "Endpoint",
    "Endpoints",
    "Engine",
    "EngineSettings",
    "EnrolDoor",
    "Enrolled",
    "Greeter",
    "Incoming",
    "MemoryConnector",
    "MemoryShell",
    "Peer",
    "PuppetConfig",
    "RevocationFile",
    "RoutedMessage",
    "Session",
    "SessionSettings",
    "SrvEndpoints",
    "StaticEndpoints",
    "Switch",
    "TlsConnector",
    "TrustConfig",
    "TrustFile",
    "TrustKeeper",
    "TrustStore",
    "Whereabouts",
    "Wire",
    "enrol",
    "enrol_context",
    "find_puppet_folder",
    "is_puppet_folder",
    "load_credentials",
    "load_issuers",
    "load_puppet_credentials",
    "new_application",
    "open_session",
    "open_trust_store",
    "parse_endpoint",
    "serve_broker_port",
    "serve_enrol_port",
    "wall_clock_ms",
]
