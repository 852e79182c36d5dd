"""HTTPS server on loopback for tests, with a certificate of a private authority.

    tls_server.py valid|expired FOLDER

Writes the authority's certificate to FOLDER/ca.pem, prints the port, answers every request with 403, and stops when
stdin is closed. Writes one line per request to FOLDER/requests.
"""

import datetime
import os
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.timezone.utc)
BODY = b'{"errors":[{"status":"403","detail":"nobody may do anything here"}]}'


def certificate(name, key, issuer, issuer_key, begin, end, *extensions):
    builder = x509.CertificateBuilder(
        subject_name=name,
        issuer_name=issuer,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=begin,
        not_valid_after=end,
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def create_chain(folder, expired):
    """Creates the server's certificate chain with its key, as a file for `ssl`."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = certificate(
        common_name("Test Authority"), ca_key, common_name("Test Authority"), ca_key, NOW - 100 * DAY, NOW + 100 * DAY,
        (x509.BasicConstraints(ca=True, path_length=0), True),
    )
    (folder / "ca.pem").write_bytes(pem(ca))
    end = NOW - 10 * DAY if expired else NOW + 10 * DAY
    own = certificate(
        common_name("localhost"), key, ca.subject, ca_key, NOW - 50 * DAY, end,
        (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False),
        (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), False),
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = folder / "server.pem"
    chain.write_bytes(private + pem(own) + pem(ca))
    return chain


def main():
    mode, folder = sys.argv[1], Path(sys.argv[2])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with open(folder / "requests", "a") as requests:
                requests.write(f"{self.path}\n")
            self.send_response(403)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *_):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(create_chain(folder, mode == "expired"))

    class Server(ThreadingHTTPServer):
        # Most tests expect a refused handshake.
        def handle_error(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


main()
