"""Who may enter when a token is configured: the token itself as a bearer, or a cookie signed with it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from aiohttp import web

COOKIE = "weft_session"
LIFETIME_S = 30 * 24 * 3600


class Sessions:
    """Checks bearers and cookies in constant time and trades one-time codes for cookies.

    A cookie is `nonce.expiry.signature` with the token as key, so it outlives a restart and the server keeps no list.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._codes: set[str] = set()

    def issue_code(self) -> str:
        """A code for the login address; it opens one session and is then worthless."""
        code = secrets.token_urlsafe(24)
        self._codes.add(code)
        return code

    def redeem(self, code: str) -> str | None:
        """The cookie value a one-time code buys, or None for a code that was never issued or is used up."""
        if code not in self._codes:
            return None
        self._codes.remove(code)
        claim = f"{secrets.token_urlsafe(16)}.{int(time.time()) + LIFETIME_S}"
        return f"{claim}.{self._sign(claim)}"

    def admits(self, request: web.Request) -> bool:
        """Whether the request carries the token as a bearer or a cookie that this token signed."""
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(credential.strip().encode(), self._token):
            return True
        return self._signed(request.cookies.get(COOKIE, ""))

    def _signed(self, cookie: str) -> bool:
        claim, _, signature = cookie.rpartition(".")
        _, _, expiry = claim.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(claim).encode()):
            return False
        return int(expiry) > time.time()

    def _sign(self, claim: str) -> str:
        return hmac.new(self._token, claim.encode(), hashlib.sha256).hexdigest()
