"""Barbican's API as its paste settings describe it, on a port of loopback. Run where Barbican is installed.

Its own WSGI script loads the same from /etc/barbican and nowhere else, which two runs at a time cannot share.
"""

from __future__ import annotations

import sys
from wsgiref import simple_server

from paste import deploy


class Quiet(simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Barbican has a log of its own."""


settings, port = sys.argv[1:]
application = deploy.loadapp(f"config:{settings}")
simple_server.make_server("127.0.0.1", int(port), application, handler_class=Quiet).serve_forever()
