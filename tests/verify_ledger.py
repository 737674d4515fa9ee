#!/usr/bin/env python3
"""Checks Snowball ledgers offline, independently of Snowball: written from shared/ledger/FORMAT.md alone.

    verify_ledger.py --key PUBLIC_KEY_BASE64 [--owner NAME] [--head sha256:...]... [--heads FILE_OR_FOLDER]...
                     [--archive FOLDER]... [--backup FOLDER] FOLDER...

With --backup, the ledger must also note that backup, and each file of it must be what was copied.

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
NAME = re.compile(rf"snowball/ledger/{OWNER}")
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


def beginning(owner):
    return 0, sha256(b"snowball ledger beginning v1\n", owner.encode(), b"\n")


def continuation(file):
    """Where a file goes on: records before it, hash of the last, first record of the file before; None for the first file."""
    file.seek(0)
    line = file.readline(LINE_BYTES_MAX)
    file.seek(0)
    try:
        record = parse(line[:-1], 0) if line.endswith(b"\n") else None
    except Fault:
        record = None
    if record is None:
        return None
    entry, index = record["entry"], record["index"]
    holds = entry.get("entry") == "archive_closed" and is_integer(entry.get("first"), 0, index)
    holds = holds and is_integer(entry.get("entries"), 0, 2**64) and entry["entries"] == index
    return (index, record["previous"], entry["first"]) if holds else None


class Segments:
    """The files of a ledger, as far as they are at hand: the archives, oldest first, and the open file."""

    def __init__(self, folder, elsewhere):
        self.open = open_records(folder)
        self.continuation = following = continuation(self.open)
        self.archives, self.missing = [], None
        while following:
            end, first = following[0], following[2]
            places = [place / f"{first:020}" for place in (folder / "archives", *elsewhere)]
            place = next((place for place in places if place.with_suffix(".jsonl").exists()), None)
            if place is None:
                self.missing = following
                break
            with open(place.with_suffix(".jsonl"), "rb") as file:
                found = continuation(file)
            self.archives.insert(0, (first, end, found, place))
            following = found if found and found[0] == first else None

    def start(self, owner):
        """Records before the first that is at hand, and the hash of the last of them."""
        if not self.archives:
            return self.continuation[:2] if self.continuation else beginning(owner)
        first, _, found, _ = self.archives[0]
        start = found[:2] if found else beginning(owner)
        return start if start[0] == first else (first, "sha256:" + "0" * 64)


class Wanted:
    """Heads that the other side kept: hashes alone, and signed ones with their sizes."""

    def __init__(self, hashes, signed):
        self.hashes, self.signed, self.found = set(hashes), set(signed), 0

    def see(self, entries, digest):
        self.found += (digest in self.hashes) + ((entries, digest) in self.signed)
        self.hashes.discard(digest)
        self.signed.discard((entries, digest))

    def judge(self, entries, unseen):
        """How many nobody could look for. What else remains is another history, or a tail that was cut."""
        if any(unseen <= size <= entries for size, _ in self.signed):
            raise Fault("forked", min(size for size, _ in self.signed if unseen <= size <= entries))
        if any(size > entries for size, _ in self.signed):
            raise Fault("tail_cut", entries)
        if self.hashes and not unseen:
            raise Fault("head_unknown")
        return len(self.hashes) + len(self.signed)


class Chain:
    """The records so far, each sound and following the one before."""

    def __init__(self, start, wanted):
        self.entries, self.hash = start
        self.wanted, self.counts, self.backups = wanted, {}, set()
        self.wanted.see(self.entries, self.hash)

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
            if kind == "backup_made":
                self.backups.add(record["entry"].get("files_digest"))
            self.entries, self.hash = self.entries + 1, record["hash"]
            self.wanted.see(self.entries, self.hash)

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


def open_records(folder):
    """The open file; between two steps of closing an archive, the one that takes its place."""
    for name in ("ledger.jsonl", "ledger.jsonl.next"):
        try:
            return open(folder / name, "rb")
        except FileNotFoundError:
            pass
    raise Fault("records_missing")


def read_note(path, key):
    """Owner, count and hash of the last record; None if there is no such file."""
    try:
        with open(path, "rb") as file:
            return check_note(file.read(CHECKPOINT_BYTES_MAX + 1), key)
    except FileNotFoundError:
        return None


def check_note(note, key):
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


def is_cosignature(line):
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\u2014" or not NAME.fullmatch(parts[1]):
        return False
    try:
        signed = base64.b64decode(parts[2], validate=True)
    except ValueError:
        return False
    return len(signed) == 76 and base64.b64encode(signed).decode() == parts[2]


class KeptHeads:
    """The heads of one owner's ledger in a file of notes, a folder of them, or the other side's ledger."""

    def __init__(self, owner, key):
        self.name, self.owner, self.key = f"snowball/ledger/{owner}", owner, key
        self.hashes, self.signed, self.other_keys = [], [], 0

    def read(self, path):
        if not path.is_dir():
            return self.read_notes(path)
        if (path / "ledger.jsonl").exists():
            for file in sorted((path / "archives").glob("*.jsonl")) + [path / "ledger.jsonl"]:
                self.read_ledger(file)
            return None
        for file in sorted(path.glob("*.note")):
            self.read_notes(file)

    def read_notes(self, path):
        try:
            text = path.read_bytes().decode()
        except ValueError:
            raise Fault("head_invalid") from None
        begins = [match.start() for match in re.finditer("^snowball/ledger/", text, re.MULTILINE)]
        for start, end in zip(begins, begins[1:] + [len(text)]):
            self.take(text[start:end].rstrip() + "\n")

    def read_ledger(self, path):
        with open(path, "rb") as file:
            while (line := file.readline(LINE_BYTES_MAX)).endswith(b"\n"):
                try:
                    entry = json.loads(line)["entry"]
                    kind = entry["entry"]
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue
                if kind in ("site_head_kept", "head_refused"):
                    self.take(entry.get("head"))
                elif kind == "heads_exchanged":
                    self.take(entry.get("site_head"))
                    self.take(entry.get("aggregator_head"))
                elif kind == "update_admitted" and entry.get("site") == self.owner:
                    self.take_hash(entry.get("site_ledger_head"))
                elif kind == "receipt_kept":
                    receipt = entry.get("receipt")
                    receipt = receipt.get("receipt") if isinstance(receipt, dict) else None
                    if isinstance(receipt, dict) and receipt.get("site") == self.owner:
                        self.take_hash(receipt.get("ledger_head"))

    def take_hash(self, digest):
        if isinstance(digest, str) and DIGEST.fullmatch(digest):
            self.hashes.append(digest)

    def take(self, note):
        if not isinstance(note, str) or not note.startswith(self.name + "\n"):
            return
        lines = note.split("\n")
        try:
            if len(note.encode()) > CHECKPOINT_BYTES_MAX or lines[-1] or not all(map(is_cosignature, lines[5:-1])):
                raise Fault("checkpoint_malformed")
            _, count, digest = check_note(("\n".join(lines[:5]) + "\n").encode(), self.key)
        except Fault as fault:
            if fault.code != "wrong_key":
                raise Fault("head_invalid") from None
            self.other_keys += 1
        else:
            self.signed.append((count, digest))


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


def walk_archive(chain, archive, key):
    """An archive holds exactly its records, and its own signed head answers for them."""
    _, end, _, place = archive
    with open(place.with_suffix(".jsonl"), "rb") as file:
        chain.walk(file, end)
        if file.readline(1):
            raise Fault("unsigned", end)
    note = read_note(place.with_suffix(".checkpoint"), key)
    if note is None:
        raise Fault("checkpoint_missing")
    if note != (chain.owner, chain.entries, chain.hash):
        raise Fault("rewritten", end)


def check_missing(folder, key, missing, owner):
    """The signed head of an archive that was moved away may still be there: then the next file must go on from it."""
    end, digest, first = missing
    note = read_note(folder / "archives" / f"{first:020}.checkpoint", key)
    if note not in (None, (owner, end, digest)):
        raise Fault("rewritten", end)


def check_backup(folder, noted):
    """The list of files is the one that the ledger notes, and each file is what it says. The ledger's own files are not on that list."""
    try:
        files = json.loads((folder / "manifest.json").read_bytes())["files"]
        listed = [file for file in files if not file["path"].startswith(("ledger/", "ledger-outbox/"))]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Fault("backup_malformed") from None
    if sha256(canonical(listed)) not in noted:
        raise Fault("backup_not_noted")
    for file in listed:
        path, digest, size = folder / "home" / file["path"], hashlib.sha256(), 0
        try:
            with open(path, "rb") as content:
                while piece := content.read(1 << 20):
                    digest.update(piece)
                    size += len(piece)
        except OSError:
            raise Fault("backup_altered") from None
        if ("sha256:" + digest.hexdigest(), size) != (file["digest"], file["bytes"]):
            raise Fault("backup_altered")


def verify(folder, key, owner_expected, heads, kept, elsewhere, backup=None):
    note = read_note(folder / "checkpoint", key)
    if note is None:
        open_records(folder).close()
        raise Fault("checkpoint_missing")
    owner, count, head = note
    if owner_expected not in (None, owner):
        raise Fault("wrong_owner")
    others = KeptHeads(owner, key)
    for path in kept:
        others.read(path)
    segments = Segments(folder, elsewhere)
    with segments.open as file:
        chain = Chain(segments.start(owner), Wanted([*heads, *others.hashes], others.signed))
        chain.owner, unseen = owner, 0
        if segments.missing:
            unseen = chain.entries
            check_missing(folder, key, segments.missing, owner)
        for archive in segments.archives:
            walk_archive(chain, archive, key)
        chain.walk(file, count)
        if chain.hash != head:
            raise Fault("rewritten")
        chain.bytes = file.tell()
        being_written = is_being_written(file)
        if not being_written:
            check_tail(folder, key, file, chain, owner)
    heads_unseen = chain.wanted.judge(chain.entries, unseen)
    if backup is not None:
        check_backup(backup, chain.backups)
    signatures = "checked" if Ed25519PublicKey is not None else "NOT CHECKED: install the Python package cryptography"
    return {
        "verdict": "sound", "owner": owner, "entries": chain.entries, "head": chain.hash, "signatures": signatures,
        "being_written": being_written, "counts": chain.counts, "unseen": unseen, "archives": len(segments.archives),
        "heads_found": chain.wanted.found, "heads_unseen": heads_unseen, "heads_of_other_keys": others.other_keys,
        **({} if backup is None else {"backup": "noted"}),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", required=True, help="the owner's public key, 32 bytes in base64")
    parser.add_argument("--owner", help="whose ledger it must be")
    parser.add_argument("--head", action="append", default=[], help="a head that the other side kept")
    parser.add_argument("--heads", action="append", default=[], type=pathlib.Path,
                        help="signed heads that others kept: a file of notes, a folder of *.note, or the other side's ledger")
    parser.add_argument("--archive", action="append", default=[], type=pathlib.Path, help="a folder with archives")
    parser.add_argument("--backup", type=pathlib.Path, help="the folder of a backup, with its manifest.json")
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
            outcome = verify(folder, key, arguments.owner, arguments.head, arguments.heads, arguments.archive,
                             arguments.backup)
        except Fault as fault:
            outcome, exit_code = {"verdict": fault.code, "index": fault.index}, 1
        except OSError:
            outcome, exit_code = {"verdict": "unreadable", "index": None}, 1
        print(json.dumps({"folder": str(folder), **outcome}))
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
