"""TLS of HTTP: the context of a gateway, and that of its own machine's probes."""

import ssl
from pathlib import Path

from crossbook.common.errors import ConfigError


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """The context of a server with a certificate (PEM, with the chain behind it) and its private
    key; raises `ConfigError` where they cannot be used. TLS 1.2 and later."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, certificate, key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Have later connections use the certificate that the files hold now; raises `ConfigError`,
    and then the earlier one stays."""
    for name, path in (("TLS_CERTIFICATE", certificate), ("TLS_KEY", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{name}={path}: cannot be read: {error.strerror}") from error
    try:
        # An empty password: the prompt of the library would wait for a terminal.
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ConfigError(
            f"TLS_CERTIFICATE={certificate}, TLS_KEY={key}: not a certificate in PEM and its "
            f"private key without a password: {reason}"
        ) from error


def own_context(certificate: Path) -> ssl.SSLContext:
    """The context of a client on the machine of a gateway: it accepts the server that has this
    certificate, by whatever name, and no other."""
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
