"""The broker: a pure hub that routes messages and enforces who may say and hear what."""

from __future__ import annotations

from .config import BrokerConfig as BrokerConfig
from .config import EnrolConfig as EnrolConfig
from .counters import Counters as Counters
from .hub import Hub as Hub
from .permissions import TABLE as TABLE
from .permissions import Permissions as Permissions
from .permissions import Row as Row
from .permissions import Verb as Verb
from .rights import Rights as Rights
from .settings import BrokerSettings as BrokerSettings
from .shelf import TrustOffer as TrustOffer
