"""Which ciphers there are, in which modes: the table behind Encrypt, Decrypt and CMAC.

Strategy: a row for each mode says what IV, padding and tag it takes, and how it is done: by a mode of the library
that answers as data comes, or by a pair of functions that need all of it (`whole.py`). A row for each algorithm
names its modes. What does not stand here is refused by name: PCBC, CBC-MAC and the X9.102 wraps, which no library
that we use has, and AEAD for anything but ChaCha20-Poly1305, since it names no mode of a block cipher.
CFB feeds back whole blocks (CFB-128 or CFB-64 of NIST SP 800-38A), as the enumeration has no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.decrepit.ciphers import algorithms as old
from cryptography.hazmat.decrepit.ciphers.modes import CFB, OFB
from cryptography.hazmat.primitives.ciphers import modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4, ChaCha20

from kmip_server.crypto import nonces, whole
from kmip_server.crypto.algorithms import SYMMETRIC, expanded, symmetric_row
from kmip_server.errors import UnsupportedCryptographicParameters
from kmip_server.protocol.enums import BlockCipherMode as M
from kmip_server.protocol.enums import CryptographicAlgorithm as A


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeRow:
    """One way of encrypting. Lengths in bytes."""

    ivs: Sequence[int] = ()
    """The lengths of IV/Counter/Nonce it takes; none where it takes none."""
    random_iv: int = 0
    """The usual length, for one that the server makes."""
    tags: Sequence[int] = ()
    """The lengths of tag it makes; none where it does not authenticate. The longest is the usual one."""
    padded: bool = False
    flowing: Callable[[bytes], modes.Mode | None] | None = None
    """The library's mode for an IV, where data can be encrypted as it comes."""
    seal: whole.Seal | None = None
    """How all of the data is encrypted, where there is no `flowing`."""
    open_: whole.Open | None = None
    """How all of the data is decrypted, where it cannot be told as it comes."""
    room: int | None = None
    """The most that one IV is good for."""
    counter: bool = False
    """Whether Counter Length and Initial Counter Value belong to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CipherRow:
    """One algorithm that encrypts: what makes a cipher of its key, and its modes (None: without a mode)."""

    primitive: Callable[[bytes], Any]
    modes: dict[M | None, ModeRow]


def _block_modes(block: int) -> dict[M | None, ModeRow]:
    """What every block cipher has. NIST SP 800-38A."""
    fed_back = ModeRow(ivs=(block,), random_iv=block)
    return {
        M.ECB: ModeRow(padded=True, flowing=lambda _: modes.ECB()),  # noqa: S305 - the client's choice
        M.CBC: replace(fed_back, padded=True, flowing=modes.CBC),
        M.CFB: replace(fed_back, flowing=CFB),
        M.OFB: replace(fed_back, flowing=OFB),
    }


def _gcm(cipher: type[AES] | type[SM4]) -> ModeRow:
    # SP 800-38D allows IVs from one bit; the library takes 8 to 128 bytes.
    return ModeRow(
        ivs=range(8, 129),
        random_iv=12,
        tags=(4, 8, 12, 13, 14, 15, 16),
        flowing=modes.GCM,
        open_=whole.open_gcm_with(cipher),
        room=(1 << 36) - 32,
    )


_CTR = ModeRow(ivs=range(8, 17), random_iv=16, flowing=modes.CTR, counter=True)
_CCM = ModeRow(ivs=range(7, 14), random_iv=12, tags=range(4, 17, 2), seal=whole.seal_ccm, open_=whole.open_ccm)
_XTS = ModeRow(ivs=(16,), random_iv=16, seal=whole.seal_xts, open_=whole.open_xts)
_WRAP = ModeRow(seal=whole.seal_wrap, open_=whole.open_wrap)
_WRAP_PADDING = ModeRow(seal=whole.seal_wrap_padding, open_=whole.open_wrap_padding)
_STREAM = ModeRow(flowing=lambda _: None)
_CHACHA20 = ModeRow(ivs=(8, 12), random_iv=12, flowing=lambda _: None, counter=True)
_CHACHA20_POLY1305 = ModeRow(
    ivs=(12,), random_iv=12, tags=(12, 16), seal=whole.seal_chacha20_poly1305, open_=whole.open_chacha20_poly1305
)

CIPHERS: dict[A, CipherRow] = {
    A.AES: CipherRow(
        primitive=AES,
        modes={
            **_block_modes(16),
            M.CTR: _CTR,
            M.GCM: _gcm(AES),
            M.CCM: _CCM,
            M.XTS: _XTS,
            M.NISTKEYWRAP: _WRAP,
            M.AESKEYWRAPPADDING: _WRAP_PADDING,
        },
    ),
    # The primitive of ChaCha20 takes its block in `symmetric.py`, with the key.
    A.CHACHA20: CipherRow(primitive=lambda key: ChaCha20(key, bytes(16)), modes={None: _CHACHA20}),
    A.CHACHA20POLY1305: CipherRow(
        primitive=lambda key: ChaCha20(key, bytes(16)),
        modes={M.AEAD: _CHACHA20_POLY1305, None: _CHACHA20_POLY1305},
    ),
    A.CAMELLIA: CipherRow(primitive=old.Camellia, modes=_block_modes(16)),
    A.SEED: CipherRow(primitive=old.SEED, modes=_block_modes(16)),
    A.SM4: CipherRow(primitive=SM4, modes={**_block_modes(16), M.CTR: _CTR, M.GCM: _gcm(SM4)}),
    A.TRIPLE_DES: CipherRow(primitive=lambda key: old.TripleDES(expanded(key)), modes=_block_modes(8)),
    A.DES: CipherRow(primitive=lambda key: old.TripleDES(expanded(key)), modes=_block_modes(8)),
    A.IDEA: CipherRow(primitive=old.IDEA, modes=_block_modes(8)),
    A.CAST5: CipherRow(primitive=old.CAST5, modes=_block_modes(8)),
    A.BLOWFISH: CipherRow(primitive=old.Blowfish, modes=_block_modes(8)),
    A.RC2: CipherRow(primitive=old.RC2, modes={M.CBC: _block_modes(8)[M.CBC]}),
    A.RC4: CipherRow(primitive=old.ARC4, modes={None: _STREAM}),
}


def mode_row(algorithm: A, mode: M | None) -> ModeRow:
    """The row. Raises UnsupportedCryptographicParameters for an algorithm or a mode that is not served."""
    symmetric_row(algorithm)
    cipher = CIPHERS.get(algorithm)
    if cipher is None:
        raise UnsupportedCryptographicParameters(f"{algorithm.title} keys do not encrypt")
    row = cipher.modes.get(mode)
    if row is None:
        raise UnsupportedCryptographicParameters(
            f"the Block Cipher Mode {mode.title} is not served with {algorithm.title}"
            if mode is not None
            else f"a Block Cipher Mode must be given with {algorithm.title}"
        )
    return row


def needs_mode(algorithm: A) -> bool:
    """Whether a cipher cannot do without a Block Cipher Mode."""
    cipher = CIPHERS.get(algorithm)
    return cipher is not None and None not in cipher.modes


def title_of(algorithm: A, mode: M | None) -> str:
    """How a way of encrypting is named to the client."""
    return mode.title if mode is not None else algorithm.title


def random_iv_length(algorithm: A, mode: M | None, iv_length: int | None, counter_length: int | None = None) -> int:
    """Bytes of a Random IV; 0 where the mode takes none. `iv_length` and `counter_length` in bits, or None.

    Raises BadCryptographicParameters for a length that the mode does not have or that repeats too soon.
    """
    row = mode_row(algorithm, mode)
    if not row.ivs:
        return 0
    if row.counter and iv_length is None and counter_length is not None:
        # Nonce and counter are 16 bytes, in CTR with the blocks it is served with as in ChaCha20.
        iv_length = 128 - counter_length
    return nonces.random_length(row.ivs, row.random_iv, iv_length)


def has_cmac(algorithm: A) -> bool:
    """Whether CMAC is made with this cipher: every block cipher that the library has in ECB. NIST SP 800-38B."""
    cipher = CIPHERS.get(algorithm)
    return cipher is not None and M.ECB in cipher.modes and SYMMETRIC[algorithm].block > 0
