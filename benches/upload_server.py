"""Takes uploads as fast as they come, and keeps nothing: what is measured is who sends them. It prints its URL.

As api.video, as far as a client notices: tokens, videos, and a source in chunks. The sandbox would do for the rules, but it sums up
what it gets, which takes longer than to send it.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time

VIDEO = {"videoId": "vi1", "title": "x", "assets": {}, "createdAt": "2026-01-01T00:00:00+00:00"}
HEAD_ENDS = b"\r\n\r\n"


def answer_to(path: str) -> dict[str, object]:
    if path.startswith("/auth/"):
        return {"access_token": f"access-{time.monotonic_ns()}", "refresh_token": "refresh", "token_type": "Bearer", "expires_in": 3600}
    return VIDEO


def take(peer: socket.socket, length: int, buffer: memoryview) -> None:
    while length > 0:
        came = peer.recv_into(buffer[: min(length, len(buffer))])
        if came == 0:
            raise ConnectionError("the client has gone in the middle of a body")
        length -= came


def serve(peer: socket.socket) -> None:
    buffer = memoryview(bytearray(1 << 20))
    with peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        came = b""
        while True:
            while HEAD_ENDS not in came:
                more = peer.recv(65536)
                if not more:
                    return
                came += more
            head, came = came.split(HEAD_ENDS, 1)
            if re.search(rb"(?im)^expect: *100-continue", head):
                peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = re.search(rb"(?im)^content-length: *([0-9]+)", head)
            missing = int(length[1]) - len(came) if length else 0
            assert missing >= 0, "nobody here sends a request before the reply to the last"
            take(peer, missing, buffer)
            came = b""
            body = json.dumps(answer_to(head.split(b" ")[1].decode())).encode()
            status = b"200 OK" if b" /auth/" in head[:20] else b"201 Created"
            peer.sendall(b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), listener.shutdown(socket.SHUT_RDWR)), daemon=True).start()
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return  # Whoever started it has gone.
            threading.Thread(target=serve, args=(peer,), daemon=True).start()


if __name__ == "__main__":
    main()
