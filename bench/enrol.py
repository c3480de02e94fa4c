"""The load generator by hand: `python -m bench.enrol --url https://localhost:8443/... --netrc FILE --pid PID`.

Loopback only. With `--certificate FILE...` (key and certificate in PEM) each request is made with the next one,
for the common name in it, and needs no password.
"""

from __future__ import annotations

import argparse
import netrc
import os
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from bench import machine
from bench.load import Exchange, Stream, client_context, run
from bench.material import basic, encode_enrolment, make_csrs


def main() -> None:
    options = _options()
    url = urlsplit(options.url)
    if url.hostname not in ("localhost", "127.0.0.1"):
        raise SystemExit("this load generator is for servers on this machine: localhost or 127.0.0.1")
    context = client_context(tls12=options.tls12)
    stream = Stream(
        exchanges=iter(_exchanges(options, url.path)),
        context=context,
        connections=options.connections,
        width=options.width,
        rate=options.rate,
    )
    before = machine.cpu_of([options.pid]) if options.pid else 0.0
    [outcome] = run(("127.0.0.1", url.port or 443), [stream], seconds=options.seconds)
    print(
        f"{outcome.answered} answered, {outcome.rate:.0f}/s, p50 {outcome.percentile(50):.2f} ms,"
        f" p99 {outcome.percentile(99):.2f} ms, {outcome.handshakes} handshakes, {outcome.resumed} resumed"
    )
    for problem, count in outcome.failures.most_common():
        print(f"failed {count} x: {problem}")
    if options.pid and outcome.answered:
        used = machine.cpu_of([options.pid]) - before
        print(f"process {options.pid}: {used / outcome.answered * 1e6:.0f} µs of CPU per answer")
    if outcome.failures:
        raise SystemExit(1)


def _exchanges(options: argparse.Namespace, path: str) -> list[Exchange]:
    files: list[Path] = options.certificate
    contexts = [client_context(str(file), tls12=options.tls12) for file in files]
    subjects = [_common_name(file) for file in files] or ["bench-" + os.urandom(4).hex()]
    count = options.count
    prepared = make_csrs(subjects[number % len(subjects)] for number in range(count))
    authorization = _authorization(options)
    return [
        Exchange(
            request=encode_enrolment(
                one, path=path, authorization=authorization, close=options.connections != "keep-alive"
            ),
            key_der=one.key_der,
            context=contexts[number % len(contexts)] if contexts else None,
        )
        for number, one in enumerate(prepared)
    ]


def _authorization(options: argparse.Namespace) -> str | None:
    if options.netrc is None:
        return None
    found = netrc.netrc(options.netrc).authenticators("localhost")
    if found is None:
        raise SystemExit(f"{options.netrc} has no entry for localhost")
    return basic(found[0], found[2] or "")


def _common_name(file: Path) -> str:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    [name] = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.enrol", description=__doc__)
    parser.add_argument("--url", required=True, help="of simpleenroll or simplereenroll")
    parser.add_argument("--netrc", help="file with user and password, such as HOME/quickstart.netrc")
    parser.add_argument("--certificate", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument("--connections", choices=("fresh", "resumed", "keep-alive"), default="fresh")
    parser.add_argument("--tls12", action="store_true")
    parser.add_argument("--width", type=int, default=8, help="requests under way at once")
    parser.add_argument("--rate", type=float, help="requests a second, whatever the server does")
    parser.add_argument("--count", type=int, default=20_000, help="at most this many")
    parser.add_argument("--seconds", type=float, default=8.0, help="at most this long")
    parser.add_argument("--pid", type=int, help="a process whose CPU is shown per answer")
    return parser.parse_args()


if __name__ == "__main__":
    main()
