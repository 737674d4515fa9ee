//! The sites' evidence against the aggregator's: what one side says of the other must stand there too.

use std::collections::{BTreeMap, BTreeSet};

use snowball_crypto::VerifyingKey;
use snowball_protocol::{
    RoundNumber, Sha256Digest, SiteName, StudyName, StudyPlan,
    ids::UnixSeconds,
    receipt::{Receipt, SignedReceipt},
};

use crate::{
    aggregator::{Admission, AggregatorFacts, Round, Update},
    documents::{EnrolmentFacts, UpdateFacts, paths},
    finding::Code,
    folder::Folder,
    keys::Keys,
    open::OpenRounds,
    outcome::{Area, Audit},
    reviews,
    site::{Approval, SiteFacts},
};

/// What is kept of an update's document for the checks of its round.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    pub bytes: u64,
    pub received: UnixSeconds,
    receipt: Sha256Digest,
}

/// The documents of the updates that count.
pub(crate) type Updates = BTreeMap<Round, BTreeMap<Update, Taken>>;

/// Both sides of the consortium.
pub(crate) struct Parties<'a> {
    pub keys: &'a Keys,
    pub folder: &'a Folder,
    pub aggregator: &'a AggregatorFacts,
    /// The sites that have shown evidence.
    pub sites: &'a BTreeMap<SiteName, SiteFacts>,
    pub plans: &'a BTreeMap<StudyName, StudyPlan>,
    /// Rounds that are under way.
    pub open: &'a OpenRounds,
}

impl Parties<'_> {
    /// Who was let in, and with which keys and certificates.
    pub(crate) fn enrolments(&self, audit: &mut Audit) {
        let mut documents = BTreeMap::new();
        for document in self.folder.table::<EnrolmentFacts>(paths::ENROLMENTS) {
            match document {
                Ok(document) => drop(documents.insert(document.certificate_serial.clone(), document)),
                Err(fault) => self.damaged(
                    Area::Enrolments,
                    Code::EnrolmentMissing,
                    paths::ENROLMENTS,
                    &fault,
                    audit,
                ),
            }
        }
        let mut serials: BTreeMap<&SiteName, BTreeSet<&String>> = BTreeMap::new();
        for (position, approved) in self.aggregator.approved.iter().enumerate() {
            let site = &approved.site;
            let place = format!("aggregator, record {}", approved.index);
            audit.expect(
                approved.was_asked,
                Area::Enrolments,
                Code::EnrolmentUnasked,
                &place,
                || {
                    format!(
                        "{site} was approved with the key {}, and had not asked with it",
                        approved.key_fingerprint
                    )
                },
            );
            serials.entry(site).or_default().insert(&approved.serial);
            let document = documents.get(&approved.serial);
            let fits = document.is_some_and(|document: &EnrolmentFacts| {
                document.site == *site && document.key_fingerprint == approved.key_fingerprint
            });
            audit.expect(fits, Area::Enrolments, Code::EnrolmentMissing, &place, || {
                format!(
                    "the enrolment of {site} with certificate {} has no such document",
                    approved.serial
                )
            });
            let (Some(keys), Some(document)) = (self.keys.sites.get(site), document) else {
                if !self.keys.sites.contains_key(site) {
                    let detail = format!("{site} was let in, and no key was written down for it");
                    audit.find(Area::Enrolments, Code::OwnerUnknown, place, detail);
                }
                continue;
            };
            let is_pinned = document.ledger_key == keys.ledger.to_string();
            audit.expect(is_pinned, Area::Enrolments, Code::SiteKeyDiffers, &place, || {
                format!("{site} asked with the ledger key {}", document.ledger_key)
            });
            // The newest certificate may be on its way.
            let is_newest = !self.aggregator.approved[position + 1..]
                .iter()
                .any(|later| later.site == *site);
            if let Some(facts) = self.sites.get(site)
                && !facts.serials.contains(&approved.serial)
                && !(is_newest && facts.serials.is_empty())
            {
                let detail = format!(
                    "{site} was given certificate {}, and its ledger does not know it",
                    approved.serial
                );
                audit.find(Area::Enrolments, Code::CertificateUnknown, place, detail);
            }
        }
        for (site, facts) in self.sites {
            for serial in &facts.serials {
                let is_known = serials.get(site).is_some_and(|serials| serials.contains(serial))
                    || self
                        .aggregator
                        .renewed
                        .get(site)
                        .is_some_and(|serials| serials.contains(serial));
                audit.expect(
                    is_known,
                    Area::Enrolments,
                    Code::CertificateUnknown,
                    site.as_str(),
                    || format!("the site's ledger has certificate {serial}, which the aggregator's does not know"),
                );
            }
        }
    }

    /// Joining, and the rest of what sites sent.
    pub(crate) fn joins(&self, audit: &mut Audit) {
        for ((site, study), joined) in &self.aggregator.joined {
            let place = format!("aggregator, record {}", joined.index);
            let is_plan = self
                .aggregator
                .plans
                .get(study)
                .is_some_and(|plans| plans.contains(&joined.plan_digest));
            audit.expect(is_plan, Area::Plans, Code::PlanDiffers, &place, || {
                format!(
                    "{site} joined {study} with the plan {}, which is not the study's",
                    joined.plan_digest
                )
            });
            let Some(facts) = self.sites.get(site) else { continue };
            let is_permitted = facts
                .joins
                .get(study)
                .is_some_and(|policies| policies.contains(&joined.policy_digest));
            audit.expect(
                is_permitted,
                Area::Disclosures,
                Code::DisclosureUnrecorded,
                &place,
                || {
                    format!(
                        "{site} joined {study} under {}; its ledger has no permit to join",
                        joined.policy_digest
                    )
                },
            );
        }
        for (site, facts) in self.sites {
            for (study, plans) in &facts.plans {
                let known = self.aggregator.plans.get(study);
                audit.expect(
                    known.is_some_and(|known| plans.is_subset(known)),
                    Area::Plans,
                    Code::PlanDiffers,
                    site.as_str(),
                    || format!("the site evaluated a plan of {study} that the aggregator's ledger does not have"),
                );
            }
            let sent = |kind: &str| facts.sent.get(kind).copied().unwrap_or_default();
            let joins = self.aggregator.joined.keys().filter(|(name, _)| name == site).count() as u64;
            audit.expect(
                sent("join") >= joins,
                Area::Disclosures,
                Code::DisclosureUnrecorded,
                site.as_str(),
                || {
                    format!(
                        "the aggregator holds that it joined {joins} studies; the site's ledger has {} joins sent",
                        sent("join")
                    )
                },
            );
            reviews::of_site(site, sent("evaluation"), self.aggregator, audit);
        }
    }

    /// Every update that the aggregator took in.
    pub(crate) fn updates(&self, audit: &mut Audit) -> Updates {
        let mut updates = Updates::new();
        for document in self.folder.table::<UpdateFacts>(paths::UPDATES) {
            let document = match document {
                Ok(document) => document,
                Err(fault) => {
                    self.damaged(Area::Updates, Code::UpdateUndocumented, paths::UPDATES, &fault, audit);
                    break;
                }
            };
            let header = &document.header;
            let round = (header.study.clone(), header.round);
            let update = (document.site.clone(), header.attempt);
            let place = place(&round, &update.0);
            let Some(admission) = self.aggregator.admission(&round, &update) else {
                audit.looked(Area::Updates);
                let detail = "there is a document of it, and the ledger did not take it in";
                audit.find(Area::Updates, Code::UpdateUndocumented, place, detail);
                continue;
            };
            self.update(&document, admission, &place, audit);
            let taken = Taken {
                bytes: header.bytes,
                received: document.receipt.receipt.received,
                receipt: Sha256Digest::of(&document.receipt.receipt.signed_bytes()),
            };
            updates.entry(round).or_default().insert(update, taken);
        }
        for (round, admitted) in &self.aggregator.admitted {
            for (update, admission) in admitted {
                let taken = updates.get(round).and_then(|updates| updates.get(update)).copied();
                let place = place(round, &update.0);
                audit.expect(taken.is_some(), Area::Updates, Code::UpdateUndocumented, &place, || {
                    "the ledger took it in, and there is no document of it".to_owned()
                });
                self.membership(round, update, admission, taken, &place, audit);
            }
        }
        updates
    }

    fn update(&self, document: &UpdateFacts, admission: &Admission, place: &str, audit: &mut Audit) {
        let (header, receipt) = (&document.header, &document.receipt.receipt);
        let is_the_ledgers = header.digest == admission.digest && header.ledger_head == admission.site_head;
        audit.expect(is_the_ledgers, Area::Updates, Code::UpdateUndocumented, place, || {
            format!(
                "its document names {} and the head {}; the ledger has others",
                header.digest, header.ledger_head
            )
        });
        let says_the_same = receipt.is_for(header, &document.site) && receipt.examples == admission.examples;
        audit.expect(says_the_same, Area::Receipts, Code::ReceiptContradicts, place, || {
            "the receipt is not for what was announced and taken in".to_owned()
        });
        self.signature(&document.receipt, place, audit);
        let plans = self.aggregator.plans.get(&header.study);
        audit.expect(
            plans.is_some_and(|plans| plans.contains(&header.plan_digest)),
            Area::Plans,
            Code::PlanDiffers,
            place,
            || {
                format!(
                    "it was made by the plan {}, which is not the study's",
                    header.plan_digest
                )
            },
        );
        if let Some(facts) = self.sites.get(&document.site) {
            self.against_the_site(document, admission, facts, place, audit);
        }
    }

    /// One update against the ledger of the site that sent it.
    fn against_the_site(
        &self,
        document: &UpdateFacts,
        admission: &Admission,
        facts: &SiteFacts,
        place: &str,
        audit: &mut Audit,
    ) {
        let header = &document.header;
        audit.looked(Area::Updates);
        let approvals = facts
            .approvals
            .get(&(header.study.clone(), header.round, header.attempt));
        let approvals: &[Approval] = approvals.map_or(&[], Vec::as_slice);
        let Some(approval) = approvals.iter().find(|approval| approval.hash == header.ledger_head) else {
            let is_beyond = approvals.is_empty() && header.ledger_index >= facts.entries;
            if is_beyond && self.open.is_open(&(header.study.clone(), header.round)) {
                return audit.pass_over(1);
            }
            let (code, detail) = if approvals.iter().any(|approval| approval.digest == header.digest) {
                (
                    Code::HeadNotTheApproval,
                    "the head that came with it is not the record of its approval",
                )
            } else {
                (Code::UpdateNotApproved, "the site's ledger has no approval of it")
            };
            return audit.find(Area::Updates, code, place, detail);
        };
        if approval.index != header.ledger_index {
            let detail = format!(
                "it named record {}, and its approval is record {}",
                header.ledger_index, approval.index
            );
            audit.find(Area::Updates, Code::HeadNotTheApproval, place, detail);
        }
        let differences: Vec<String> = [
            (
                approval.digest != header.digest,
                "digest",
                approval.digest.to_string(),
                header.digest.to_string(),
            ),
            (
                approval.bytes != header.bytes,
                "bytes",
                approval.bytes.to_string(),
                header.bytes.to_string(),
            ),
            (
                approval.policy_digest != header.policy_digest,
                "policy",
                approval.policy_digest.to_string(),
                header.policy_digest.to_string(),
            ),
        ]
        .into_iter()
        .filter(|(differs, ..)| *differs)
        .map(|(_, what, here, there)| format!("{what}: the site approved {here}, the aggregator took in {there}"))
        .collect();
        if !differences.is_empty() {
            audit.find(Area::Updates, Code::UpdateContradicts, place, differences.join("; "));
        }
        self.weight(document, admission, facts, place, audit);
    }

    /// The examples behind an update: those of the training that the site recorded, at most as many as the plan counts.
    fn weight(&self, document: &UpdateFacts, admission: &Admission, facts: &SiteFacts, place: &str, audit: &mut Audit) {
        let header = &document.header;
        let plan = self.plans.get(&header.study);
        let examples_max = plan.map_or(u64::MAX, |plan| plan.strategy.examples_max);
        // A late update was trained for an earlier round, from that round's model.
        let first = (header.study.clone(), RoundNumber(0));
        let trainings = facts.trained.range(first..=(header.study.clone(), header.round));
        let is_trained = trainings.flat_map(|(_, trainings)| trainings).any(|trained| {
            trained.examples.min(examples_max) == admission.examples && trained.model_in == header.model_in
        });
        audit.expect(is_trained, Area::Updates, Code::UpdateContradicts, place, || {
            format!(
                "it counts {} examples from the model {}; the site recorded no such training",
                admission.examples, header.model_in
            )
        });
    }

    fn membership(
        &self,
        round: &Round,
        (site, _): &Update,
        admission: &Admission,
        taken: Option<Taken>,
        place: &str,
        audit: &mut Audit,
    ) {
        let is_member = self.aggregator.was_let_in(site, admission.index)
            && self.aggregator.joined.contains_key(&(site.clone(), round.0.clone()));
        audit.expect(is_member, Area::Members, Code::UpdateOfStranger, place, || {
            format!("{site} was not let in, or had not joined {}", round.0)
        });
        let received = taken.map_or(admission.time, |taken| taken.received);
        if let Some(revoked) = self.aggregator.was_revoked(site, admission.index, received) {
            let detail = format!("{site} was revoked {} seconds before it came", received - revoked);
            audit.find(Area::Members, Code::UpdateAfterRevocation, place, detail);
        }
    }

    /// The receipts that a site kept, against its approvals and against the aggregator's ledger.
    pub(crate) fn receipts(&self, site: &SiteName, facts: &SiteFacts, updates: &Updates, audit: &mut Audit) {
        let (mut seen, mut held) = (BTreeSet::new(), 0);
        for (index, signed) in &facts.receipts {
            let place = format!("{site}, record {index}");
            self.signature(signed, &place, audit);
            let receipt = &signed.receipt;
            let digest = Sha256Digest::of(&receipt.signed_bytes());
            let round = (receipt.study.clone(), receipt.round);
            let update = (receipt.site.clone(), receipt.attempt);
            let given = updates.get(&round).and_then(|updates| updates.get(&update));
            let is_open = self.open.is_open(&round);
            held += u64::from(!is_open);
            let reason = if receipt.site != *site {
                Some("it is another site's")
            } else if !seen.insert(digest) {
                Some("the ledger has it twice, so the receipt of another update is missing")
            } else if !is_for_an_approval(receipt, *index, facts) {
                Some("it is for no update that the site had approved before")
            } else if is_open && self.aggregator.admission(&round, &update).is_none() {
                audit.pass_over(1);
                None
            } else if given.is_none_or(|given| given.receipt != digest) {
                Some("it is not the receipt that the aggregator's evidence has for this update")
            } else {
                None
            };
            audit.expect(
                reason.is_none(),
                Area::Receipts,
                Code::ReceiptContradicts,
                &place,
                || {
                    let about = format!("round {} of {}", receipt.round, receipt.study);
                    format!("the receipt for {about}: {}", reason.unwrap_or_default())
                },
            );
        }
        let closed = self
            .aggregator
            .admitted
            .iter()
            .filter(|(round, _)| !self.open.is_open(round));
        let admitted = closed
            .flat_map(|(_, admitted)| admitted)
            .filter(|((name, _), _)| name == site);
        let missing = (admitted.count() as u64).saturating_sub(held);
        if missing > 0 {
            audit.note(format!(
                "{site}: {missing} updates count whose receipt the site does not hold; its node asks for them when it comes back, \
                 also after the end of the study"
            ));
        }
    }

    fn signature(&self, signed: &SignedReceipt, place: &str, audit: &mut Audit) {
        audit.expect(
            is_signed(signed, &self.keys.aggregator),
            Area::Receipts,
            Code::ReceiptSignature,
            place,
            || {
                format!(
                    "the receipt for round {} of {}",
                    signed.receipt.round, signed.receipt.study
                )
            },
        );
    }

    fn damaged(&self, area: Area, code: Code, path: &str, fault: &crate::table::LineFault, audit: &mut Audit) {
        audit.looked(area);
        audit.find(
            area,
            code,
            format!("aggregator, {path}"),
            format!("a line of it is no document: {fault:?}"),
        );
    }
}

fn is_signed(signed: &SignedReceipt, key: &VerifyingKey) -> bool {
    signed
        .signature
        .parse()
        .is_ok_and(|signature| key.verify(&signed.receipt.signed_bytes(), &signature).is_ok())
}

fn is_for_an_approval(receipt: &Receipt, index: u64, facts: &SiteFacts) -> bool {
    let key = (receipt.study.clone(), receipt.round, receipt.attempt);
    facts.approvals.get(&key).into_iter().flatten().any(|approval| {
        approval.hash == receipt.ledger_head
            && approval.index < index
            && approval.digest == receipt.update_digest
            && approval.bytes == receipt.update_bytes
            && approval.policy_digest == receipt.policy_digest
    })
}

/// Where an update is, for people.
pub(crate) fn place((study, round): &Round, site: &SiteName) -> String {
    format!("aggregator, round {round} of {study}, {site}")
}
