#!/usr/bin/env python3
"""show.py ID [max chars per item] | show.py --list [substr]: prints a corpus entry decoded (brotli/zstandard needed for br/zstd)."""

import gzip
import json
import os
import sys
import zlib

D = os.path.dirname(os.path.abspath(__file__))
M = json.load(open(D + "/manifest.json"))


def decode(e):
    b = open(os.path.join(D, e["file"]), "rb").read() if e["file"] else b""
    c = (e["content_encoding"] or "").strip().lower()
    if c in ("gzip", "x-gzip"):
        return gzip.decompress(b)
    if c == "deflate":
        return zlib.decompress(b)
    if c == "br":
        import brotli

        return brotli.decompress(b)
    if c == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj().decompress(b)
    return b


def items(d):
    """(envelope header, [(item header, payload bytes)])"""
    p = d.find(b"\n")
    p = len(d) if p < 0 else p
    h, out, p = json.loads(d[:p]), [], p + 1
    while p < len(d):
        e = d.find(b"\n", p)
        e = len(d) if e < 0 else e
        if not d[p:e].strip():
            p = e + 1
            continue
        ih = json.loads(d[p:e])
        p = e + 1
        n = ih.get("length")
        if n is None:
            q = d.find(b"\n", p)
            n = (q if q >= 0 else len(d)) - p
        out.append((ih, d[p : p + n]))
        p += n + 1
    return h, out


if __name__ == "__main__":
    if sys.argv[1:2] == ["--list"]:
        for e in M["entries"]:
            l = "%-24s %-6s %-5s %-42s %s %s" % (
                e["id"],
                e["method"],
                e["content_encoding"] or "-",
                e["scenario"],
                ",".join(map(str, e["item_types"] or [])),
                e["path"].split("?")[0],
            )
            if len(sys.argv) < 3 or sys.argv[2] in l:
                print(l)
        sys.exit()
    e = next(x for x in M["entries"] if x["id"] == sys.argv[1])
    lim = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    print(
        json.dumps({k: v for k, v in e.items() if k not in ("items", "envelope_headers")}, indent=1)
    )
    d = decode(e)
    if e["items"]:
        h, its = items(d)
        print("ENVELOPE", json.dumps(h))
        for ih, p in its:
            print("ITEM", json.dumps(ih))
            print("  ", p[:lim].decode("utf8", "replace"))
    else:
        print(d[:lim].decode("utf8", "replace"))
