"""The peer of the API under load: a falcon application that says hello, behind the same server with the same settings."""

from __future__ import annotations

import sys

import falcon
import waitress


class Hello:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = {"hello": "world"}


def main() -> None:
    app = falcon.App()
    app.add_route("/hello", Hello())
    waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=16, ident="hello", clear_untrusted_proxy_headers=True, _quiet=True)


if __name__ == "__main__":
    main()
