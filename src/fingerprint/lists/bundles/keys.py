"""Ed25519 keys, and the files and texts that hold them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from fingerprint.errors import BundleError, BundleSignatureError

__all__ = ["PrivateKey", "PublicKey", "generate_key"]

_LONGEST_PEM_NBYTES = 65_536
_PREFIX = "ed25519:"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half of a key that verifies; anybody may have it.

    Parameters
    ----------
    raw : bytes
        32 bytes, as RFC 8032 has them.
    """

    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.raw, bytes) or len(self.raw) != 32:
            raise BundleError("public key: expected 32 bytes")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``ed25519:`` and base64, as `str` writes it; BundleError when it is not that."""
        bare = text.strip()
        try:
            key = cls(base64.b64decode(bare.removeprefix(_PREFIX), validate=True))
        except (binascii.Error, ValueError, BundleError):
            key = None
        if key is None or str(key) != bare:
            raise BundleError(f"public key: expected {_PREFIX} and base64 of 32 bytes")
        return key

    @property
    def id(self) -> str:
        """SHA-256 of the 32 bytes in hex: what manifests call the key."""
        return hashlib.sha256(self.raw).hexdigest()

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise BundleSignatureError unless this key's other half signed the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            raise BundleSignatureError(
                f"the signature is not that of key {self.id[:8]}: it or what was signed has changed"
            ) from None

    def __str__(self) -> str:
        return _PREFIX + base64.b64encode(self.raw).decode("ascii")

    def __repr__(self) -> str:
        return f"PublicKey({self.id[:8]}…)"


class PrivateKey:
    """The half of a key that signs; whoever has it can speak for its sources.

    `generate_key` makes one, `load` reads one. It shows itself nowhere.
    """

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"key: expected Ed25519PrivateKey, got {type(key).__name__}")
        self._key = key

    @property
    def public(self) -> PublicKey:
        """What others need to verify."""
        return PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of a signature."""
        return self._key.sign(message)

    def save(self, path: str | os.PathLike[str], passphrase: str | None = None) -> None:
        """Write PEM (PKCS #8), encrypted if there is a passphrase, for the owner alone (0600).

        Raises
        ------
        BundleError
            Something is there already, or it cannot be written.
        """
        target = Path(path)
        data = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase))
        try:
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise BundleError(
                f"{target.name}: is there already; keys are not written over"
            ) from None
        except OSError as error:
            raise BundleError(f"{target.name}: cannot be written: {error.strerror}") from None
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(handle)
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str], passphrase: str | None = None) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        BundleError
            It is not an Ed25519 key in PEM, others than its owner can read it, or the
            passphrase is missing or wrong.
        """
        name = Path(path).name
        data = _private_bytes(Path(path))
        secret = None if passphrase is None else passphrase.encode()
        try:
            key: Any = load_pem_private_key(data, secret)
        except TypeError:
            needs = (
                "needs a passphrase" if passphrase is None else "has no passphrase, one was given"
            )
            raise BundleError(f"{name}: {needs}") from None
        except (ValueError, UnsupportedAlgorithm):
            why = "or the passphrase is wrong" if passphrase else "in PEM"
            raise BundleError(f"{name}: is no private key {why}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise BundleError(f"{name}: expected an Ed25519 key, got another kind")
        return cls(key)

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.public!r})"

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        raise TypeError("a private key is not pickled")


def generate_key() -> PrivateKey:
    """Make a new key from the system's randomness."""
    return PrivateKey(Ed25519PrivateKey.generate())


def _encryption(passphrase: str | None) -> KeySerializationEncryption:
    if passphrase is None:
        return NoEncryption()
    if not passphrase:
        raise BundleError("passphrase: expected at least one character, got none")
    return BestAvailableEncryption(passphrase.encode())


def _private_bytes(path: Path) -> bytes:
    """Read a small file that nobody but its owner may read."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as stream:
            state = os.fstat(handle)
            data = stream.read(_LONGEST_PEM_NBYTES + 1)
    except OSError as error:
        raise BundleError(f"{path.name}: cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(state.st_mode) or len(data) > _LONGEST_PEM_NBYTES:
        raise BundleError(f"{path.name}: is no private key")
    if os.name == "posix" and state.st_mode & 0o077:
        raise BundleError(f"{path.name}: others can read this private key; chmod 600 it")
    return data
