"""Certificates for a SuperLink on this machine, and keys by which it knows its SuperNodes."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID


def make_certificates(folder, nodes, address="127.0.0.1"):
    """ca.crt, server.pem and server.key, and for each node u node-u.key and node-u.pub."""
    folder.mkdir()
    ca, server = (ec.generate_private_key(ec.SECP384R1()) for _ in "ab")
    _write(folder / "ca.crt", _certificate("CA", ca.public_key(), ca, None))
    addresses = sorted({"127.0.0.1", address})
    names = [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
    names.append(x509.DNSName("localhost"))
    alternatives = x509.SubjectAlternativeName(names)
    signed = _certificate("localhost", server.public_key(), ca, alternatives)
    _write(folder / "server.pem", signed)
    pem = server.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (folder / "server.key").write_bytes(pem)
    for u in range(nodes):
        key = ec.generate_private_key(ec.SECP384R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        (folder / f"node-{u}.key").write_bytes(private)
        (folder / f"node-{u}.pub").write_bytes(public)


def _certificate(name, public_key, ca, alternatives):
    now = datetime.datetime.now(datetime.UTC)
    is_ca = alternatives is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("CA"))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(is_ca, None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key()), False)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, is_ca, is_ca, False, False), True
        )
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, False)
    return builder.sign(ca, hashes.SHA256())


def _name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _write(path, certificate):
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
