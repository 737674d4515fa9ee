//! Copies of exported folders in the hands of insiders: edited, chained anew, signed again, alone or all together.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use snowball_audit::{Keys, Kind, ListedFile, MANIFEST_FILE, Manifest, Outcome, SIGNATURE_FILE, audit};
use snowball_crypto::SigningKey;
use snowball_ledger::{Head, SignedHead};
use snowball_protocol::{Sha256Digest, plan::canonical_json, receipt::Receipt};

pub const AGGREGATOR: &str = "aggregator";
const ORIGIN: &str = "snowball/ledger/";
const RECORDS: &str = "ledger/ledger.jsonl";
const UPDATES: &str = "updates.jsonl";
const ROUNDS: &str = "rounds.jsonl";
const ENROLMENTS: &str = "enrolments.jsonl";

/// The evidence of a consortium and every private key in it.
pub struct Evidence {
    root: PathBuf,
    pub sites: Vec<String>,
    pub keys: BTreeMap<String, SigningKey>,
    /// More folders than there are parties, or fewer.
    pub shown: Vec<PathBuf>,
}

/// Of each old record the new hash and its index.
type News = BTreeMap<String, (String, usize)>;

/// All that the parties wrote down, while they change it together.
pub struct History {
    pub ledgers: BTreeMap<String, Vec<Value>>,
    pub updates: Vec<Value>,
    pub rounds: Vec<Value>,
    pub enrolments: Vec<Value>,
}

impl Evidence {
    pub fn new(root: PathBuf, sites: Vec<String>, keys: BTreeMap<String, SigningKey>) -> Self {
        let parties = [AGGREGATOR].into_iter().chain(sites.iter().map(String::as_str));
        Self {
            shown: parties.map(|party| root.join(party)).collect(),
            root,
            sites,
            keys,
        }
    }

    pub fn copy(&self, to: &Path) -> Self {
        for (path, content) in files(&self.root) {
            let target = to.join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, content).unwrap();
        }
        Self::new(to.to_owned(), self.sites.clone(), self.keys.clone())
    }

    pub fn folders(&self) -> Vec<PathBuf> {
        self.shown.clone()
    }

    pub fn verify(&self, keys: &Path) -> Outcome {
        audit(&self.shown, &Keys::parse(&fs::read_to_string(keys).unwrap()).unwrap())
    }

    pub fn path(&self, party: &str, file: &str) -> PathBuf {
        self.root.join(party).join(file)
    }

    /// The first file of `folder` whose name ends so; not the authority's certificate.
    pub fn find(&self, party: &str, folder: &str, ending: &str) -> String {
        let mut names: Vec<String> = fs::read_dir(self.path(party, folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(ending) && name != "ca.pem")
            .collect();
        names.sort();
        format!("{folder}/{}", names.first().unwrap())
    }

    /// Changes a file without any key.
    pub fn edit(&self, party: &str, file: &str, change: impl FnOnce(String) -> String) {
        let path = self.path(party, file);
        let before = fs::read_to_string(&path).unwrap();
        let after = change(before.clone());
        assert_ne!(before, after, "{party}, {file}: nothing was changed");
        fs::write(path, after).unwrap();
    }

    /// Lists the files of a folder anew and signs the list with the owner's key.
    pub fn seal(&self, party: &str) {
        self.seal_with(party, &self.keys[party]);
    }

    pub fn seal_with(&self, party: &str, key: &SigningKey) {
        let root = self.root.join(party);
        let listed = files(&root)
            .into_iter()
            .filter(|(path, _)| path != MANIFEST_FILE && path != SIGNATURE_FILE)
            .map(|(path, content)| ListedFile {
                path,
                bytes: content.len() as u64,
                digest: Sha256Digest::of(&content),
            });
        let kind = if party == AGGREGATOR {
            Kind::Aggregator
        } else {
            Kind::Site
        };
        let manifest = Manifest::new(kind, self.head(party), key.verifying_key(), listed.collect());
        let document = canonical_json(&manifest);
        let signature = format!("{}\n", key.sign(&Manifest::signed_bytes(&document)));
        fs::write(root.join(MANIFEST_FILE), document).unwrap();
        fs::write(root.join(SIGNATURE_FILE), signature).unwrap();
    }

    pub fn records(&self, party: &str) -> Vec<Value> {
        documents(&self.path(party, RECORDS))
    }

    /// One owner rewrites its ledger alone and signs it again.
    pub fn rewrite(&self, party: &str, change: impl FnOnce(&mut Vec<Value>)) {
        let mut records = self.records(party);
        let before = records.clone();
        change(&mut records);
        assert_ne!(before, records, "{party}: nothing was changed");
        let mut previous = beginning(party);
        for (index, record) in records.iter_mut().enumerate() {
            previous = chain(record, index, &previous);
        }
        self.keep(party, &records);
    }

    /// Everybody rewrites history together: whatever names a changed record names the new one, and all is signed again.
    pub fn collude(&self, change: impl FnOnce(&mut History)) {
        let parties = self.sites.iter().map(String::as_str).chain([AGGREGATOR]);
        let mut history = History {
            ledgers: parties.map(|party| (party.to_owned(), self.records(party))).collect(),
            updates: documents(&self.path(AGGREGATOR, UPDATES)),
            rounds: documents(&self.path(AGGREGATOR, ROUNDS)),
            enrolments: documents(&self.path(AGGREGATOR, ENROLMENTS)),
        };
        change(&mut history);
        let news = self.chain_all(&mut history.ledgers);
        for update in &mut history.updates {
            self.renew(update, &news);
            let head = update["header"]["ledger_head"].as_str().unwrap();
            if let Some((_, index)) = news.values().find(|(hash, _)| hash == head) {
                update["header"]["ledger_index"] = json!(index);
            }
        }
        for (file, lines) in [
            (UPDATES, &history.updates),
            (ROUNDS, &history.rounds),
            (ENROLMENTS, &history.enrolments),
        ] {
            fs::write(self.path(AGGREGATOR, file), table(lines)).unwrap();
        }
        for (party, records) in &history.ledgers {
            self.keep(party, records);
        }
    }

    /// Chains all ledgers anew in an order in which each record comes after those that it names.
    fn chain_all(&self, ledgers: &mut BTreeMap<String, Vec<Value>>) -> News {
        let olds: BTreeSet<String> = ledgers.values().flatten().filter_map(hash).collect();
        let mut news = News::new();
        let mut heads: BTreeMap<String, (usize, String)> = ledgers
            .keys()
            .map(|party| (party.clone(), (0, beginning(party))))
            .collect();
        loop {
            let mut moved = false;
            for (party, records) in ledgers.iter_mut() {
                let (next, previous) = heads.get_mut(party).unwrap();
                while let Some(record) = records.get_mut(*next) {
                    let named = named(&record["entry"]);
                    if named.iter().any(|one| olds.contains(one) && !news.contains_key(one)) {
                        break;
                    }
                    let old = hash(record);
                    self.renew(&mut record["entry"], &news);
                    *previous = chain(record, *next, previous);
                    news.extend(old.map(|old| (old, (previous.clone(), *next))));
                    *next += 1;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        for (party, records) in ledgers {
            assert_eq!(
                heads[party].0,
                records.len(),
                "{party}: a record names one that comes after it"
            );
        }
        news
    }

    /// Names the new records, and signs receipts and heads again.
    fn renew(&self, value: &mut Value, news: &News) {
        match value {
            Value::String(text) => {
                if let Some((new, _)) = news.get(text) {
                    *text = new.clone();
                } else if text.starts_with(ORIGIN) {
                    *text = self.renewed_note(text, news);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.renew(item, news)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|field| self.renew(field, news));
                if let Some(receipt) = fields.get("receipt").filter(|_| fields.contains_key("signature")) {
                    let receipt: Receipt = serde_json::from_value(receipt.clone()).unwrap();
                    let signature = self.keys[AGGREGATOR].sign(&receipt.signed_bytes());
                    fields.insert("signature".to_owned(), json!(signature.to_string()));
                }
            }
            _ => {}
        }
    }

    /// A signed head of the new record, seen by the same cosigners at the same times.
    fn renewed_note(&self, note: &str, news: &News) -> String {
        let owner = note.lines().next().unwrap().strip_prefix(ORIGIN).unwrap();
        let Some((hash, index)) = hash_of_note(note).and_then(|old| news.get(&old)) else {
            return note.to_owned();
        };
        let head = Head {
            owner: owner.to_owned(),
            entries: *index as u64 + 1,
            hash: hash.parse().unwrap(),
        };
        let mut signed = SignedHead::sign(head, &self.keys[owner]);
        for line in note.lines().skip(5) {
            let (name, base64) = line.trim_start_matches("\u{2014} ").split_once(' ').unwrap();
            let cosigner = name.strip_prefix(ORIGIN).unwrap();
            let seconds = STANDARD.decode(base64).unwrap()[4..12].try_into().unwrap();
            signed = signed.cosigned(cosigner, &self.keys[cosigner], i64::from_be_bytes(seconds));
        }
        signed.note
    }

    fn keep(&self, party: &str, records: &[Value]) {
        fs::write(self.path(party, RECORDS), table(records)).unwrap();
        let note = SignedHead::sign(self.head(party), &self.keys[party]).note;
        fs::write(self.path(party, "ledger/checkpoint"), note).unwrap();
        self.seal(party);
    }

    fn head(&self, party: &str) -> Head {
        let records = self.records(party);
        Head {
            owner: party.to_owned(),
            entries: records.len() as u64,
            hash: records
                .last()
                .and_then(hash)
                .unwrap_or_else(|| beginning(party))
                .parse()
                .unwrap(),
        }
    }
}

impl History {
    /// The first record of a kind that is like this.
    pub fn first(&mut self, party: &str, kind: &str, is_it: impl Fn(&Value) -> bool) -> &mut Value {
        let records = self.ledgers.get_mut(party).unwrap();
        let place = records
            .iter()
            .position(|record| record["entry"]["entry"] == kind && is_it(&record["entry"]));
        &mut records[place.unwrap_or_else(|| panic!("{party} has no such {kind}"))]
    }

    pub fn remove(&mut self, party: &str, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let wanted = self.first(party, kind, is_it).clone();
        let records = self.ledgers.get_mut(party).unwrap();
        let place = records.iter().position(|record| *record == wanted).unwrap();
        records.remove(place)
    }

    /// A new record at the end.
    pub fn append(&mut self, party: &str, entry: Value) {
        let records = self.ledgers.get_mut(party).unwrap();
        let time = records.last().unwrap()["time"].clone();
        records.push(record(entry, &time));
    }
}

/// A record that is not chained yet.
pub fn record(entry: Value, time: &Value) -> Value {
    json!({ "entry": entry, "time": time })
}

/// Gives a record its place, and its hash.
fn chain(record: &mut Value, index: usize, previous: &str) -> String {
    let content = json!({ "entry": record["entry"], "index": index, "previous": previous, "time": record["time"] });
    let hash = Sha256Digest::of(&[b"snowball ledger record v1\n", &canonical_json(&content)[..]].concat()).to_string();
    *record = content;
    record["hash"] = json!(hash);
    hash
}

fn hash(record: &Value) -> Option<String> {
    record["hash"].as_str().map(str::to_owned)
}

fn beginning(owner: &str) -> String {
    Sha256Digest::of(format!("snowball ledger beginning v1\n{owner}\n").as_bytes()).to_string()
}

/// Every text in a value, and the hash in every signed head.
fn named(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if text.starts_with(ORIGIN) => hash_of_note(text).into_iter().collect(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(named).collect(),
        Value::Object(fields) => fields.values().flat_map(named).collect(),
        _ => vec![],
    }
}

/// The hash of the record that a signed head is of.
fn hash_of_note(note: &str) -> Option<String> {
    let bytes: [u8; 32] = STANDARD.decode(note.lines().nth(2)?).ok()?.try_into().ok()?;
    Some(Sha256Digest::from_bytes(bytes).to_string())
}

fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn table(lines: &[Value]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| [canonical_json(line), b"\n".to_vec()].concat())
        .collect()
}

/// Every file below a folder, by its path.
pub fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(
                files(&path)
                    .into_iter()
                    .map(|(inner, content)| (format!("{name}/{inner}"), content)),
            );
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}
