"""An external decision about a caller: `auth=http`, in the place of Lokinet's LMQ.

One POST of `{"address": "<52>.loki", "token": "...", "service": "<52>.loki"}` to the configured
URL; the answer is `{"result": "OKAY" | "REJECT" | "PAYME" | "LIMITED", "reason": "..."}` with
status 200, at most 4 KiB, within 5 s. Redirects are not followed. Anything else lets nobody in.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from lokinet_node.base.errors import WireError
from lokinet_node.drivers.http_post import post
from lokinet_node.session.auth_messages import AuthCode

if TYPE_CHECKING:
    from lokinet_node.base.addresses import Endpoint

TIME_S: Final = 5.0
LIMIT: Final = 4 << 10
WHO: Final = "the access service"
_RESULTS: Final = {
    code.name: code for code in (AuthCode.OKAY, AuthCode.REJECT, AuthCode.PAYME, AuthCode.LIMITED)
}


async def ask_service(
    endpoint: Endpoint, target: str, question: dict[str, str]
) -> tuple[AuthCode, str]:
    """The service's decision and its reason; OSError or WireError when there is none."""
    async with asyncio.timeout(TIME_S):  # TimeoutError is an OSError
        body = await post(endpoint, target, json.dumps(question).encode(), LIMIT, who=WHO)
    return read_answer(body)


def read_answer(body: bytes) -> tuple[AuthCode, str]:
    """What an answer says; WireError."""
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"{WHO} answers no JSON") from error
    result = answer.get("result") if isinstance(answer, dict) else None
    reason = answer.get("reason", "") if isinstance(answer, dict) else None
    if not isinstance(result, str) or result not in _RESULTS or not isinstance(reason, str):
        raise WireError(f"{WHO} answers neither {' nor '.join(_RESULTS)}")
    # JSON can spell halves of characters, which no text can be sent with
    return _RESULTS[result], reason.encode(errors="replace").decode()
