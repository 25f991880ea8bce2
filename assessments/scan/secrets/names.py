"""What a key's name reveals about its value.

The last words decide, as in English: a ``master_password`` is a password, a ``password_policy`` is
a policy, and a ``secretName`` is a name.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

MAX_NAME_CHARS = 100


class Holds(IntEnum):
    """What a key of this name holds. A PASSWORD is one whatever its value looks like; a TOKEN's
    name is also used for other things (``id-token: write``), so its value has to look like one."""

    NOTHING = 0
    TOKEN = 1
    PASSWORD = 2


@lru_cache(maxsize=20_000)
def holds(name: str) -> Holds:
    """What the value under ``name`` is, judging by the name alone."""
    every = _words(name[:MAX_NAME_CHARS])
    words = _without_ornament(every)
    if not words:
        return Holds.NOTHING
    if "".join(every[-2:]) in _SECRET_TEXTS:
        return Holds.PASSWORD
    last = words[-1]
    two = "".join(words[-2:])
    if last == "nopasswd":
        return Holds.NOTHING
    if last.endswith(_PASSWORDS) or last in _SHORT_PASSWORDS or two in _PASSWORD_PAIRS:
        return Holds.NOTHING if words[0] in _VERBS else Holds.PASSWORD
    if last == "pass" and len(words) > 1 and words[0] not in _NOT_PASSWORDS:
        return Holds.PASSWORD
    if last in _TOKENS or last.endswith(_TOKEN_ENDS) or two.endswith(_TOKEN_PAIRS):
        return Holds.TOKEN
    return Holds.NOTHING


def _words(name: str) -> list[str]:
    """``MasterUserPassword``, ``master_user_password`` and ``master.user-password`` alike."""
    return [word.lower() for word in _WORD.findall(name)]


def _without_ornament(words: list[str]) -> list[str]:
    """The words that name the thing: ``DB_PASSWORD_PROD_2`` is a password in production."""
    while len(words) > 1 and (words[-1] in _ORNAMENTS or words[-1].isdigit()):
        words = words[:-1]
    return words


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ORNAMENTS_TEXT = (
    "prod production dev development stage staging test testing qa local live plain"
    " plaintext clear cleartext text value string data wo default v b64 base64 encoded raw"
    " primary secondary current previous old new"
)
_ORNAMENTS = frozenset(_ORNAMENTS_TEXT.split())
"""Words after the noun that don't change its meaning."""
_PASSWORDS = ("password", "passwd", "passphrase", "passwort", "passcode")
_SHORT_PASSWORDS = frozenset(
    {"pwd", "dbpass", "rootpass", "userpass", "adminpass", "mypass", "psw"}
)
_PASSWORD_PAIRS = frozenset({"userpwd", "clientsecret"})
_SECRET_TEXTS = frozenset({"secretstring", "secretdata"})
"""The texts of AWS's and Google's secret stores."""
_VERBS_TEXT = (
    "require requires required has is use uses show hide enable disable disabled allow"
    " forgot forget reset change confirm no skip validate check hash hashed encrypted min"
    " max old"
)
_VERBS = frozenset(_VERBS_TEXT.split())
"""Words before the noun that make it something else: ``require_password``, ``hashed_password``."""
_NOT_PASSWORDS = frozenset(
    {"proxy", "fastcgi", "uwsgi", "grpc", "scgi", "by", "com", "render", "tests"}
)
_TOKENS_TEXT = (
    "secret token apikey secretkey accesskey authtoken accesstoken bearer credential"
    " credentials authorization apitoken privatekey connectionstring"
)
_TOKENS = frozenset(_TOKENS_TEXT.split())
_TOKEN_ENDS = ("apikey", "secretkey", "accesskey", "authtoken", "accesstoken", "apitoken")
_TOKEN_PAIRS = (
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "accountkey",
    "storagekey",
    "sharedkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "authkey",
    "hostkey",
    "functionkey",
    "licensekey",
    "subscriptionkey",
    "servicekey",
    "secretkeybase",
    "keybase",
    "connstr",
    "connectionstring",
)
