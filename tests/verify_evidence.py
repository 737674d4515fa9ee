#!/usr/bin/env python3
"""Checks the core of exported evidence offline, independently of Snowball: written from shared/audit/EVIDENCE.md alone.

    verify_evidence.py --keys keys.toml FOLDER...

Manifests, ledgers and kept heads, receipts, updates, rounds and the chain of models; not policies, decisions and releases.
Prints one JSON document. Exit code: 0 sound, 1 something is wrong, 2 wrong usage.
Needs Python 3.11 and its standard library; verify_ledger.py and ed25519.py lie beside it.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import re
import sys
import tomllib

import ed25519
import verify_ledger

SAFE_PATH = re.compile(r"[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)*")
OWN_FILES = {"manifest.json", "manifest.json.sig"}


class PublicKey:
    """What verify_ledger.py expects of a library, in plain Python."""

    def __init__(self, key):
        self.key = key

    from_public_bytes = classmethod(lambda cls, key: cls(key))

    def verify(self, signature, message):
        if not ed25519.verify(self.key, message, signature):
            raise ValueError("the signature does not hold")


verify_ledger.Ed25519PublicKey, verify_ledger.InvalidSignature = PublicKey, ValueError
FINDINGS = []


class KeptHeads(verify_ledger.KeptHeads):
    """Without those that the other side kept of an open round, and that lie beyond the end of the ledger."""

    late, hashes_late, entries = set(), set(), 0

    def read(self, path):
        super().read(path)
        self.signed = [head for head in self.signed if head[0] <= self.entries or head not in self.late]
        self.hashes = [digest for digest in self.hashes if digest not in self.hashes_late]


verify_ledger.KeptHeads = KeptHeads


def find(code, place, detail=""):
    FINDINGS.append({"code": code, "place": place, "detail": detail})


def is_signed(key, domain, document, signature):
    try:
        return ed25519.verify(key, domain + document, base64.b64decode(signature, validate=True))
    except ValueError:
        return False


class Folder:
    """One party's evidence."""

    def __init__(self, root):
        self.root, self.owner, self.files = root, None, {}
        try:
            document = (root / "manifest.json").read_bytes()
            signature = (root / "manifest.json.sig").read_text().rstrip("\n")
        except (OSError, ValueError):
            return find("manifest_missing", str(root))
        try:
            self.manifest = manifest = json.loads(document)
            files = [(file["path"], file["bytes"], file["digest"]) for file in manifest["files"]]
            well = verify_ledger.canonical(manifest) == document and manifest["format"] == 1
            well = well and [path for path, *_ in files] == sorted({path for path, *_ in files})
            well = well and all(SAFE_PATH.fullmatch(path) for path, *_ in files)
            self.key = base64.b64decode(manifest["key"], validate=True)
            owner = "aggregator" if manifest["kind"] == "aggregator" else manifest["owner"]
        except (ValueError, KeyError, TypeError):
            well = False
        if not well:
            return find("manifest_malformed", str(root))
        self.owner, self.files = owner, {path: (size, digest) for path, size, digest in files}
        if not is_signed(self.key, b"snowball evidence manifest v1\n", document, signature):
            find("manifest_signature", owner)
        self.check_files()

    def check_files(self):
        for path, (size, digest) in self.files.items():
            place, file = f"{self.owner}, {path}", self.root / path
            if file.is_symlink() or not file.is_file():
                find("file_missing", place)
            elif (file.stat().st_size, sha256_of(file)) != (size, digest):
                find("file_altered", place)
        for file in sorted(self.root.rglob("*")):
            path = file.relative_to(self.root).as_posix()
            if (file.is_symlink() or not file.is_dir()) and path not in OWN_FILES | self.files.keys():
                find("file_extra", f"{self.owner}, {path}")

    def table(self, path):
        if path in self.files:
            with open(self.root / path, encoding="utf-8") as file:
                yield from (json.loads(line, parse_float=Number) for line in file)

    def records(self):
        archives = sorted(path for path in self.files if re.fullmatch(r"ledger/archives/[0-9]+\.jsonl", path))
        for path in [*archives, "ledger/ledger.jsonl"]:
            yield from self.table(path)


class Number(float):
    """A number that is no integer, with the text that it was written in."""

    def __new__(cls, text):
        number = super().__new__(cls, text)
        number.text = text
        return number


def spelled(value):
    """Canonical JSON in which every number stands as it was written."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{spelled(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spelled, value)) + "]"
    return value.text if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)


def digest_of(value):
    return "sha256:" + hashlib.sha256(spelled(value).encode()).hexdigest()


def has_one_spelling(value):
    """Whether no number is longer than programs of today write them."""
    if isinstance(value, (dict, list)):
        return all(map(has_one_spelling, value.values() if isinstance(value, dict) else value))
    digits = re.sub(r"[eE].*|[-.]", "", value.text).strip("0") if isinstance(value, Number) else ""
    return len(digits) <= 12


def has_details(evaluation):
    return any("detail" in part for head in evaluation["heads"] for part in head.get("classes", []))


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 16):
            digest.update(block)
    return "sha256:" + digest.hexdigest()


def open_all(roots, keys):
    pinned = {"aggregator": keys["aggregator"], **{site: own["ledger"] for site, own in keys.get("sites", {}).items()}}
    folders = {}
    for root in roots:
        folder = Folder(root)
        if folder.owner is None:
            continue
        if folder.owner in folders:
            find("folder_twice", str(root))
            continue
        folders[folder.owner] = folder
        if folder.owner not in pinned:
            find("owner_unknown", folder.owner)
        elif folder.manifest["key"] != pinned[folder.owner]:
            find("key_differs", folder.owner)
    for party in pinned.keys() - folders.keys():
        find("evidence_missing", party)
    return {owner: folder for owner, folder in folders.items() if owner in pinned}, pinned


class OpenRounds:
    """The rounds that nobody holds as closed: parties may export at different moments of one."""

    def __init__(self, sound, key):
        self.opened, self.begins, self.reviews = {}, {}, {}
        if "aggregator" not in sound:
            return
        for record in sound["aggregator"].records():
            entry = record["entry"]
            if entry["entry"] == "round_opened":
                self.opened[entry["study"], entry["round"]] = record["index"]
            elif entry["entry"] in ("round_finished", "study_finished", "study_aborted"):
                self.close(entry["study"], entry.get("round"))
            # From the final model to the end of the review sites send evaluations, and both sides exchange heads.
            if entry["entry"] == "study_finished":
                self.reviews[entry["study"]] = record["index"]
            elif entry["entry"] in ("release_signed", "study_aborted"):
                self.reviews.pop(entry["study"], None)
        for site in sound.keys() - {"aggregator"}:
            begins = self.begins.setdefault(site, {})
            for record in sound[site].records():
                entry = record["entry"]
                if entry["entry"] == "study_joined":
                    begins[entry["study"]] = record["index"]
                elif entry["entry"] == "receipt_kept":
                    receipt = entry["receipt"]["receipt"]
                    self.close(receipt["study"], receipt["round"] - 1)
                    if (receipt["study"], receipt["round"]) not in self.opened:
                        begins[receipt["study"]] = record["index"]
                elif entry["entry"] == "round_outcome_kept":
                    outcome, signature = entry["outcome"]["outcome"], entry["outcome"]["signature"]
                    if is_signed(key, b"snowball round outcome v1\n", verify_ledger.canonical(outcome), signature):
                        self.close(outcome["study"], outcome["round"])

    def close(self, study, last):
        gone = [name for name in self.opened if name[0] == study and (last is None or name[1] <= last)]
        for name in gone:
            del self.opened[name]

    def since(self, owner, keeper):
        """From which record of the keeper on a head of the owner may be of an open round."""
        studies = self.begins.get(owner if keeper == "aggregator" else keeper, {})
        if keeper == "aggregator":
            begun = [(study, index) for (study, _), index in self.opened.items()] + list(self.reviews.items())
            return min((index for study, index in begun if study in studies), default=None)
        open_studies = {study for study, _ in self.opened} | self.reviews.keys()
        return min((studies[study] for study in open_studies if study in studies), default=None)

    def late(self, owner, keeper, folder, key):
        """The heads of the owner that the keeper kept of an open round alone, and the hashes that came with its updates."""
        since = self.since(owner, keeper)
        early, late, hashes = set(), set(), set()
        for record in folder.records() if since is not None else ():
            entry = record["entry"]
            kept = verify_ledger.KeptHeads(owner, key)
            for name in ("head", "site_head", "aggregator_head") if entry["entry"] in ("site_head_kept", "heads_exchanged") else ():
                kept.take(entry.get(name))
            (early if record["index"] < since else late).update(kept.signed)
            if entry["entry"] == "update_admitted" and entry["site"] == owner and (entry["study"], entry["round"]) in self.opened:
                hashes.add(entry["site_ledger_head"])
        return late - early, hashes


def check_ledgers(folders, pinned):
    """Those whose chain holds, and the open rounds; then each with the heads that the others kept of it."""
    sound = {}
    for owner, folder in folders.items():
        outcome = verified(folder, owner, pinned, [])
        if isinstance(outcome, str):
            find("ledger_broken", owner, outcome)
        elif outcome["unseen"]:
            find("ledger_partial", owner)
        else:
            sound[owner] = folder
            listed = folder.manifest["head"]
            if (outcome["entries"], outcome["head"]) != (listed["entries"], listed["hash"]):
                find("ledger_head", owner)
    rounds = OpenRounds(sound, base64.b64decode(pinned["aggregator"]))
    for owner, folder in sound.items():
        for other in sound if owner == "aggregator" else {"aggregator"} & sound.keys():
            key = base64.b64decode(pinned[owner])
            KeptHeads.late, KeptHeads.hashes_late = rounds.late(owner, other, sound[other], key) if other != owner else (set(), set())
            KeptHeads.entries = folder.manifest["head"]["entries"]
            outcome = verified(folder, owner, pinned, [sound[other].root / "ledger"])
            KeptHeads.late, KeptHeads.hashes_late = set(), set()
            if other != owner and isinstance(outcome, str):
                find("head_signature" if outcome == "head_invalid" else "head_unknown", f"{owner}, as {other} kept it", outcome)
        for record in folder.records():
            if record["entry"]["entry"] == "head_refused":
                find("head_refused", f"{owner}, record {record['index']}")
    return sound, rounds


def verified(folder, owner, pinned, others):
    """The outcome, or the code of what is wrong."""
    try:
        return verify_ledger.verify(folder.root / "ledger", base64.b64decode(pinned[owner]), owner, [], others, [])
    except verify_ledger.Fault as fault:
        return fault.code
    except OSError:
        return "unreadable"


def check_receipt(signed, key, place):
    if not is_signed(key, b"snowball receipt v1\n", verify_ledger.canonical(signed["receipt"]), signed["signature"]):
        find("receipt_signature", place)


def check_outcome(signed, finished, key, place):
    outcome = signed["outcome"]
    if not is_signed(key, b"snowball round outcome v1\n", verify_ledger.canonical(outcome), signed["signature"]):
        find("receipt_signature", place)
    entry = finished.get((outcome["study"], outcome["round"]), {})
    if any(outcome.get(name) != entry.get(name) for name in ("model_in", "model_out", "control", "contributions")):
        find("receipt_contradicts", place)


def check_training(entry, finished, place):
    """The first round begins at each site with the model that it began with. Under SCAFFOLD: what the steps were corrected by is what the
    round before left; programs of before wrote neither down."""
    first = finished.get((entry["study"], 1), {})
    if entry["round"] == 1 and first.get("model_in", entry["model_in"]) != entry["model_in"]:
        find("model_chain", place)
    before = finished.get((entry["study"], entry["round"] - 1), {})
    if entry.get("control") and entry["round"] > 1 and before.get("model_out") != entry["model_in"]:
        return
    if entry.get("control") not in (None, before.get("control")):
        find("control_chain", place)


def check_sites(sites, updates, finished, key, rounds):
    """Each site's receipts against its approvals, and the aggregator's updates against both."""
    for site, folder in sites.items():
        approvals, receipts = {}, []
        for record in folder.records():
            entry = record["entry"]
            if entry["entry"] == "update_approved":
                approvals[record["hash"]] = (record["index"], entry)
            elif entry["entry"] == "receipt_kept":
                receipts.append((record["index"], entry["receipt"]))
            elif entry["entry"] == "receipt_not_had":
                given = [update for name, update in updates.items() if name[:3] == (entry["study"], entry["round"], site)]
                if any(update["header"]["digest"] == entry["update_digest"] for update in given):
                    find("receipt_contradicts", f"{site}, record {record['index']}")
            elif entry["entry"] == "training_finished":
                check_training(entry, finished, f"{site}, record {record['index']}")
            elif entry["entry"] == "round_outcome_kept":
                check_outcome(entry["outcome"], finished, key, f"{site}, record {record['index']}")
        seen = set()
        for index, signed in receipts:
            place, receipt = f"{site}, record {index}", signed["receipt"]
            check_receipt(signed, key, place)
            approved, approval = approvals.get(receipt["ledger_head"], (index, {}))
            text = verify_ledger.canonical(receipt)
            given = updates.get((receipt["study"], receipt["round"], site, receipt["attempt"]), {}).get("receipt", {})
            same = approval.get("update_digest") == receipt["update_digest"] and approval["bytes"] == receipt["update_bytes"]
            is_late = not given and (receipt["study"], receipt["round"]) in rounds.opened
            fits = approved < index and same and receipt["site"] == site and (is_late or given.get("receipt") == receipt)
            if not fits or text in seen:
                find("receipt_contradicts", place)
            seen.add(text)
        for (study, number, name, _), update in updates.items():
            if name != site:
                continue
            place, header = f"round {number} of {study}, {site}", update["header"]
            index, approval = approvals.get(header["ledger_head"], (None, None))
            is_beyond = header["ledger_index"] >= folder.manifest["head"]["entries"]
            if approval is None and is_beyond and (study, number) in rounds.opened:
                continue
            if approval is None:
                known = any(entry["update_digest"] == header["digest"] for _, entry in approvals.values())
                find("head_not_the_approval" if known else "update_not_approved", place)
            elif index != header["ledger_index"]:
                find("head_not_the_approval", place)
            elif (approval["update_digest"], approval["bytes"]) != (header["digest"], header["bytes"]):
                find("update_contradicts", place)


def check_metrics(site, approved, occasion, evaluation, place):
    """The measurements that came are those that the site let out; programs of before let numbers out that have no one spelling."""
    approvals = approved.get((site, *occasion), [])
    named = [entry for entry in approvals if entry["digest"] == digest_of(evaluation)]
    if not approvals:
        find("metrics_not_approved", place)
    elif not named:
        if all("detailed" in entry for entry in approvals):
            find("metrics_contradict", place)
    elif named[-1].get("detailed", has_details(evaluation)) != has_details(evaluation):
        find("metrics_contradict", place)


def check_measurements(sites, updates, aggregator, rounds):
    """What came with updates and of final models against what each site let out."""
    approved = {}
    for site, folder in sites.items():
        for record in folder.records():
            entry = record["entry"]
            if entry["entry"] == "metrics_approved":
                approved.setdefault((site, entry["study"], entry["round"]), []).append(entry)
    for (study, number, site, _), update in updates.items():
        header = update["header"]
        if site not in sites or header.get("evaluation") is None:
            continue
        is_beyond = header["ledger_index"] >= sites[site].manifest["head"]["entries"]
        if not (is_beyond and (study, number) in rounds.opened):
            check_metrics(site, approved, (study, number), header["evaluation"], f"round {number} of {study}, {site}")
    if "evaluations.jsonl" not in aggregator.files:
        return
    told_of = {}
    for facts in aggregator.table("evaluations.jsonl"):
        site, study, told = facts["site"], facts["study"], facts["told"]
        told_of[site, study] = digest_of(told) if has_one_spelling(told) else None
        for part in (told["evaluation"], told.get("own")) if site in sites and study not in rounds.reviews else ():
            if part is not None:
                check_metrics(site, approved, (study, None), part, f"the final model of {study}, {site}")
    for record in aggregator.records():
        entry = record["entry"]
        if entry["entry"] == "evaluation_admitted":
            known = told_of.get((entry["site"], entry["study"]), "none")
            if known not in (None, entry["digest"]):
                find("evaluation_undocumented", f"aggregator, record {record['index']}")


def check_aggregator(folder, key):
    """Updates and rounds; gives the updates and the finished rounds."""
    admitted, finished, opened, final, plans = {}, {}, {}, {}, {}
    for record in folder.records():
        entry = record["entry"]
        kind = entry["entry"]
        if kind == "update_admitted":
            admitted[entry["study"], entry["round"], entry["site"], entry["attempt"]] = entry
        elif kind == "round_finished":
            finished[entry["study"], entry["round"]] = entry
        elif kind == "round_opened":
            opened[entry["study"], entry["round"]] = entry["model_in"]
        elif kind == "study_finished":
            final[entry["study"]] = entry["model"]
        elif kind == "study_created":
            plans[entry["study"]] = entry["plan_digest"]
    updates = {}
    for update in folder.table("updates.jsonl"):
        header, receipt = update["header"], update["receipt"]["receipt"]
        name = (header["study"], header["round"], update["site"], header["attempt"])
        place = "round {1} of {0}, {2}".format(*name)
        entry = admitted.get(name, {})
        if (header["digest"], header["ledger_head"]) != (entry.get("update_digest"), entry.get("site_ledger_head")):
            find("update_undocumented", place)
        check_receipt(update["receipt"], key, place)
        said = (receipt["update_digest"], receipt["update_bytes"], receipt["ledger_head"], receipt["examples"])
        if said != (header["digest"], header["bytes"], header["ledger_head"], entry.get("examples")):
            find("receipt_contradicts", place)
        updates[name] = update
    for name in admitted.keys() - updates.keys():
        find("update_undocumented", "round {1} of {0}, {2}".format(*name))
    check_rounds(folder, admitted, finished, updates)
    check_models(finished, opened, final, first_models(folder, plans))
    return updates, finished


def check_rounds(folder, admitted, finished, updates):
    documented = set()
    for record in folder.table("rounds.jsonl"):
        name, parts = (record["study"], record["round"]), record["contributions"]
        place, entry = "round {1} of {0}".format(*name), finished.get(name, {})
        documented.add(name)
        said = (record["model_in"], record["model_out"], len(parts))
        if said != (entry.get("model_in"), entry.get("model_out"), entry.get("contributions")):
            find("round_undocumented", place)
        control = entry.get("control")
        if control and (control["digest"], control["since"]) != (record.get("server_state"), record.get("control", {}).get("since")):
            find("control_chain", place)
        taken = {}
        for update, facts in admitted.items():
            if update[:2] == name:
                size = updates.get(update, {"header": {"bytes": None}})["header"]["bytes"]
                taken.setdefault(update[2], []).append((facts["examples"], size))
        for part in parts:
            of_site = taken.get(part["site"], [])
            if not of_site:
                find("contribution_added", place, part["site"])
                continue
            examples, size = of_site.pop()
            if part["examples"] != examples or size not in (None, part["bytes"]):
                find("contribution_differs", place, part["site"])
        for site in (site for site, left in taken.items() if left):
            find("contribution_missing", place, site)
    for name in finished.keys() - documented:
        find("round_undocumented", "round {1} of {0}".format(*name))


def first_models(folder, plans):
    """What studies begin with whose plans name weights; what a seed makes, and whether a plan is there at all, is not looked at here."""
    first = {}
    for study, digest in plans.items():
        path = "plans/" + digest.removeprefix("sha256:") + ".json"
        content = (folder.root / path).read_bytes() if path in folder.files else b""
        if "sha256:" + hashlib.sha256(content).hexdigest() == digest and "start" in json.loads(content):
            first[study] = json.loads(content)["start"]["model"]
    return first


def check_models(finished, opened, final, first):
    for study in {study for study, _ in finished}:
        rounds = sorted(number for name, number in finished if name == study)
        before = first.get(study)
        for expected, number in enumerate(rounds, 1):
            entry, place = finished[study, number], f"round {number} of {study}"
            starts = {entry["model_in"], opened.get((study, number), entry["model_in"]), before or entry["model_in"]}
            if number != expected or len(starts) != 1:
                find("model_chain", place)
            before = entry["model_out"]
        if final.get(study, before) != before:
            find("model_chain", f"the end of {study}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", required=True, type=pathlib.Path, help="the public keys, as they were written down")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    with open(arguments.keys, "rb") as file:
        keys = tomllib.load(file)
    folders, pinned = open_all(arguments.folders, keys)
    sound, rounds = check_ledgers(folders, pinned)
    aggregator = sound.pop("aggregator", None)
    if aggregator is not None:
        try:
            key = base64.b64decode(keys["aggregator"])
            updates, finished = check_aggregator(aggregator, key)
            check_sites(sound, updates, finished, key, rounds)
            check_measurements(sound, updates, aggregator, rounds)
        except (ValueError, KeyError, TypeError, OSError) as fault:
            find("malformed", "aggregator", repr(fault))
    opened = [{"study": study, "round": number} for study, number in sorted(rounds.opened)]
    print(json.dumps({"sound": not FINDINGS, "folders": len(folders), "open": opened, "findings": FINDINGS}))
    return 1 if FINDINGS else 0


if __name__ == "__main__":
    sys.exit(main())
