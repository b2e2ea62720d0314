"""The suites that a session can choose: they differ in the stream cipher that makes the masks.

A suite's id is in the params digest, and by that in every signature and derivation: parties of
different suites cannot complete a single step together.

>>> spec = secagg.VectorSpec("x", 2, 32)
>>> secagg.Params(3, [spec], suite="aes128-ctr").suite  # a secagg.Suite
'aes128-ctr'
"""

from typing import Literal

from secagg.errors import LocalProtocolError
from secagg.masks.aegis import Aegis128X2
from secagg.masks.prg import AesCtr, Prg

Suite = Literal["aes128-ctr", "aegis128x2"]

DEFAULT: Suite = "aes128-ctr"

_COMMON = b"X25519 HKDF-SHA256 AES128-GCM Ed25519 "
_SUITES: dict[str, tuple[bytes, type[Prg]]] = {
    "aes128-ctr": (b"AES128-CTR", AesCtr),
    "aegis128x2": (b"AEGIS128X2", Aegis128X2),
}


def suite_id(suite: Suite) -> bytes:
    """The primitives of a suite, as they are hashed."""
    return _COMMON + _SUITES[suite][0]


def prg_of(suite: Suite) -> Prg:
    """A new PRG of that suite.

    Raises:
        LocalProtocolError: for a suite that is not known, or whose package is not installed.
    """
    if type(suite) is not str or suite not in _SUITES:
        raise LocalProtocolError(f"the suite {suite!r}, expected one of {', '.join(_SUITES)}")
    return _SUITES[suite][1]()
