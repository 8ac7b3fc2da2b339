"""The key of an Android package, and the signature that it makes.

Android installs an update only if it is signed by the key of what it replaces. Passwords travel in
the environment, never on a command line, where every user of the machine can read them.
"""

import os
import re
from pathlib import Path

from kgen.errors import KgenError
from kgen.files import replacing
from kgen_exports.app import debian

PASSWORD = "KGEN_KEY_PASSWORD"
"""Environment variable with the password of the key store."""
OPEN_SECRET = "kgen-app"
"""Password of a key that kgen made, where the variable is not set: its file is the secret."""
ALIAS = "kgen"
BITS = "3072"
DAYS = "10950"
"""30 years: an app whose certificate has run out cannot be updated."""
CERTIFICATE = re.compile(r"certificate SHA-256 digest: ([0-9a-f]{64})")


def find_key(key: Path | None, out: Path) -> tuple[Path, bool]:
    """Return the key store to sign with, and whether it was made now.

    Args:
        key: the one that was asked for; None takes the one beside the package.
        out: the package.

    Raises:
        KgenError: it is not there, or cannot be made.
    """
    if key is not None:
        if not key.is_file():
            raise KgenError(f"--key takes a key store, PKCS12 or JKS. Received: {key}, no file.")
        return key, False
    beside = out.with_suffix(".p12")
    if beside.is_file():
        return beside, False
    with replacing(beside) as temporary:
        temporary.unlink()  # keytool writes no key into a file that is there
        debian.run(
            ["keytool", "-genkeypair", "-keystore", str(temporary), "-storetype", "PKCS12",
             "-storepass:env", PASSWORD, "-alias", ALIAS, "-keyalg", "RSA", "-keysize", BITS,
             "-validity", DAYS, "-dname", "CN=kgen"],
            **_password(),
        )  # fmt: skip
    beside.chmod(0o600)
    return beside, True


def sign(unsigned: Path, out: Path, key: Path, least_api: str) -> None:
    """Sign an aligned package with the schemes v2 and v3, whose bytes depend on nothing else.

    Raises:
        KgenError: the key store cannot be opened.
    """
    try:
        debian.run(
            ["apksigner", "sign", "--ks", str(key), "--ks-pass", f"env:{PASSWORD}",
             "--min-sdk-version", least_api, "--v1-signing-enabled", "false",
             "--v2-signing-enabled", "true", "--v3-signing-enabled", "true",
             "--v4-signing-enabled", "false",
             "--out", str(out), str(unsigned)],
            **_password(),
        )  # fmt: skip
    except KgenError as error:
        raise KgenError(
            f"{key} does not sign: {error} A key store is PKCS12 or JKS with one RSA key, and its "
            f"password is in the environment variable {PASSWORD}."
        ) from error


def verify(signed: Path, least_api: str) -> str:
    """Check a signature as Android does; return the SHA-256 of the key's certificate.

    Raises:
        KgenError: it does not hold.
    """
    command = ["apksigner", "verify", "--print-certs", "--min-sdk-version", least_api, str(signed)]
    found = CERTIFICATE.search(debian.run(command))
    if found is None:
        raise KgenError("apksigner verify names no certificate. Is another apksigner on the PATH?")
    return found.group(1)


def _password() -> dict[str, str]:
    """Return the variable with the password."""
    return {PASSWORD: os.environ.get(PASSWORD) or OPEN_SECRET}
