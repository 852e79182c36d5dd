"""S3 server on loopback for the integration tests: moto, with five additions.

- Requests are handled one at a time. moto reads and then writes, so that two concurrent conditional puts could both
  succeed; in S3 they cannot.
- `GET /-/log` returns one line per handled request, with its condition: `PUT 412 if-none-match=* /bucket/key`.
- Puts can be held, so that tests force a race: after `PUT /-/hold/2/bucket/prefix`, the first 2 puts of keys with
  that prefix wait; `PUT /-/arrived/bucket/prefix` responds when both do, and `PUT /-/release/bucket/prefix` releases
  them.
- After `PUT /-/ignore/bucket` the conditions of puts to a bucket are ignored, and after `PUT /-/reject/bucket` they are
  answered with 501, as some servers do.
- After `PUT /-/age/301/bucket/key` an object was last modified 301 seconds earlier.

The first line on stdout is the port. The server stops when stdin is closed, so it never outlives the test process.
"""

import io
import logging
import os
import sys
import threading
from datetime import timedelta

from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

HOLD_TIMEOUT_SECONDS = 60
CONDITIONS = {"HTTP_IF_MATCH": "if-match", "HTTP_IF_NONE_MATCH": "if-none-match"}

REJECTED = b"<Error><Code>NotImplemented</Code><Message>A header implies functionality that is missing</Message></Error>"


class Hold:
    def __init__(self, expected):
        self.expected = expected
        self.waiting = 0
        self.changed = threading.Condition()
        self.open = False

    def wait(self):
        with self.changed:
            if self.waiting == self.expected:
                return
            self.waiting += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.open, HOLD_TIMEOUT_SECONDS)

    def all_arrived(self):
        with self.changed:
            return self.changed.wait_for(lambda: self.waiting == self.expected, HOLD_TIMEOUT_SECONDS)

    def release(self):
        with self.changed:
            self.open = True
            self.changed.notify_all()


class Server:
    def __init__(self, s3):
        self.s3 = s3
        self.one_at_a_time = threading.Lock()
        self.holds = {}
        self.ignoring = set()
        self.rejecting = set()
        self.log = []

    def __call__(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path.startswith("/-/"):
            status, body = self.admin(path.removeprefix("/-"))
            start_response(status, [("Content-Length", str(len(body)))])
            return [body]
        # Reads the body before taking the lock, so that a slow client does not block others.
        size = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(size))
        if method == "PUT":
            for prefix, hold in list(self.holds.items()):
                if path.startswith(prefix):
                    hold.wait()

        bucket = path.split("/")[1]
        given = [key for key in CONDITIONS if key in environ]
        if bucket in self.ignoring:
            for key in given:
                del environ[key]
        if method == "PUT" and given and bucket in self.rejecting:
            self.log.append(f"PUT 501 - {path}\n")
            start_response("501 Not Implemented", [("Content-Length", str(len(REJECTED)))])
            return [REJECTED]

        conditions = [f"{name}={environ[key]}" for key, name in CONDITIONS.items() if key in environ]
        query = environ.get("QUERY_STRING")
        request_line = f"{','.join(conditions) or '-'} {path}{'?' + query if query else ''}"

        def start(status, headers, exc_info=None):
            self.log.append(f"{method} {status[:3]} {request_line}\n")
            return start_response(status, headers, exc_info)

        with self.one_at_a_time:
            parts = self.s3(environ, start)
            try:
                return [b"".join(parts)]
            finally:
                getattr(parts, "close", lambda: None)()

    def admin(self, path):
        _, verb, rest = (path + "/").split("/", 2)
        if verb == "log":
            return "200 OK", "".join(self.log).encode()
        if verb in ("ignore", "reject"):
            (self.ignoring if verb == "ignore" else self.rejecting).add(rest.strip("/"))
            return "200 OK", b""
        if verb == "age":
            seconds, bucket, key = rest.rstrip("/").split("/", 2)
            partition, account = s3_backends.bucket_accounts[bucket]
            found = s3_backends[account][partition].get_bucket(bucket).keys[key]
            found.last_modified -= timedelta(seconds=int(seconds))
            return "200 OK", b""
        if verb == "hold":
            expected, prefix = rest.rstrip("/").split("/", 1)
            self.holds["/" + prefix] = Hold(int(expected))
            return "200 OK", b""
        hold = self.holds.get("/" + rest.rstrip("/"))
        if verb == "arrived" and hold:
            return ("200 OK" if hold.all_arrived() else "504 Gateway Timeout"), b""
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
