//! The tamperings, each with the finding that must be reported. Those with the word `rewrites` or `signed again` are an insider's,
//! who holds the key; where all collude, only what contradicts itself can give them away.

mod measurements;

use std::fs;

use serde_json::{Value, json};
use snowball_crypto::SigningKey;
use snowball_protocol::{Sha256Digest, outcome::RoundOutcome};

use super::evidence::{AGGREGATOR, Evidence, History, record};

/// One way to tamper.
pub struct Tampering {
    pub name: &'static str,
    pub finding: &'static str,
    /// Whether the second auditor, which checks the core alone, must report it as well.
    pub is_core: bool,
    pub make: fn(&mut Evidence),
}

const fn core(name: &'static str, finding: &'static str, make: fn(&mut Evidence)) -> Tampering {
    Tampering {
        name,
        finding,
        is_core: true,
        make,
    }
}

const fn deep(name: &'static str, finding: &'static str, make: fn(&mut Evidence)) -> Tampering {
    Tampering {
        name,
        finding,
        is_core: false,
        make,
    }
}

const LEDGER: &str = "ledger/ledger.jsonl";
const DAY: i64 = 24 * 60 * 60;

/// All of them.
pub fn all() -> Vec<Tampering> {
    [
        without_a_key(),
        by_one_owner(),
        of_policies(),
        of_updates(),
        measurements::of_measurements(),
        of_rounds(),
        of_members(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn without_a_key() -> Vec<Tampering> {
    vec![
        core("a digit of a record is changed", "ledger_broken", |evidence| {
            let site = evidence.sites[0].clone();
            evidence.edit(&site, LEDGER, |text| {
                text.replacen("\"accepted\":", "\"accepted\":1", 1)
            });
        }),
        core("a record is dropped", "ledger_broken", |evidence| {
            let site = evidence.sites[0].clone();
            evidence.edit(&site, LEDGER, |text| without_line(&text, 5));
        }),
        core("two records change places", "ledger_broken", |evidence| {
            evidence.edit(AGGREGATOR, LEDGER, |text| {
                let mut lines: Vec<&str> = text.lines().collect();
                lines.swap(3, 4);
                lines.join("\n") + "\n"
            });
        }),
        core("a file is changed", "file_altered", |evidence| {
            evidence.edit(AGGREGATOR, "rounds.jsonl", |text| {
                text.replacen("\"examples\":", "\"examples\":9", 1)
            });
        }),
        core(
            "the manifest is changed along with a file",
            "manifest_signature",
            |evidence| {
                let site = evidence.sites[1].clone();
                evidence.edit(&site, "manifest.json", |text| {
                    text.replacen("\"bytes\":", "\"bytes\":1", 1)
                });
            },
        ),
        core("a file is put in", "file_extra", |evidence| {
            fs::write(evidence.path(AGGREGATOR, "releases/more.json"), "{}").unwrap();
        }),
        core("a file is taken out", "file_missing", |evidence| {
            let site = evidence.sites[0].clone();
            let plan = evidence.find(&site, "plans", ".json");
            fs::remove_file(evidence.path(&site, &plan)).unwrap();
        }),
        core("a link stands in a file's place", "file_missing", |evidence| {
            let path = evidence.path(AGGREGATOR, "consortium.json");
            let elsewhere = evidence.path(AGGREGATOR, "../elsewhere.json");
            fs::rename(&path, &elsewhere).unwrap();
            std::os::unix::fs::symlink(elsewhere, path).unwrap();
        }),
        core("the folder is signed with another key", "key_differs", |evidence| {
            let site = evidence.sites[0].clone();
            evidence.seal_with(&site, &SigningKey::generate().unwrap());
        }),
        core("a party shows nothing", "evidence_missing", |evidence| {
            evidence.shown.pop();
        }),
        core("a folder is shown twice", "folder_twice", |evidence| {
            evidence.shown.push(evidence.shown[1].clone());
        }),
    ]
}

fn by_one_owner() -> Vec<Tampering> {
    vec![
        core(
            "a site cuts its tail and puts an older signed head back",
            "head_unknown",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.rewrite(&site, |records| {
                    let place = places(records, "update_approved")[1];
                    records.truncate(place);
                });
            },
        ),
        core(
            "a site rewrites what it sent and signs again",
            "head_unknown",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.rewrite(&site, |records| {
                    let place = places(records, "update_approved")[0];
                    records[place]["entry"]["bytes"] = json!(1);
                });
            },
        ),
        core(
            "a site shows a fork: its newest records are others",
            "head_unknown",
            |evidence| {
                let site = evidence.sites[1].clone();
                evidence.rewrite(&site, |records| {
                    let place = places(records, "update_approved")[2];
                    let time = records[place]["time"].clone();
                    for record_at in &mut records[place..] {
                        let entry = json!({ "entry": "program_started", "program_version": "0.1.0" });
                        *record_at = record(entry, &time);
                    }
                });
            },
        ),
        core(
            "the aggregator rewrites its ledger alone and signs again",
            "head_unknown",
            |evidence| {
                evidence.rewrite(AGGREGATOR, |records| {
                    let place = places(records, "enrolment_approved")[0];
                    records[place]["entry"]["reason"] = json!("another reason");
                });
            },
        ),
        core("a head that was kept is changed", "head_signature", |evidence| {
            let site = evidence.sites[0].clone();
            evidence.rewrite(&site, |records| {
                let place = places(records, "heads_exchanged")[0];
                let head = records[place]["entry"]["aggregator_head"].as_str().unwrap();
                let (text, signature) = head.split_once("\n\n").unwrap();
                let mut lines: Vec<&str> = text.lines().collect();
                lines[1] = "1";
                let changed = format!("{}\n\n{signature}", lines.join("\n"));
                records[place]["entry"]["aggregator_head"] = json!(changed);
            });
        }),
        core(
            "a site changes a receipt and signs its ledger again",
            "receipt_signature",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.rewrite(&site, |records| {
                    let place = *places(records, "receipt_kept").last().unwrap();
                    records[place]["entry"]["receipt"]["receipt"]["examples"] = json!(1);
                });
            },
        ),
        core(
            "a receipt of another round stands in a receipt's place",
            "receipt_contradicts",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.rewrite(&site, |records| {
                    let places = places(records, "receipt_kept");
                    let other = records[places[0]]["entry"].clone();
                    records[*places.last().unwrap()]["entry"] = other;
                });
            },
        ),
        core(
            "a site changes the outcome of a round and signs its ledger again",
            "receipt_signature",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.rewrite(&site, |records| {
                    let place = *places(records, "round_outcome_kept").last().unwrap();
                    records[place]["entry"]["outcome"]["outcome"]["contributions"] = json!(1);
                });
            },
        ),
        core(
            "the aggregator signs to a site another outcome than it wrote down",
            "receipt_contradicts",
            |evidence| {
                let site = evidence.sites[0].clone();
                let key = evidence.keys[AGGREGATOR].clone();
                evidence.collude(|history| {
                    let kept = &mut history.first(&site, "round_outcome_kept", |_| true)["entry"]["outcome"];
                    kept["outcome"]["model_out"] = json!(Sha256Digest::of(b"another model"));
                    let outcome: RoundOutcome = serde_json::from_value(kept["outcome"].clone()).unwrap();
                    kept["signature"] = json!(key.sign(&outcome.signed_bytes()).to_string());
                });
            },
        ),
        core(
            "the aggregator changes a receipt in its documents",
            "receipt_signature",
            |evidence| {
                evidence.edit(AGGREGATOR, "updates.jsonl", |text| {
                    let place = text.find("\"received\":").unwrap();
                    format!("{}\"received\":1{}", &text[..place], &text[place + 11..])
                });
                evidence.seal(AGGREGATOR);
            },
        ),
        deep(
            "a release's lineage is changed and its folder signed again",
            "release_altered",
            |evidence| {
                let release = evidence.find(AGGREGATOR, "releases", ".json");
                evidence.edit(AGGREGATOR, &release, |text| {
                    text.replacen("\"approved_by\":null", "\"approved_by\":\"X\"", 1)
                });
                evidence.seal(AGGREGATOR);
            },
        ),
        deep(
            "a release is signed by somebody else",
            "release_signature",
            |evidence| {
                let signature = evidence.find(AGGREGATOR, "releases", ".json.sig");
                let other = SigningKey::generate().unwrap().sign(b"anything");
                evidence.edit(AGGREGATOR, &signature, |_| format!("{other}\n"));
                evidence.seal(AGGREGATOR);
            },
        ),
        deep(
            "the plan is changed and the folder signed again",
            "plan_altered",
            |evidence| {
                let site = evidence.sites[0].clone();
                let plan = evidence.find(&site, "plans", ".json");
                evidence.edit(&site, &plan, |text| text.replacen("\"count\":4", "\"count\":5", 1));
                evidence.seal(&site);
            },
        ),
        deep(
            "another authority's certificate stands in the folder",
            "ca_differs",
            |evidence| {
                let site = evidence.sites[0].clone();
                let own = evidence.find(AGGREGATOR, "certificates", ".pem");
                let other = fs::read_to_string(evidence.path(AGGREGATOR, &own)).unwrap();
                evidence.edit(&site, "certificates/ca.pem", |_| other);
                evidence.seal(&site);
            },
        ),
    ]
}

fn of_policies() -> Vec<Tampering> {
    vec![
        deep(
            "a policy is changed and the folder signed again",
            "policy_altered",
            |evidence| {
                let site = evidence.sites[0].clone();
                let policy = evidence.find(&site, "policies", ".toml");
                evidence.edit(&site, &policy, |text| text.replacen("cell_min = 3", "cell_min = 1", 1));
                evidence.seal(&site);
            },
        ),
        deep(
            "a policy is signed with another ethics key",
            "policy_signature",
            |evidence| {
                let site = evidence.sites[0].clone();
                let policy = evidence.find(&site, "policies", ".toml");
                let bytes = fs::read(evidence.path(&site, &policy)).unwrap();
                let other = snowball_policy::sign(&bytes, &SigningKey::generate().unwrap());
                evidence.edit(&site, &format!("{policy}.sig"), |_| other);
                evidence.seal(&site);
            },
        ),
        deep(
            "a policy is taken out of the history's files",
            "policy_missing",
            |evidence| {
                let site = evidence.sites[0].clone();
                let policy = evidence.find(&site, "policies", ".toml");
                fs::remove_file(evidence.path(&site, &policy)).unwrap();
                fs::remove_file(evidence.path(&site, &format!("{policy}.sig"))).unwrap();
                evidence.seal(&site);
            },
        ),
        deep(
            "all remove a policy from the ledger's history",
            "policy_never_installed",
            |evidence| {
                let site = evidence.sites[1].clone();
                evidence.collude(|history| drop(history.remove(&site, "policy_installed", |_| true)));
            },
        ),
        deep(
            "all go on under a policy that another took the place of",
            "policy_not_in_force",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.collude(|history| {
                    let records = history.ledgers.get_mut(&site).unwrap();
                    let first = records[places(records, "policy_installed")[0]]["entry"]["policy_digest"].clone();
                    let last = *places(records, "decision_made").last().unwrap();
                    records[last]["entry"]["policy_digest"] = first;
                    for record in &mut records[last..] {
                        record["time"] = json!(record["time"].as_i64().unwrap() + 3600);
                    }
                });
            },
        ),
        deep(
            "all send after the policy has expired",
            "policy_not_in_force",
            |evidence| {
                let site = evidence.sites[1].clone();
                evidence.collude(|history| {
                    let records = history.ledgers.get_mut(&site).unwrap();
                    let from = *sends(records).last().unwrap();
                    for record in &mut records[from..] {
                        record["time"] = json!(record["time"].as_i64().unwrap() + 200 * DAY);
                    }
                });
            },
        ),
        deep(
            "all record a permit that the policy does not give",
            "decision_contradicts_policy",
            |evidence| {
                let site = evidence.sites[2].clone();
                evidence.collude(|history| {
                    let denied = |entry: &Value| entry["permitted"] == false;
                    let decision = history.first(&site, "decision_made", denied);
                    decision["entry"]["permitted"] = json!(true);
                });
            },
        ),
        deep("all let an update out without asking", "without_permit", |evidence| {
            let site = evidence.sites[1].clone();
            evidence.collude(|history| {
                let sends = |entry: &Value| entry["action"] == "send update" && entry["round"] == 2;
                history.remove(&site, "decision_made", sends);
            });
        }),
    ]
}

fn of_updates() -> Vec<Tampering> {
    vec![
        deep(
            "the aggregator makes up an update of a site",
            "update_not_approved",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.collude(|history| {
                    let attempt = json!(2);
                    let mut update = the_update(history, &site, 1).clone();
                    update["header"]["attempt"] = attempt.clone();
                    update["receipt"]["receipt"]["attempt"] = attempt.clone();
                    let is_it = |entry: &Value| entry["site"] == site.as_str() && entry["round"] == 1;
                    let mut entry = history.first(AGGREGATOR, "update_admitted", is_it)["entry"].clone();
                    entry["attempt"] = attempt;
                    history.append(AGGREGATOR, entry);
                    history.updates.push(update);
                });
            },
        ),
        deep(
            "the aggregator counts an update with another weight",
            "update_contradicts",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.collude(|history| weigh(history, &site, 9999));
            },
        ),
        deep(
            "all say that fewer bytes left than came",
            "update_contradicts",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.collude(|history| {
                    let approval = history.first(&site, "update_approved", |entry| entry["round"] == 1);
                    approval["entry"]["bytes"] = json!(7);
                });
            },
        ),
        core(
            "an update's head is not the record of its approval",
            "head_not_the_approval",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.collude(|history| {
                    let other = history.first(&site, "policy_installed", |_| true)["hash"].clone();
                    let is_it = |entry: &Value| entry["site"] == site.as_str() && entry["round"] == 1;
                    history.first(AGGREGATOR, "update_admitted", is_it)["entry"]["site_ledger_head"] = other.clone();
                    let kept = history.first(&site, "receipt_kept", |entry| entry["receipt"]["receipt"]["round"] == 1);
                    kept["entry"]["receipt"]["receipt"]["ledger_head"] = other.clone();
                    let update = the_update(history, &site, 1);
                    update["header"]["ledger_head"] = other.clone();
                    update["receipt"]["receipt"]["ledger_head"] = other;
                });
            },
        ),
        deep(
            "all forget that measurements left",
            "metrics_not_approved",
            |evidence| {
                let site = evidence.sites[1].clone();
                evidence
                    .collude(|history| drop(history.remove(&site, "metrics_approved", |entry| entry["round"] == 2)));
            },
        ),
        deep("a site forgets that it joined", "disclosure_unrecorded", |evidence| {
            let site = evidence.sites[1].clone();
            evidence.collude(|history| {
                history.remove(&site, "decision_made", |entry| entry["action"] == "join");
            });
        }),
        core(
            "what came with an update is taken out",
            "update_undocumented",
            |evidence| {
                evidence.edit(AGGREGATOR, "updates.jsonl", |text| without_line(&text, 1));
                evidence.seal(AGGREGATOR);
            },
        ),
    ]
}

fn of_rounds() -> Vec<Tampering> {
    vec![
        core("a contribution is added to a round", "contribution_added", |evidence| {
            let ghost = evidence.sites[2].clone();
            evidence.collude(|history| {
                let mut part = history.rounds[1]["contributions"][0].clone();
                part["site"] = json!(ghost);
                history.rounds[1]["contributions"].as_array_mut().unwrap().push(part);
                history.first(AGGREGATOR, "round_finished", |entry| entry["round"] == 2)["entry"]["contributions"] =
                    json!(3);
            });
        }),
        core(
            "a contribution is left out of a round",
            "contribution_missing",
            |evidence| {
                evidence.collude(|history| {
                    history.rounds[1]["contributions"].as_array_mut().unwrap().pop();
                    history.first(AGGREGATOR, "round_finished", |entry| entry["round"] == 2)["entry"]["contributions"] =
                        json!(1);
                });
            },
        ),
        core(
            "a round counts other examples than came",
            "contribution_differs",
            |evidence| {
                evidence.collude(|history| history.rounds[2]["contributions"][0]["examples"] = json!(1));
            },
        ),
        core(
            "a round says that fewer bytes came",
            "contribution_differs",
            |evidence| {
                evidence.collude(|history| history.rounds[2]["contributions"][0]["bytes"] = json!(1));
            },
        ),
        core("the record of a round is taken out", "round_undocumented", |evidence| {
            evidence.edit(AGGREGATOR, "rounds.jsonl", |text| without_line(&text, 0));
            evidence.seal(AGGREGATOR);
        }),
        core(
            "another model stands at the end of a round",
            "model_chain",
            |evidence| {
                evidence.collude(|history| {
                    let other = json!(Sha256Digest::of(b"another model"));
                    history.rounds[1]["model_out"] = other.clone();
                    history.first(AGGREGATOR, "round_finished", |entry| entry["round"] == 2)["entry"]["model_out"] =
                        other;
                });
            },
        ),
        core(
            "the aggregator hands a site another control variate than the round before left",
            "control_chain",
            |evidence| {
                let site = evidence.sites[1].clone();
                evidence.collude(|history| {
                    let is_corrected = |entry: &Value| entry["control"].is_object();
                    let trained = history.first(&site, "training_finished", is_corrected);
                    trained["entry"]["control"]["digest"] = json!(Sha256Digest::of(b"another control variate"));
                });
            },
        ),
        core(
            "the record of a round names another control variate than the ledger",
            "control_chain",
            |evidence| {
                evidence.collude(|history| {
                    let is_corrected = |round: &&mut Value| round["control"].is_object();
                    let round = history.rounds.iter_mut().find(is_corrected).unwrap();
                    round["server_state"] = json!(Sha256Digest::of(b"another control variate"));
                });
            },
        ),
        core(
            "the aggregator signs to a site another control variate than it wrote down",
            "receipt_contradicts",
            |evidence| {
                let site = evidence.sites[0].clone();
                let key = evidence.keys[AGGREGATOR].clone();
                evidence.collude(|history| {
                    let is_corrected = |entry: &Value| entry["outcome"]["outcome"]["control"].is_object();
                    let kept = &mut history.first(&site, "round_outcome_kept", is_corrected)["entry"]["outcome"];
                    kept["outcome"]["control"]["digest"] = json!(Sha256Digest::of(b"another control variate"));
                    let outcome: RoundOutcome = serde_json::from_value(kept["outcome"].clone()).unwrap();
                    kept["signature"] = json!(key.sign(&outcome.signed_bytes()).to_string());
                });
            },
        ),
        deep(
            "all begin with another model than the seed makes",
            "model_chain",
            |evidence| {
                let sites = evidence.sites.clone();
                let key = evidence.keys[AGGREGATOR].clone();
                evidence.collude(|history| {
                    begin_with(history, &sites, &key, &json!(Sha256Digest::of(b"another first model")))
                });
            },
        ),
        core(
            "a site began with another model than the first round",
            "model_chain",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.collude(|history| {
                    let trained = history.first(&site, "training_finished", |entry| entry["round"] == 1);
                    trained["entry"]["model_in"] = json!(Sha256Digest::of(b"another first model"));
                });
            },
        ),
        core("the study ends with another model", "model_chain", |evidence| {
            evidence.collude(|history| {
                let other = json!(Sha256Digest::of(b"another model"));
                history.first(AGGREGATOR, "study_finished", |_| true)["entry"]["model"] = other;
            });
        }),
        deep(
            "a release tells of another round and is signed again",
            "release_contradicts",
            |evidence| {
                let (lineage, signature) = (
                    evidence.find(AGGREGATOR, "releases", ".json"),
                    evidence.find(AGGREGATOR, "releases", ".json.sig"),
                );
                let text = fs::read_to_string(evidence.path(AGGREGATOR, &lineage)).unwrap();
                let changed = text.replacen("\"examples\":", "\"examples\":1", 1);
                assert_ne!(text, changed);
                let digest = Sha256Digest::of(changed.as_bytes());
                let signed = [b"snowball lineage v1\n", changed.as_bytes()].concat();
                let signed = format!("{}\n", evidence.keys[AGGREGATOR].sign(&signed));
                let hex = digest.to_string().replace("sha256:", "");
                let card = evidence.find(AGGREGATOR, "releases", ".card.md");
                for (from, to, content) in [
                    (lineage, format!("releases/{hex}.json"), changed),
                    (signature, format!("releases/{hex}.json.sig"), signed),
                ] {
                    fs::remove_file(evidence.path(AGGREGATOR, &from)).unwrap();
                    fs::write(evidence.path(AGGREGATOR, &to), content).unwrap();
                }
                let renamed = evidence.path(AGGREGATOR, &format!("releases/{hex}.card.md"));
                fs::rename(evidence.path(AGGREGATOR, &card), renamed).unwrap();
                evidence.collude(|history| {
                    history.first(AGGREGATOR, "release_signed", |_| true)["entry"]["release_digest"] = json!(digest);
                });
            },
        ),
    ]
}

fn of_members() -> Vec<Tampering> {
    vec![
        deep("a site is let in that nobody knows", "enrolment_unasked", |evidence| {
            evidence.collude(|history| {
                let mut entry = history.first(AGGREGATOR, "enrolment_approved", |_| true)["entry"].clone();
                entry["site"] = json!("ghost");
                history.append(AGGREGATOR, entry);
            });
        }),
        deep(
            "a second certificate is issued in a site's name",
            "certificate_unknown",
            |evidence| {
                let site = evidence.sites[0].clone();
                evidence.collude(|history| {
                    let is_it = |entry: &Value| entry["site"] == site.as_str();
                    let mut entry = history.first(AGGREGATOR, "enrolment_approved", is_it)["entry"].clone();
                    let serial = json!("00ff");
                    entry["certificate_serial"] = serial.clone();
                    history.append(AGGREGATOR, entry);
                    let mut document = history.enrolments[0].clone();
                    document["certificate_serial"] = serial;
                    history.enrolments.push(document);
                });
            },
        ),
        deep(
            "a site is let in with another ledger key",
            "site_key_differs",
            |evidence| {
                let other = SigningKey::generate().unwrap().verifying_key().to_string();
                evidence.collude(|history| history.enrolments[0]["ledger_key"] = json!(other));
            },
        ),
        deep(
            "an update counts after its site was revoked",
            "update_after_revocation",
            |evidence| {
                let site = evidence.sites[1].clone();
                evidence.collude(|history| {
                    let is_it = |entry: &Value| entry["site"] == site.as_str() && entry["round"] == 4;
                    let last = history.first(AGGREGATOR, "update_admitted", is_it).clone();
                    let records = history.ledgers.get_mut(AGGREGATOR).unwrap();
                    let place = records.iter().position(|record| *record == last).unwrap();
                    let earlier = json!(last["time"].as_i64().unwrap() - 60);
                    let entry = json!({ "entry": "site_revoked", "reason": "stolen", "site": site });
                    records.insert(place, record(entry, &earlier));
                });
            },
        ),
        deep(
            "an update counts of a site that was never let in",
            "update_of_stranger",
            |evidence| {
                let site = evidence.sites[1].clone();
                evidence.collude(|history| {
                    history.remove(AGGREGATOR, "enrolment_approved", |entry| entry["site"] == site.as_str());
                });
            },
        ),
        deep(
            "the aggregator names another plan for the study",
            "plan_differs",
            |evidence| {
                evidence.collude(|history| {
                    let other = json!(Sha256Digest::of(b"another plan"));
                    history.first(AGGREGATOR, "study_created", |_| true)["entry"]["plan_digest"] = other;
                });
            },
        ),
    ]
}

/// Has everybody say of the first round that it began with `model`.
fn begin_with(history: &mut History, sites: &[String], key: &SigningKey, model: &Value) {
    for kind in ["round_opened", "round_finished"] {
        history.first(AGGREGATOR, kind, |entry| entry["round"] == 1)["entry"]["model_in"] = model.clone();
    }
    history.rounds.iter_mut().find(|round| round["round"] == 1).unwrap()["model_in"] = model.clone();
    for site in &sites[..2] {
        history.first(site, "training_finished", |entry| entry["round"] == 1)["entry"]["model_in"] = model.clone();
        let kept = history.first(site, "receipt_kept", |entry| entry["receipt"]["receipt"]["round"] == 1);
        kept["entry"]["receipt"]["receipt"]["model_in"] = model.clone();
        let kept = history.first(site, "round_outcome_kept", |entry| {
            entry["outcome"]["outcome"]["round"] == 1
        });
        let signed = &mut kept["entry"]["outcome"];
        signed["outcome"]["model_in"] = model.clone();
        let outcome: RoundOutcome = serde_json::from_value(signed["outcome"].clone()).unwrap();
        signed["signature"] = json!(key.sign(&outcome.signed_bytes()).to_string());
        let update = the_update(history, site, 1);
        update["header"]["model_in"] = model.clone();
        update["receipt"]["receipt"]["model_in"] = model.clone();
    }
}

/// Raises the weight of a site's first update everywhere at the aggregator and in the receipt.
fn weigh(history: &mut History, site: &str, examples: u64) {
    let examples = json!(examples);
    let is_it = |entry: &Value| entry["site"] == site && entry["round"] == 1;
    history.first(AGGREGATOR, "update_admitted", is_it)["entry"]["examples"] = examples.clone();
    let kept = history.first(site, "receipt_kept", |entry| entry["receipt"]["receipt"]["round"] == 1);
    kept["entry"]["receipt"]["receipt"]["examples"] = examples.clone();
    let update = the_update(history, site, 1);
    update["header"]["examples"] = examples.clone();
    update["receipt"]["receipt"]["examples"] = examples.clone();
    let round = history.rounds.iter_mut().find(|round| round["round"] == 1).unwrap();
    let parts = round["contributions"].as_array_mut().unwrap();
    parts.iter_mut().find(|part| part["site"] == site).unwrap()["examples"] = examples;
}

fn the_update<'a>(history: &'a mut History, site: &str, round: u64) -> &'a mut Value {
    let mut updates = history.updates.iter_mut();
    updates
        .find(|update| update["site"] == site && update["header"]["round"] == round)
        .unwrap()
}

fn places(records: &[Value], kind: &str) -> Vec<usize> {
    let is_it = |place: &usize| records[*place]["entry"]["entry"] == kind;
    (0..records.len()).filter(is_it).collect()
}

/// The decisions to send an update.
fn sends(records: &[Value]) -> Vec<usize> {
    places(records, "decision_made")
        .into_iter()
        .filter(|place| records[*place]["entry"]["action"] == "send update")
        .collect()
}

fn without_line(text: &str, place: usize) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.remove(place);
    lines.join("\n") + "\n"
}
