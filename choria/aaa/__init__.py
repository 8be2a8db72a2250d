"""The login service: users by password or from an identity provider, and what they get for some hours.

It runs beside a broker with an enrolment door and reads what is sealed to it; see SPEC.md section 21.
"""

from __future__ import annotations

from .claims import ClaimRules as ClaimRules
from .claims import read_policy_file as read_policy_file
from .claims import read_rules as read_rules
from .config import AaaConfig as AaaConfig
from .config import OidcConfig as OidcConfig
from .config import OidcRule as OidcRule
from .desk import DeskParts as DeskParts
from .desk import LoginDesk as LoginDesk
from .devices import DeviceLogins as DeviceLogins
from .extras import oidc_provider as oidc_provider
from .extras import password_hasher as password_hasher
from .lockout import LockoutRules as LockoutRules
from .lockout import Lockouts as Lockouts
from .minting import Minter as Minter
from .minting import Rights as Rights
from .offers import OfferBook as OfferBook
from .passwords import MIN_PASSWORD_CHARACTERS as MIN_PASSWORD_CHARACTERS
from .passwords import Passwords as Passwords
from .users import User as User
from .users import UserList as UserList
from .users import read_users as read_users
from .users import write_users as write_users
