"""A webhook and a mail server on this machine that remember what they were told."""

import base64
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from socketserver import BaseServer, StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any, cast


@dataclass
class Webhook:
    """What was posted; answers with `status`."""

    url: str = ""
    status: int = 200
    told: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def webhook() -> Iterator[Webhook]:
    it = Webhook()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if it.status == 200:
                it.told.append(content)
            self.send_response(it.status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    it.url = f"http://127.0.0.1:{server.server_port}/hook-of-a-secret"
    with running(server):
        yield it


@dataclass
class MailServer:
    """Mails that were taken, who logged in and whether that was encrypted; `certificate` switches STARTTLS on."""

    certificate: Path | None = None
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)


@contextmanager
def mail_server(certificate: Path | None = None) -> Iterator[MailServer]:
    it = MailServer(certificate)

    class Session(Smtp):
        mail_server = it

    with ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        it.port = server.server_address[1]
        with running(server):
            yield it


class Smtp(StreamRequestHandler):
    """As much of the protocol as a client needs to hand over one mail."""

    mail_server: MailServer
    timeout = 10

    def handle(self) -> None:
        self.is_encrypted = False
        self.say("220 here")
        try:
            while line := self.rfile.readline().decode().strip():
                if not self.answered(line):
                    return
        except ssl.SSLError:  # the client did not trust us
            return

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # the server closes the one that it opened, which is another once it is encrypted

    def answered(self, line: str) -> bool:
        command, _, rest = line.partition(" ")
        if command.upper() == "EHLO":
            can = ["250-here", "250-AUTH PLAIN"] + ["250-STARTTLS"] * (self.mail_server.certificate is not None)
            self.say("\r\n".join([*can, "250 8BITMIME"]))
        elif command.upper() == "STARTTLS":
            self.encrypt()
        elif command.upper() == "AUTH":
            _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
            self.mail_server.logins.append((user, password, self.is_encrypted))
            self.say("235 welcome")
        elif command.upper() == "DATA":
            self.take()
        else:
            if command.upper() == "RCPT":
                self.mail_server.to.append(rest.partition("<")[2].partition(">")[0])
            self.say("221 bye" if command.upper() == "QUIT" else "250 ok")
        return command.upper() != "QUIT"

    def encrypt(self) -> None:
        self.say("220 go on")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(self.mail_server.certificate))
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)  # type: ignore[assignment]
        self.is_encrypted = True

    def take(self) -> None:
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        self.mail_server.mails.append(cast(EmailMessage, message_from_bytes(b"".join(lines), policy=policy.default)))
        self.say("250 taken")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def running(server: BaseServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(path: Path) -> Path:
    """A key and a certificate of 127.0.0.1, signed by itself, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    pem, raw = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = key.private_bytes(pem, raw, serialization.NoEncryption())
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return path
