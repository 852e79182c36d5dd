"""An S3 server on loopback for the integration tests: moto, with three things added.

- A request is answered alone. moto looks and then writes, so that two conditional puts at once could
  both succeed; S3's cannot.
- `GET /-/log` gives a line for each answered request, with the condition it carried:
  `PUT 412 if-none-match=* /bucket/key`.
- Puts can be held, so that tests need no luck to meet a race: after `PUT /-/hold/2/bucket/prefix`,
  the first 2 puts to keys with that prefix wait; `PUT /-/arrived/bucket/prefix` answers when both
  do, and `PUT /-/release/bucket/prefix` lets them go on.

The first line on stdout is the port. The server ends when stdin is closed, and so with the test
process that started it, however that ends.
"""

import io
import logging
import os
import sys
import threading

from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

PATIENCE_SECONDS = 60
CONDITIONS = {"HTTP_IF_MATCH": "if-match", "HTTP_IF_NONE_MATCH": "if-none-match"}


class Hold:
    def __init__(self, wanted):
        self.wanted = wanted
        self.waiting = 0
        self.changed = threading.Condition()
        self.open = False

    def wait(self):
        with self.changed:
            if self.waiting == self.wanted:
                return
            self.waiting += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.open, PATIENCE_SECONDS)

    def all_here(self):
        with self.changed:
            return self.changed.wait_for(lambda: self.waiting == self.wanted, PATIENCE_SECONDS)

    def release(self):
        with self.changed:
            self.open = True
            self.changed.notify_all()


class Server:
    def __init__(self, s3):
        self.s3 = s3
        self.alone = threading.Lock()
        self.holds = {}
        self.log = []

    def __call__(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path.startswith("/-/"):
            status, body = self.control(path.removeprefix("/-"))
            start_response(status, [("Content-Length", str(len(body)))])
            return [body]
        # The body is read before the lock is taken, so that a slow client holds nobody up.
        size = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(size))
        if method == "PUT":
            for prefix, hold in list(self.holds.items()):
                if path.startswith(prefix):
                    hold.wait()

        carried = [f"{name}={environ[key]}" for key, name in CONDITIONS.items() if key in environ]
        query = environ.get("QUERY_STRING")
        asked = f"{','.join(carried) or '-'} {path}{'?' + query if query else ''}"

        def start(status, headers, exc_info=None):
            self.log.append(f"{method} {status[:3]} {asked}\n")
            return start_response(status, headers, exc_info)

        with self.alone:
            parts = self.s3(environ, start)
            try:
                return [b"".join(parts)]
            finally:
                getattr(parts, "close", lambda: None)()

    def control(self, path):
        _, verb, rest = (path + "/").split("/", 2)
        if verb == "log":
            return "200 OK", "".join(self.log).encode()
        if verb == "hold":
            wanted, prefix = rest.rstrip("/").split("/", 1)
            self.holds["/" + prefix] = Hold(int(wanted))
            return "200 OK", b""
        hold = self.holds.get("/" + rest.rstrip("/"))
        if verb == "arrived" and hold:
            return ("200 OK" if hold.all_here() else "504 Gateway Timeout"), b""
        if verb == "release" and hold:
            del self.holds["/" + rest.rstrip("/")]
            hold.release()
            return "200 OK", b""
        return "404 Not Found", b""


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = Server(create_backend_app("s3"))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
