"""Who is it, and did they say it? Principals, chains, COSE signatures, the replay guard.

Pure: bytes and ``now_ms`` in, verdicts out. Every failure is a TrustError whose text says what is
wrong and what to do about it.
"""

from __future__ import annotations

from .anchors import ISSUER_OF as ISSUER_OF
from .anchors import VOUCHES_FOR as VOUCHES_FOR
from .anchors import IssuerKind as IssuerKind
from .certificates import MAX_CERTIFICATE_BYTES as MAX_CERTIFICATE_BYTES
from .certificates import Purpose as Purpose
from .certificates import Validity as Validity
from .certificates import parse_certificate as parse_certificate
from .certificates import x509_errors as x509_errors
from .cose import AAD_REPLY as AAD_REPLY
from .cose import AAD_REQUEST as AAD_REQUEST
from .cose import MAX_MESSAGE_BYTES as MAX_MESSAGE_BYTES
from .cose import Opened as Opened
from .cose import open1 as open1
from .cose import sign1 as sign1
from .freshness import BeforeBoot as BeforeBoot
from .freshness import Expired as Expired
from .freshness import Fresh as Fresh
from .freshness import Freshness as Freshness
from .freshness import Future as Future
from .identifier import Identifier as Identifier
from .issuers import Identified as Identified
from .issuers import Issuers as Issuers
from .issuers import parse_network as parse_network
from .keys import Algorithm as Algorithm
from .keys import PrivateKey as PrivateKey
from .keys import PublicKey as PublicKey
from .keys import check_public_key as check_public_key
from .naming import Claim as Claim
from .naming import Naming as Naming
from .naming import UriNaming as UriNaming
from .principals import DEFAULT_GRANTS as DEFAULT_GRANTS
from .principals import GRANTS_OID as GRANTS_OID
from .principals import Principal as Principal
from .principals import Role as Role
from .principals import grants_extension as grants_extension
from .principals import parse_grants as parse_grants
from .principals import parse_principal_uri as parse_principal_uri
from .principals import principal_uri as principal_uri
from .puppet import CLIENT_PATTERNS as CLIENT_PATTERNS
from .puppet import PuppetNaming as PuppetNaming
from .puppet_files import PuppetCa as PuppetCa
from .puppet_files import read_puppet_ca as read_puppet_ca
from .replay import Entered as Entered
from .replay import GuardLimits as GuardLimits
from .replay import ReplayGuard as ReplayGuard
from .replay import Seen as Seen
from .revocation import RevocationList as RevocationList
from .revocation import RevocationPolicy as RevocationPolicy
from .revocation import Revocations as Revocations
from .revocation import Revoked as Revoked
from .revocation import parse_revocation_lists as parse_revocation_lists
from .signing import Signer as Signer
from .trust_files import network_of_root as network_of_root
from .trust_files import parse_bundle as parse_bundle
from .trust_files import read_issuers as read_issuers
from .verifying import REPLY_ROLES as REPLY_ROLES
from .verifying import REQUEST_ROLES as REQUEST_ROLES
from .verifying import Foreign as Foreign
from .verifying import UnknownCertificate as UnknownCertificate
from .verifying import VerifiedReply as VerifiedReply
from .verifying import VerifiedRequest as VerifiedRequest
from .verifying import Verifier as Verifier
