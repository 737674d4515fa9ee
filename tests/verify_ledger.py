#!/usr/bin/env python3
"""Checks Snowball ledgers offline, independently of Snowball: written from shared/ledger/FORMAT.md alone.

    verify_ledger.py --key PUBLIC_KEY_BASE64 [--owner NAME] [--head sha256:...]... FOLDER...

Prints one line of JSON for each folder. Exit code: 0 all sound, 1 something is wrong, 2 wrong usage, 3 all chains are
sound but no signature could be checked, because the Python package "cryptography" is not installed.
Needs Python 3.9 and its standard library.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import re
import sys

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None
try:
    import fcntl
except ImportError:
    fcntl = None

LINE_BYTES_MAX = 65_536
CHECKPOINT_BYTES_MAX = 4_096
DEPTH_MAX = 16
OWNER = r"[a-z0-9][a-z0-9-]{0,62}"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NOTE = re.compile(
    rf"(?P<text>(?P<name>snowball/ledger/(?P<owner>{OWNER}))\n(?P<count>0|[1-9][0-9]{{0,19}})\n(?P<hash>[A-Za-z0-9+/]{{43}}=)\n)"
    rf"\n\u2014 (?P=name) (?P<signed>[A-Za-z0-9+/]{{91}}=)\n"
)


class Fault(Exception):
    """What is wrong, by its code in FORMAT.md, and at which place."""

    def __init__(self, code, index=None):
        super().__init__(code)
        self.code, self.index = code, index


def sha256(*parts):
    return "sha256:" + hashlib.sha256(b"".join(parts)).hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def is_plain(value, depth):
    if isinstance(value, dict):
        return depth >= 0 and all(is_plain(field, depth - 1) for field in value.values())
    if isinstance(value, list):
        return depth >= 0 and all(is_plain(item, depth - 1) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return -(2**63) <= value < 2**64
    return value is None or isinstance(value, (bool, str))


def is_integer(value, low, high):
    return isinstance(value, int) and not isinstance(value, bool) and low <= value < high


def parse(line, place):
    """The record in a line without its end."""
    try:
        record = json.loads(line.decode())
        plain = isinstance(record, dict) and is_plain(record, DEPTH_MAX - 1) and canonical(record) == line
    except (ValueError, RecursionError):
        plain = False
    if not plain or sorted(record) != ["entry", "hash", "index", "previous", "time"]:
        raise Fault("malformed", place)
    digests = all(isinstance(record[name], str) and DIGEST.fullmatch(record[name]) for name in ("hash", "previous"))
    numbers = is_integer(record["index"], 0, 2**64) and is_integer(record["time"], -(2**63), 2**63)
    if not digests or not numbers or not isinstance(record["entry"], dict):
        raise Fault("malformed", place)
    content = {name: value for name, value in record.items() if name != "hash"}
    if sha256(b"snowball ledger record v1\n", canonical(content)) != record["hash"]:
        raise Fault("altered", place)
    return record


class Chain:
    """The records so far, each sound and following the one before."""

    def __init__(self, owner):
        self.entries, self.hash = 0, sha256(b"snowball ledger beginning v1\n", owner.encode(), b"\n")
        self.hashes_wanted, self.hashes_seen, self.counts = set(), set(), {}

    def walk(self, file, entries):
        while self.entries < entries:
            line = file.readline(LINE_BYTES_MAX)
            if line and not line.endswith(b"\n") and len(line) == LINE_BYTES_MAX:
                raise Fault("too_long", self.entries)
            if not line.endswith(b"\n"):
                raise Fault("truncated", self.entries)
            record = parse(line[:-1], self.entries)
            self.check_place(record, file)
            kind = str(record["entry"].get("entry"))
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.entries, self.hash = self.entries + 1, record["hash"]
            if self.hash in self.hashes_wanted:
                self.hashes_seen.add(self.hash)

    def check_place(self, record, file):
        if record["index"] < self.entries:
            raise Fault("inserted", self.entries)
        if record["index"] > self.entries:
            raise Fault("reordered" if comes_later(file, self.entries) else "dropped", self.entries)
        if record["previous"] != self.hash:
            raise Fault("replaced" if self.entries else "foreign_records", self.entries)


def comes_later(file, index):
    while (line := file.readline(LINE_BYTES_MAX)).endswith(b"\n"):
        try:
            if parse(line[:-1], index)["index"] == index:
                return True
        except Fault:
            pass
    return False


def read_note(path, key):
    """Owner, count, hash of the last record, and whether the signature was checked; None if there is no such file."""
    try:
        with open(path, "rb") as file:
            note = file.read(CHECKPOINT_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    try:
        match = NOTE.fullmatch(note.decode())
        signed = base64.b64decode(match["signed"], validate=True)
        digest = base64.b64decode(match["hash"], validate=True)
        canonical_base64 = base64.b64encode(signed).decode() == match["signed"] and base64.b64encode(digest).decode() == match["hash"]
    except (ValueError, TypeError):
        raise Fault("checkpoint_malformed") from None
    if not canonical_base64 or len(signed) != 68 or len(digest) != 32 or int(match["count"]) >= 2**64:
        raise Fault("checkpoint_malformed")
    if signed[:4] != hashlib.sha256(match["name"].encode() + b"\n\x01" + key).digest()[:4]:
        raise Fault("wrong_key")
    if Ed25519PublicKey is not None:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signed[4:], match["text"].encode())
        except (InvalidSignature, ValueError):
            raise Fault("signature_invalid") from None
    return match["owner"], int(match["count"]), "sha256:" + digest.hex()


def is_being_written(file):
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_UN)
        return False
    except BlockingIOError:
        return True


def check_tail(folder, key, file, chain, owner):
    """Nothing may follow the signed records, except a whole write whose own signed head lies beside it."""
    size = file.seek(0, 2)
    file.seek(chain.bytes)
    if size == chain.bytes:
        return
    start = chain.entries
    try:
        following = read_note(folder / "checkpoint.next", key)
    except Fault:
        following = None
    if following and following[0] == owner and following[1] > start:
        try:
            chain.walk(file, following[1])
        except Fault:
            raise Fault("unfinished", start) from None
        if chain.hash != following[2]:
            raise Fault("unfinished", start)
    line = file.readline(LINE_BYTES_MAX)
    if line:
        torn = not line.endswith(b"\n") and len(line) < LINE_BYTES_MAX
        raise Fault("unfinished" if torn else "unsigned", chain.entries)


def verify(folder, key, owner_expected, heads):
    note = read_note(folder / "checkpoint", key)
    if note is None:
        raise Fault("checkpoint_missing" if (folder / "ledger.jsonl").exists() else "records_missing")
    owner, count, head = note
    if owner_expected not in (None, owner):
        raise Fault("wrong_owner")
    try:
        file = open(folder / "ledger.jsonl", "rb")
    except FileNotFoundError:
        raise Fault("records_missing") from None
    with file:
        chain = Chain(owner)
        chain.hashes_wanted = set(heads)
        chain.walk(file, count)
        if chain.hash != head:
            raise Fault("rewritten")
        chain.bytes = file.tell()
        being_written = is_being_written(file)
        if not being_written:
            check_tail(folder, key, file, chain, owner)
    if chain.hashes_seen != chain.hashes_wanted:
        raise Fault("head_unknown")
    signatures = "checked" if Ed25519PublicKey is not None else "NOT CHECKED: install the Python package cryptography"
    return {
        "verdict": "sound", "owner": owner, "entries": chain.entries, "head": chain.hash, "signatures": signatures,
        "being_written": being_written, "counts": chain.counts,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", required=True, help="the owner's public key, 32 bytes in base64")
    parser.add_argument("--owner", help="whose ledger it must be")
    parser.add_argument("--head", action="append", default=[], help="a head that the other side kept")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        key = base64.b64decode(arguments.key, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        parser.error("a public key is 32 bytes in base64")
    exit_code = 0 if Ed25519PublicKey is not None else 3
    for folder in arguments.folders:
        try:
            outcome = verify(folder, key, arguments.owner, arguments.head)
        except Fault as fault:
            outcome, exit_code = {"verdict": fault.code, "index": fault.index}, 1
        except OSError:
            outcome, exit_code = {"verdict": "unreadable", "index": None}, 1
        print(json.dumps({"folder": str(folder), **outcome}))
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
