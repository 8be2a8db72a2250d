"""Our own CA: a root that names the network, and an issuer each for brokers, nodes and clients."""

from __future__ import annotations

from .approving import list_pending as list_pending
from .approving import sign_pending as sign_pending
from .authority import Authority as Authority
from .authority import KeyPair as KeyPair
from .authority import create_authority as create_authority
from .crl import CRL_DAYS as CRL_DAYS
from .crl import make_crl as make_crl
from .crl import revoked_by as revoked_by
from .crl import write_crls as write_crls
from .desk import AuditTrail as AuditTrail
from .desk import DeskSettings as DeskSettings
from .desk import EnrolDesk as EnrolDesk
from .files import CaError as CaError
from .folder import init_ca as init_ca
from .folder import open_ca as open_ca
from .folder import open_issuer as open_issuer
from .folder import read_anchors as read_anchors
from .index import IndexLine as IndexLine
from .index import IssuedEntry as IssuedEntry
from .index import RevokedEntry as RevokedEntry
from .index import is_taken as is_taken
from .index import read_index as read_index
from .index import revoke as revoke
from .invites import Claim as Claim
from .invites import Invite as Invite
from .invites import Invites as Invites
from .invites import PendingClaim as PendingClaim
from .issuing import IssuedKey as IssuedKey
from .issuing import issue as issue
from .issuing import issue_key_in_memory as issue_key_in_memory
from .issuing import write_credentials as write_credentials
from .node_issuer import NodeIssuer as NodeIssuer
from .reissue import bring_trust as bring_trust
from .reissue import renew_folder as renew_folder
from .rotation import IssuerState as IssuerState
from .rotation import add_issuer as add_issuer
from .rotation import list_issuers as list_issuers
from .rotation import retire_issuers as retire_issuers
from .rotation import switch_issuer as switch_issuer
from .trust_object import OBJECT_NAME as OBJECT_NAME
from .trust_object import sign_bundle as sign_bundle
from .trust_object import write_object as write_object
