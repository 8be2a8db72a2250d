"""The Trio shell: transports, credentials on disk, sessions, and the pump that serves a broker."""

from __future__ import annotations

from .backoff import Backoff
from .bytequeue import ByteQueue
from .connector import Connector, TlsConnector, Wire
from .credential_files import (
    anchors_in,
    finish_swap,
    forget_previous,
    has_previous,
    roll_back,
    swap_in,
    write_trust,
)
from .credentials import (
    ALPN,
    CREDENTIAL_NAME,
    Credentials,
    load_credentials,
    load_issuers,
    read_trust,
    wall_clock_ms,
)
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
from .enrol_renew import Succession, Successor, new_succession, renew
from .expiry import Life, life_of
from .greeter import Greeter
from .live import LiveCredentials
from .login_client import LoggedIn, LoginDoors, login_by_device, login_with_password
from .login_relay import LoginDesk, LoginRelay, serve_login_socket
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
    "CREDENTIAL_NAME",
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
    "Life",
    "LiveCredentials",
    "LoggedIn",
    "LoginDesk",
    "LoginDoors",
    "LoginRelay",
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
    "Succession",
    "Successor",
    "Switch",
    "TlsConnector",
    "TrustConfig",
    "TrustFile",
    "TrustKeeper",
    "TrustStore",
    "Whereabouts",
    "Wire",
    "anchors_in",
    "enrol",
    "enrol_context",
    "find_puppet_folder",
    "finish_swap",
    "forget_previous",
    "has_previous",
    "is_puppet_folder",
    "life_of",
    "load_credentials",
    "load_issuers",
    "load_puppet_credentials",
    "login_by_device",
    "login_with_password",
    "new_application",
    "new_succession",
    "open_session",
    "open_trust_store",
    "parse_endpoint",
    "read_trust",
    "renew",
    "roll_back",
    "serve_broker_port",
    "serve_enrol_port",
    "serve_login_socket",
    "swap_in",
    "wall_clock_ms",
    "write_trust",
]
