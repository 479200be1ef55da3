"""Whoever answers for metadata in Nova's place: ``nova.py ADDRESS PORT`` answers every question with its path and headers (JSON)."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({**{name.lower(): value for name, value in self.headers.items()}, "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


HTTPServer((sys.argv[1], int(sys.argv[2])), Answers).serve_forever()
