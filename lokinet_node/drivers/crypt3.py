"""crypt(3) of the system: Python's own module is gone from 3.13 on.

Which methods there are is the system's affair (libxcrypt: yescrypt, bcrypt, sha512crypt, ...). A
call takes milliseconds to seconds, by design; it runs without the interpreter's lock.
"""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES: Final = ("libcrypt.so.1", "libcrypt.so.2")
_DATA: Final = 256 << 10
"""struct crypt_data: 32 KiB in libxcrypt, 128 KiB in glibc of old; it has to be zeroed."""
FAILED: Final = "*0"


def crypt(token: str, setting: str) -> str:
    """The hash of a token with the method and salt of `setting`; FAILED for one it cannot do."""
    data = ctypes.create_string_buffer(_DATA)
    found = _function()(token.encode(), setting.encode(), data)
    return FAILED if found is None else found.decode("ascii", "replace")


def check_crypt() -> None:
    """OperatorError where this system has no crypt(3)."""
    _function()


@functools.cache
def _function() -> Callable[[bytes, bytes, object], bytes | None]:
    for name in _NAMES:
        try:
            function = ctypes.CDLL(name).crypt_r
        except (OSError, AttributeError):
            continue
        function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)
        function.restype = ctypes.c_char_p
        return function
    raise OperatorError(
        "auth-file-type=hash needs crypt(3): install libcrypt1, or say auth-file-type=plain"
    )
