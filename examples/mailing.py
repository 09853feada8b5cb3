"""Mail is sent by four threads; what the server turns away for the moment is tried again."""

from __future__ import annotations

import smtplib
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from email.message import EmailMessage
from typing import ClassVar

from minigun_py import FailedItem, Job, Retry, on_failure, processor, producer


class Newsletter(Job):
    """One letter to every subscriber."""

    def __init__(self, port: int, subscribers: list[str]) -> None:
        self.port, self.subscribers = port, subscribers
        self.given_up: list[str] = []

    @producer
    def addresses(self) -> Iterator[str]:
        yield from self.subscribers

    @processor
    def compose(self, address: str) -> EmailMessage:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = "us@example.org", address, "News"
        letter.set_content("Nothing has happened.")
        return letter

    @processor(
        execution="thread",
        workers=4,
        retry=Retry(3, on=smtplib.SMTPException, backoff=0.05),
        on_error="skip",
    )
    def send(self, letter: EmailMessage) -> str:
        with smtplib.SMTP("localhost", self.port) as server:
            server.send_message(letter)
        return str(letter["To"])

    @on_failure
    def give_up(self, failed: FailedItem) -> None:
        self.given_up.append(f"{failed.item['To']} after {failed.attempts} attempts")


class GreylistingServer(socketserver.StreamRequestHandler):
    """Takes no mail for an address before its second attempt, and none at all for nobody."""

    attempts: ClassVar = Counter[str]()

    def handle(self) -> None:
        self.say("220 ready")
        while line := self.rfile.readline().decode().strip():
            address = line.partition("<")[2].partition(">")[0]
            if line.upper().startswith("RCPT"):
                self.attempts[address] += 1
                taken = self.attempts[address] > 1 and not address.startswith("nobody")
                self.say("250 ok" if taken else "450 come back later")
            elif line.upper() == "DATA":
                self.say("354 go on")
                while self.rfile.readline() != b".\r\n":
                    pass
                self.say("250 taken")
            elif line.upper() == "QUIT":
                self.say("221 bye")
                break
            else:
                self.say("250 ok")

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


if __name__ == "__main__":
    people = [*(f"reader{n}@example.org" for n in range(20)), "nobody@example.org"]
    with socketserver.ThreadingTCPServer(("localhost", 0), GreylistingServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        letters = Newsletter(server.server_address[1], people)
        report = letters.run()
        server.shutdown()
    print("sent:", report["send"].emitted)
    print("attempts that were followed by another:", report["send"].retried)
    print("given up:", *letters.given_up)

# sent: 20
# attempts that were followed by another: 22
# given up: nobody@example.org after 3 attempts
