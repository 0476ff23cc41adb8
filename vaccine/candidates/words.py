"""What a column's name says about it: words that real schemas use, by what they stand for."""

from __future__ import annotations

import re
from functools import lru_cache


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SPLIT = re.compile(r"[^0-9A-Za-z\u0080-\uffff]+")
_DIGITS = re.compile(r"(?<=[a-z]{3})\d+$")

# The last word of the name decides. One word stands in one family only.
FAMILIES: dict[str, frozenset[str]] = {
    family: _set(words)
    for family, words in {
        "slug": "slug permalink handle alias subdomain nickname shortname",
        "token": "token secret jti nonce otp signature apikey passcode voucher coupon",
        "hash": "hash digest fingerprint checksum sha sha1 sha256 md5 hmac etag",
        "login": "email mail username login loginname upn",
        "name": "name title label term word tag keyword",
        "code": "code sku ref reference no num nr iban bic isbn ean barcode asin vin iso abbreviation symbol acronym"
        " shortcode codename iata icao",
        "key": "key identifier ident uid guid uuid gid oid eid sid cid pid did uri urn xid",
        "url": "url link href domain host hostname fqdn path filepath filename file route address ip mac cidr prefix"
        " subnet phone msisdn mobile dsn bucket endpoint",
        "kind": "type kind category class locale lang language currency format platform medium provider channel"
        " scope role event action method side face level priority severity mode operation algorithm protocol source"
        " environment env region country reason resource model feature permission attribute field property setting"
        " option dimension metric stage phase interval period frequency unit network group set system engine driver"
        " origin authority namespace",
        "order": "position rank ordinal order sort index idx seq sequence number line step slot row column ordering"
        " pos weight lineno iteration round attempt",
        "version": "version revision rev generation epoch build release edition",
        "date": "date day month year week quarter hour minute",
        "state": "status state progress result outcome condition health",
        "text": "description descr comment comments note notes message body content text summary details detail"
        " subject caption bio about remarks html markdown xml json yaml payload data metadata meta params parameters"
        " settings config configuration options args arguments query sql template expression formula snippet"
        " error errors exception stacktrace trace log output input response request headers header agent keywords"
        " instructions explanation extra info properties attributes value values raw blob cache preview excerpt",
        "measure": "count total amount size bytes length width height depth price cost fee rate ratio percent"
        " percentage score points balance limit min max minimum maximum average avg sum duration seconds minutes hours"
        " days ms quantity qty cents tax discount latitude longitude lat lng lon x y z radius distance age timeout"
        " delay ttl usage used remaining capacity threshold offset retries attempts views likes downloads credits"
        " precision scale volume budget",
        "time": "at on time timestamp ts created updated deleted modified started ended expires expiry expiration"
        " until since from to start end begin finish datetime when",
        "person": "firstname lastname fullname surname middlename gender birthday birthdate avatar street city zip"
        " zipcode postcode province company website job photo image icon logo picture color colour theme tz"
        " timezone password passwd salt encrypted font background banner cover style css",
        "flag": "enabled disabled active hidden visible locked public private deleted archived default required"
        " verified approved confirmed published is has can should allow",
    }.items()
}
_FAMILY_OF = {word: family for family, words in FAMILIES.items() for word in words}
_GLUED = ("name", "number", "code", "key", "hash", "token", "slug", "uuid", "date", "count", "size", "amount", "price")
_BEFORE_NAME = _set("first last middle given family full real display legal maiden nick contact")
_ACTORS = _set(
    "by creator author owner approver assignee reviewer modifier updater editor actor sender uploader moderator"
    " modified updated created approved deleted reviewed assigned closed locked requester initiator reporter"
)
EXTERNAL = _set(
    "external ext remote foreign source origin original legacy provider vendor third upstream import imported"
    " github gitlab google stripe facebook twitter apple azure slack linkedin okta saml ldap oauth oidc gh paypal"
    " salesforce hubspot jira zendesk shopify discord telegram microsoft"
)


@lru_cache(maxsize=65536)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: snake_case, camelCase, a trailing number cut off."""
    parts = _SPLIT.split(_HUMP.sub("_", name))
    return tuple(_DIGITS.sub("", part.lower()) for part in parts if part)


@lru_cache(maxsize=65536)
def snake(name: str) -> str:
    """The name in snake_case: deletedAt → deleted_at."""
    return _HUMP.sub("_", name).lower()


@lru_cache(maxsize=65536)
def family_of(name: str) -> str:
    """What the name stands for: a key of FAMILIES, "id" for `…_id`, "" when it says nothing."""
    words = words_of(name)
    if not words:
        return ""
    last = words[-1]
    if last in ("id", "ids") and len(words) > 1:
        return "id"
    if last == "name" and len(words) > 1 and words[-2] in _BEFORE_NAME:
        return "person"
    if last.isdigit() or (len(last) == 1 and len(words) > 1) or (len(last) == 2 and last[0].isdigit()):
        last = words[-2] if len(words) > 1 else last  # iso_code_3, iso_code_2b, address_a
    family = _FAMILY_OF.get(last)
    if family is None and last.endswith("s") and len(last) > 3:
        family = "many" if _FAMILY_OF.get(last[:-1]) else None
    if family is None:
        family = next((_FAMILY_OF[end] for end in _GLUED if last.endswith(end)), None)
    return family or ""


@lru_cache(maxsize=65536)
def is_actor(name: str) -> bool:
    """True when the name says who did something (created_by, author_id), not what the row belongs to."""
    return any(word in _ACTORS for word in words_of(name)[-2:])


@lru_cache(maxsize=65536)
def is_external(name: str) -> bool:
    """True when the name says that the value comes from another system (external_id, github_id)."""
    words = words_of(name)
    return (len(words) > 1 and words[0] in EXTERNAL) or (len(words) > 2 and words[-2] in EXTERNAL)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A word without its plural: categories → category, boxes → box, users → user."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes")) and len(word) > 4:
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word


@lru_cache(maxsize=65536)
def stems_of(name: str) -> tuple[str, ...]:
    """The words of a name without plurals."""
    return tuple(stem(word) for word in words_of(name))


LOG = _set(
    "log history event audit activity visit view click hit snapshot change attempt delivery trace debug metric"
    " measurement sample reading notification message report execution run job task queue outbox inbox"
    " archive backup migration import export deleted transaction payment charge refund invoice order entry comment"
    " post note line"
)
LOOKUP = _set(
    "type kind category class status group tag role permission language country currency unit method format platform"
    " label feature flag domain policy tier level reason gender region state"
    " namespace topic set module plugin extension app application"
)
SETTINGS = _set(
    "setting profile preference config configuration stat statistic detail summary info information credential state"
    " status counter count option metadata meta data extra quota cache search index password secret auth account user"
    " content body default stats score rating limit usage balance total position progress"
    " consent key avatar"
)
