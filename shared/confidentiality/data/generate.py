#!/usr/bin/env python3
"""Writes the tables of this folder from local copies of published facts; it reaches no network.

Sources (facts only, no text of the standard):
- DICOM PS3.15 table E.1-1, PS3.3 modules, PS3.4 SOP classes and PS3.6 dictionary, edition 2024e, as JSON by
  innolitics/dicom-standard (MIT): standard/confidentiality_profile_attributes.json, ciod_to_modules.json, sops.json,
  attributes.json;
- the attributes of each PS3.3 module with their Types, as JSON by highdicom 0.28.2 (MIT), which is made from the same
  project: highdicom/_standard/module_attribute_map.json.

Usage: generate.py FOLDER, which holds the five files by their names.
"""

import json
import pathlib
import sys

EDITION = "2024e"
HERE = pathlib.Path(__file__).parent
CLASSES = """1.2.840.10008.5.1.4.1.1.1 1.2.840.10008.5.1.4.1.1.1.1 1.2.840.10008.5.1.4.1.1.1.1.1
1.2.840.10008.5.1.4.1.1.1.2 1.2.840.10008.5.1.4.1.1.1.2.1 1.2.840.10008.5.1.4.1.1.1.3 1.2.840.10008.5.1.4.1.1.1.3.1
1.2.840.10008.5.1.4.1.1.12.1 1.2.840.10008.5.1.4.1.1.12.2 1.2.840.10008.5.1.4.1.1.7 1.2.840.10008.5.1.4.1.1.7.1
1.2.840.10008.5.1.4.1.1.7.2 1.2.840.10008.5.1.4.1.1.7.3 1.2.840.10008.5.1.4.1.1.7.4""".split()
OPTIONS = ["rtnSafePrivOpt", "rtnUIDsOpt", "rtnDevIdOpt", "rtnInstIdOpt", "rtnPatCharsOpt", "rtnLongFullDatesOpt",
           "rtnLongModifDatesOpt", "cleanDescOpt", "cleanStructContOpt", "cleanGraphOpt"]
STRENGTH = ["3", "2C", "2", "1C", "1"]
DEPTH_MAX = 8


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def write(name, lines):
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def bare(tag):
    return tag.strip("()").replace(",", "").upper()


def row_tag(tag):
    """Repeating groups stand as 50XX and 60XX, private ones as ODD."""
    text = bare(tag)
    return "ODD" if "ODD" in text else text


def main():
    folder = pathlib.Path(sys.argv[1])
    attributes = read(folder, "attributes.json")
    by_keyword = {a["keyword"]: (bare(a["tag"]), a["valueRepresentation"]) for a in attributes if a["keyword"]}
    by_tag = {bare(a["tag"]): a for a in attributes}

    # PS3.7 annex E: PS3.6 does not list the command set.
    for tag, keyword in (("00001000", "AffectedSOPInstanceUID"), ("00001001", "RequestedSOPInstanceUID")):
        by_tag[tag] = {"tag": tag, "keyword": keyword, "valueRepresentation": "UI"}

    rows, used = [], set()
    for row in read(folder, "confidentiality_profile_attributes.json"):
        tag = row_tag(row["tag"])
        name = by_tag.get(tag, {}).get("keyword") or "".join(w for w in row["name"].title() if w.isalnum())
        used.add(tag)
        rows.append("\t".join([tag, name, row["stdCompIOD"], row["basicProfile"]]
                              + [row.get(option, "-") for option in OPTIONS]))
    rows.sort()
    write("profile.tsv", [f"# edition {EDITION}", "# source DICOM PS3.15 table E.1-1",
                          "# tag name in_iods basic private uids device institution characteristics full_dates"
                          " modified_dates descriptors structured graphics"] + rows)

    sops = {s["id"]: s for s in read(folder, "sops.json")}
    ciods = {c["name"]: c["id"] for c in read(folder, "ciods.json")}
    usage = {}
    for entry in read(folder, "ciod_to_modules.json"):
        usage.setdefault(entry["ciodId"], []).append((entry["moduleId"], entry["usage"][0]))
    module_attributes = read(folder, "module_attribute_map.json")
    lines, needed = [], []
    for uid in CLASSES:
        sop = sops[uid]
        modules = usage[ciods[sop["ciod"]]]
        missing = [m for m, _ in modules if m not in module_attributes]
        assert not missing, missing
        needed += [m for m, _ in modules if m not in needed]
        lines.append("\t".join([uid, sop["name"], " ".join(f"{m}:{u}" for m, u in modules)]))
    write("classes.tsv", [f"# edition {EDITION}", "# source DICOM PS3.3 annex A, PS3.4 annex B",
                          "# uid name module:usage"] + lines)

    lines = []
    for module in sorted(needed):
        tree = {}
        for attribute in module_attributes[module]:
            path = attribute["path"] + [attribute["keyword"]]
            if len(path) > DEPTH_MAX or any(k not in by_keyword for k in path):
                continue
            node = tree
            for keyword in path:
                kind, node = node.setdefault(by_keyword[keyword][0], ["3", {}])
            entry = tree
            for keyword in path[:-1]:
                entry = entry[by_keyword[keyword][0]][1]
            leaf = entry[by_keyword[path[-1]][0]]
            # An attribute may stand twice in a module (two macros); the stronger demand counts.
            leaf[0] = max(leaf[0], attribute["type"], key=STRENGTH.index)
        lines.append(f"@{module}")

        def walk(node, depth):
            for tag in sorted(node):
                kind, inner = node[tag]
                used.add(tag)
                lines.append("." * depth + tag + " " + kind)
                walk(inner, depth + 1)

        walk(tree, 0)
    write("modules.tsv", [f"# edition {EDITION}", "# source DICOM PS3.3 annex C, by way of highdicom 0.28.2",
                          "# @module, then one line an attribute: a dot a level, tag, Type"] + lines)

    names = []
    for tag, attribute in by_tag.items():
        if tag in used and attribute["keyword"]:
            vr = attribute["valueRepresentation"].split(" ")[0]
            names.append("\t".join([tag, vr, attribute["keyword"]]))
    missing = {row.split("\t")[0] for row in rows} - {line.split("\t")[0] for line in names}
    assert all("X" in tag or tag == "ODD" for tag in missing), missing
    write("names.tsv", [f"# edition {EDITION}", "# source DICOM PS3.6 chapter 6", "# tag vr keyword"] + sorted(names))


main()
