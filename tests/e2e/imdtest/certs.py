"""Certificates made on the spot by the openssl program."""

import collections
import os
import ssl
import subprocess

Certificate = collections.namedtuple("Certificate", "cert key")


def make_certificate(folder, name="localhost"):
    os.makedirs(folder, exist_ok=True)
    made = Certificate(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", made.key, "-out", made.cert], check=True, capture_output=True)
    return made


def client_context(certificate):
    """Trusts this certificate and nothing else."""
    return ssl.create_default_context(cafile=certificate.cert)


def served_certificate(port):
    """The certificate a new connection is shown, as PEM."""
    return ssl.get_server_certificate(("127.0.0.1", port))
