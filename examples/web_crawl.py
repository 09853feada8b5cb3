"""A crawler: links go back into the loop by `feedback`, which ends when nothing is left in it."""

import re
import threading
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from minigun_py import Job, To, processor, producer

SITE = {
    "/": ["/news", "/shop", "/gone"],
    "/news": ["/", "/news/1", "/shop"],
    "/shop": ["/", "/shop/tea", "/shop/milk"],
    "/shop/tea": ["/shop/tea/green"],
}


class Crawl(Job):
    max_depth, max_pages = 2, 6

    def __init__(self, address):
        self.address, self.seen = address, set()

    @producer
    def start(self):
        yield 0, "/"

    @processor
    def choose(self, link):
        if link[1] not in self.seen and len(self.seen) < self.max_pages:
            self.seen.add(link[1])
            yield link

    @processor(execution="thread", workers=4, ordered=True, rate="50/s", feedback=choose)
    def fetch(self, link):
        depth, page = link
        with closing(HTTPConnection(*self.address)) as connection:
            connection.request("GET", page)
            answer = connection.getresponse()
            yield depth, answer.status, page
            for target in re.findall('href="(.+?)"', answer.read().decode()):
                if depth < self.max_depth:
                    yield To(self.choose, (depth + 1, target))


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in SITE else 404)
        self.end_headers()
        for link in SITE.get(self.path, ()):
            self.wfile.write(f'<a href="{link}">'.encode())

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        for fetched in Crawl(site.server_address).pipe.collect():
            print(*fetched)
        site.shutdown()

# 0 200 /
# 1 200 /news
# 1 200 /shop
# 1 404 /gone
# 2 404 /news/1
# 2 200 /shop/tea
