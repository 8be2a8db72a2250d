"""The Trio shell: transports, credentials on disk, sessions, and the pump that serves a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backoff import Backoff as Backoff
    from .bytequeue import ByteQueue as ByteQueue
    from .connector import Connector as Connector
    from .connector import TlsConnector as TlsConnector
    from .connector import Wire as Wire
    from .credential_files import anchors_in as anchors_in
    from .credential_files import finish_swap as finish_swap
    from .credential_files import forget_previous as forget_previous
    from .credential_files import has_previous as has_previous
    from .credential_files import roll_back as roll_back
    from .credential_files import swap_in as swap_in
    from .credential_files import write_trust as write_trust
    from .credentials import ALPN as ALPN
    from .credentials import CREDENTIAL_NAME as CREDENTIAL_NAME
    from .credentials import Credentials as Credentials
    from .credentials import load_credentials as load_credentials
    from .credentials import load_issuers as load_issuers
    from .credentials import read_trust as read_trust
    from .credentials import wall_clock_ms as wall_clock_ms
    from .endpoints import DEFAULT_PORT as DEFAULT_PORT
    from .endpoints import Endpoint as Endpoint
    from .endpoints import Endpoints as Endpoints
    from .endpoints import SrvEndpoints as SrvEndpoints
    from .endpoints import StaticEndpoints as StaticEndpoints
    from .endpoints import parse_endpoint as parse_endpoint
    from .engine import Engine as Engine
    from .enrol_client import Application as Application
    from .enrol_client import Enrolled as Enrolled
    from .enrol_client import enrol as enrol
    from .enrol_client import new_application as new_application
    from .enrol_door import EnrolDoor as EnrolDoor
    from .enrol_door import enrol_context as enrol_context
    from .enrol_door import serve_enrol_port as serve_enrol_port
    from .enrol_renew import Succession as Succession
    from .enrol_renew import Successor as Successor
    from .enrol_renew import new_succession as new_succession
    from .enrol_renew import renew as renew
    from .expiry import Life as Life
    from .expiry import life_of as life_of
    from .greeter import Greeter as Greeter
    from .live import LiveCredentials as LiveCredentials
    from .login_client import LoggedIn as LoggedIn
    from .login_client import LoginDoors as LoginDoors
    from .login_client import login_by_device as login_by_device
    from .login_client import login_with_password as login_with_password
    from .login_relay import LoginDesk as LoginDesk
    from .login_relay import LoginRelay as LoginRelay
    from .login_relay import serve_login_socket as serve_login_socket
    from .memory import MemoryConnector as MemoryConnector
    from .memory import MemoryShell as MemoryShell
    from .ports import Peer as Peer
    from .ports import Switch as Switch
    from .puppet import PuppetConfig as PuppetConfig
    from .puppet import Whereabouts as Whereabouts
    from .puppet import find_puppet_folder as find_puppet_folder
    from .puppet import is_puppet_folder as is_puppet_folder
    from .puppet import load_puppet_credentials as load_puppet_credentials
    from .replies import Incoming as Incoming
    from .revocation_file import RevocationFile as RevocationFile
    from .serve import serve_broker_port as serve_broker_port
    from .session import RoutedMessage as RoutedMessage
    from .session import Session as Session
    from .session import open_session as open_session
    from .settings import EngineSettings as EngineSettings
    from .settings import SessionSettings as SessionSettings
    from .stranger import Door as Door
    from .trust_config import TrustConfig as TrustConfig
    from .trust_file import TrustFile as TrustFile
    from .trust_keeper import TrustKeeper as TrustKeeper
    from .trust_store import KEPT_NAME as KEPT_NAME
    from .trust_store import TrustStore as TrustStore
    from .trust_store import open_trust_store as open_trust_store
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".backoff": ("Backoff",),
        ".bytequeue": ("ByteQueue",),
        ".connector": ("Connector", "TlsConnector", "Wire"),
        ".credential_files": ("anchors_in", "finish_swap", "forget_previous", "has_previous", "roll_back", "swap_in", "write_trust"),
        ".credentials": ("ALPN", "CREDENTIAL_NAME", "Credentials", "load_credentials", "load_issuers", "read_trust", "wall_clock_ms"),
        ".endpoints": ("DEFAULT_PORT", "Endpoint", "Endpoints", "SrvEndpoints", "StaticEndpoints", "parse_endpoint"),
        ".engine": ("Engine",),
        ".enrol_client": ("Application", "Enrolled", "enrol", "new_application"),
        ".enrol_door": ("EnrolDoor", "enrol_context", "serve_enrol_port"),
        ".enrol_renew": ("Succession", "Successor", "new_succession", "renew"),
        ".expiry": ("Life", "life_of"),
        ".greeter": ("Greeter",),
        ".live": ("LiveCredentials",),
        ".login_client": ("LoggedIn", "LoginDoors", "login_by_device", "login_with_password"),
        ".login_relay": ("LoginDesk", "LoginRelay", "serve_login_socket"),
        ".memory": ("MemoryConnector", "MemoryShell"),
        ".ports": ("Peer", "Switch"),
        ".puppet": ("PuppetConfig", "Whereabouts", "find_puppet_folder", "is_puppet_folder", "load_puppet_credentials"),
        ".replies": ("Incoming",),
        ".revocation_file": ("RevocationFile",),
        ".serve": ("serve_broker_port",),
        ".session": ("RoutedMessage", "Session", "open_session"),
        ".settings": ("EngineSettings", "SessionSettings"),
        ".stranger": ("Door",),
        ".trust_config": ("TrustConfig",),
        ".trust_file": ("TrustFile",),
        ".trust_keeper": ("TrustKeeper",),
        ".trust_store": ("KEPT_NAME", "TrustStore", "open_trust_store"),
    })  # fmt: skip
