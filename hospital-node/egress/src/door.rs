//! Everything that leaves passes here: recorded by digest and size, then handed to the client.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Instant,
};

use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use snowball_crypto::VerifyingKey;
use snowball_ledger::{Entry, Head, Ledger, Record};
use snowball_policy::{Action, DatasetFacts, PolicyFault, SignedPolicy, Spent};
use snowball_protocol::{
    PROTOCOL_VERSION_MIN, RoundNumber, Sha256Digest, SiteName, StudyName, StudyPlan,
    authorities::{AuthoritiesKept, SignedAuthorities},
    enrolment::Renewal,
    evaluation::{COVARIANCES_SINCE, Evaluation},
    ids::UnixSeconds,
    limits::CLOCK_SKEW_SECONDS_MAX,
    outcome::SignedOutcome,
    receipt::SignedReceipt,
    session::{ControlReference, HelloReply, ModelReference, StudySummary, Task},
};

use crate::{
    client::Transport,
    error::EgressError,
    gate,
    message::{self, Message},
    pages::Pages,
    progress::{Direction, HearProgress, Meter},
    record,
    spent::Budget,
};

/// Reads the policy that is in force now, fresh each time: an expired or withdrawn one must stop the next byte.
pub type ReadPolicy = Arc<dyn Fn() -> Result<SignedPolicy, PolicyFault> + Send + Sync>;
/// The node's one ledger.
pub type SharedLedger = Arc<Mutex<Ledger>>;

/// The node's side of the line to its aggregator.
pub struct Door {
    pub(crate) transport: Transport,
    pub(crate) site: SiteName,
    pub(crate) aggregator_key: VerifyingKey,
    pub(crate) read_policy: ReadPolicy,
    pub(crate) clock: fn() -> UnixSeconds,
    /// Whether the kernel holds the program that trains.
    pub(crate) is_confined: bool,
    pub(crate) ledger: SharedLedger,
    /// The aggregator's head that was kept last; held while heads are exchanged.
    pub(crate) aggregator_head: tokio::sync::Mutex<Option<Head>>,
    budget: Mutex<Budget>,
    /// The version that both sides speak, since the last hello.
    protocol: AtomicU16,
    hear_progress: HearProgress,
}

impl Door {
    /// A door for `site`; receipts must be signed by `aggregator_key`; `budget` is what the ledger says was spent.
    #[must_use]
    pub fn new(
        transport: Transport,
        site: SiteName,
        aggregator_key: VerifyingKey,
        read_policy: ReadPolicy,
        ledger: SharedLedger,
        budget: Budget,
        clock: fn() -> UnixSeconds,
    ) -> Self {
        Self {
            transport,
            site,
            aggregator_key,
            read_policy,
            clock,
            is_confined: false,
            ledger,
            aggregator_head: tokio::sync::Mutex::new(None),
            budget: Mutex::new(budget),
            protocol: AtomicU16::new(PROTOCOL_VERSION_MIN),
            hear_progress: Arc::new(|_| ()),
        }
    }

    /// The same door for a trainer that the kernel holds, or does not; until it is told, a door believes that nothing holds it.
    #[must_use]
    pub fn with_confinement(mut self, is_confined: bool) -> Self {
        self.is_confined = is_confined;
        self
    }

    /// The same door, which tells `hear` how far long transfers are.
    #[must_use]
    pub fn with_progress(mut self, hear: HearProgress) -> Self {
        self.hear_progress = hear;
        self
    }

    /// Tells how far a transfer is, where that is worth saying.
    pub(crate) fn tell(&self, meter: &mut Meter, bytes: u64) {
        if let Some(progress) = meter.moved(bytes, Instant::now()) {
            (self.hear_progress)(&progress);
        }
    }

    /// Whether a training would have to wait for its hours. Where no policy is in force there is nothing to wait for: whoever
    /// asks is denied.
    #[must_use]
    pub fn waits_to_train(&self) -> bool {
        (self.read_policy)().is_ok_and(|signed| !signed.policy.is_hour_for_training((self.clock)()))
    }

    /// Whether an update would have to wait for the hours in which it may leave.
    #[must_use]
    pub fn waits_to_send(&self) -> bool {
        (self.read_policy)().is_ok_and(|signed| !signed.policy.is_hour_for_sending((self.clock)()))
    }

    /// The node's ledger, for what does not leave.
    #[must_use]
    pub const fn ledger(&self) -> &SharedLedger {
        &self.ledger
    }

    /// The same door, which holds the aggregator to the head of its ledger that was `kept` before.
    #[must_use]
    pub fn with_kept_head(mut self, kept: Option<Head>) -> Self {
        self.aggregator_head = tokio::sync::Mutex::new(kept);
        self
    }

    /// Says hello: versions, policy and clocks.
    ///
    /// # Errors
    /// When the versions do not meet, the clocks are too far apart, or the aggregator is not the one of the enrolment.
    pub async fn hello(&self) -> Result<HelloReply, EgressError> {
        let now = (self.clock)();
        let policy = (self.read_policy)().ok().map(|policy| policy.digest);
        let reply: HelloReply = self.disclose(message::hello(policy, now)).await?;
        if reply.aggregator_key != self.aggregator_key.to_string() {
            return Err(EgressError::Answer {
                reason: "it signs with another key than at the enrolment".to_owned(),
            });
        }
        if (reply.clock - now).abs() > CLOCK_SKEW_SECONDS_MAX {
            let reason = format!(
                "its clock differs from this machine's by {} seconds; set both by NTP",
                reply.clock - now
            );
            return Err(EgressError::Answer { reason });
        }
        self.protocol.store(reply.protocol, Ordering::Relaxed);
        Ok(reply)
    }

    /// Takes out of `evaluation` what an aggregator of before would not understand.
    pub(crate) fn speak(&self, evaluation: &mut Evaluation) {
        if self.protocol.load(Ordering::Relaxed) < COVARIANCES_SINCE {
            evaluation.forget_covariances();
        }
    }

    /// Asks for the next certificate over `csr_pem`, whose key was made here.
    ///
    /// # Errors
    /// When the ledger cannot be written, or the aggregator refuses or cannot be reached.
    pub async fn renew_certificate(&self, csr_pem: String) -> Result<String, EgressError> {
        let renewal: Renewal = self.disclose(message::certificate_renewal(csr_pem)).await?;
        Ok(renewal.certificate_pem)
    }

    /// The CAs that the consortium trusts now, signed by the aggregator of the enrolment.
    ///
    /// # Errors
    /// When somebody else signed them, or the aggregator refuses or cannot be reached.
    pub async fn authorities(&self) -> Result<SignedAuthorities, EgressError> {
        let answer: SignedAuthorities = self.transport.get("v1/authorities").await?;
        let is_signed = answer.signature.parse().is_ok_and(|signature| {
            let bytes = answer.authorities.signed_bytes();
            self.aggregator_key.verify(&bytes, &signature).is_ok()
        });
        if is_signed {
            Ok(answer)
        } else {
            Err(EgressError::Answer {
                reason: "the list of CAs is not signed by the aggregator of the enrolment".to_owned(),
            })
        }
    }

    /// Tells the aggregator which CAs this site trusts, so that it knows when an older one can be retired.
    ///
    /// # Errors
    /// When the ledger cannot be written, or the aggregator refuses or cannot be reached.
    pub async fn confirm_authorities(&self, fingerprints: Vec<Sha256Digest>) -> Result<(), EgressError> {
        self.disclose::<AuthoritiesKept>(message::authorities(fingerprints))
            .await
            .map(drop)
    }

    /// Speaks TLS as `tls` says from the next request on.
    ///
    /// # Errors
    /// When no client can be made; then the one before stays.
    pub fn replace_tls(&self, tls: ClientConfig) -> Result<(), EgressError> {
        self.transport.replace(tls)
    }

    /// The studies that are open to this site.
    ///
    /// # Errors
    /// When the aggregator refuses or cannot be reached.
    pub async fn studies(&self) -> Result<Vec<StudySummary>, EgressError> {
        self.transport.get("v1/studies").await
    }

    /// The plan of a study, checked against the digest that it was announced with.
    ///
    /// # Errors
    /// When it is not that plan, breaks a rule, or cannot be fetched.
    pub async fn plan(&self, summary: &StudySummary) -> Result<StudyPlan, EgressError> {
        let plan: StudyPlan = self
            .transport
            .get(&format!("v1/studies/{}/plan", summary.study))
            .await?;
        if plan.digest() != summary.plan_digest || plan.study != summary.study {
            return Err(EgressError::Answer {
                reason: "the plan does not have the digest it was announced with".to_owned(),
            });
        }
        match plan.faults().first() {
            Some(fault) => Err(EgressError::Answer {
                reason: format!("the plan breaks a rule: {fault}"),
            }),
            None => Ok(plan),
        }
    }

    /// Asks the policy whether this site may train for the study now.
    ///
    /// # Errors
    /// When it may not; the ledger then holds the clause.
    pub fn may_train(
        &self,
        plan: &StudyPlan,
        round: Option<RoundNumber>,
        dataset: &DatasetFacts,
    ) -> Result<(), EgressError> {
        gate::ask(self, plan, round, Action::Train, dataset).map(drop)
    }

    /// Joins a study, if the policy permits it.
    ///
    /// # Errors
    /// When the policy denies or the aggregator refuses.
    pub async fn join(
        &self,
        plan: &StudyPlan,
        layout: Sha256Digest,
        dataset: &DatasetFacts,
    ) -> Result<(), EgressError> {
        let permitted = gate::ask(self, plan, None, Action::Join, dataset)?;
        let policy_digest = permitted.policy_digest;
        let _: serde_json::Value = self
            .disclose(message::join(plan, policy_digest, layout, dataset))
            .await?;
        self.record(Entry::StudyJoined {
            study: plan.study.clone(),
            site: None,
            plan_digest: plan.digest(),
            policy_digest,
        })?;
        Ok(())
    }

    /// Tells the aggregator that the site's policy does not permit a study, naming the clause and nothing else.
    ///
    /// # Errors
    /// When the aggregator refuses or cannot be reached.
    pub async fn decline(&self, plan: &StudyPlan, clause: &str, reason: &str) -> Result<(), EgressError> {
        self.record(Entry::StudyDeclined {
            study: plan.study.clone(),
            site: None,
            plan_digest: plan.digest(),
            clause: clause.to_owned(),
        })?;
        let message = message::decline(plan, clause, reason);
        self.disclose::<serde_json::Value>(message).await.map(drop)
    }

    /// What this site should do now; waits up to `wait_seconds` for something new.
    ///
    /// # Errors
    /// When the aggregator refuses or cannot be reached.
    pub async fn task(&self, study: &StudyName, wait_seconds: u32) -> Result<Task, EgressError> {
        self.transport
            .get(&format!("v1/studies/{study}/task?wait_seconds={wait_seconds}"))
            .await
    }

    /// Fetches a global model; a broken line goes on where it stood, and the digest is checked.
    ///
    /// # Errors
    /// When the bytes are not the model, or the aggregator refuses.
    pub async fn model(&self, study: &StudyName, model: &ModelReference) -> Result<Pages, EgressError> {
        let path = format!("v1/studies/{study}/models/{}", model.round);
        self.fetch(study, &path, model, model.digest).await
    }

    /// Fetches the control variate of all sites that goes with a global model, in the same way.
    ///
    /// # Errors
    /// When the bytes are not what the task names, or the aggregator refuses.
    pub async fn control(
        &self,
        study: &StudyName,
        model: &ModelReference,
        control: &ControlReference,
    ) -> Result<Pages, EgressError> {
        let path = format!("v1/studies/{study}/controls/{}", model.round);
        self.fetch(study, &path, model, control.digest).await
    }

    /// Fetches as many bytes as the model has.
    async fn fetch(
        &self,
        study: &StudyName,
        path: &str,
        model: &ModelReference,
        digest: Sha256Digest,
    ) -> Result<Pages, EgressError> {
        let mut meter = Meter::new(study.clone(), model.round, Direction::Fetching, model.bytes);
        self.tell(&mut meter, 0);
        let moved = |bytes| self.tell(&mut meter, bytes);
        let (bytes, found) = self.transport.download(path, model.bytes, moved).await?;
        if found == digest {
            Ok(bytes)
        } else {
            Err(EgressError::Answer {
                reason: "what came does not have the digest of the task".to_owned(),
            })
        }
    }

    /// Fetches what came of a round, and keeps it in the ledger.
    ///
    /// # Errors
    /// When it is not about that round or not signed by the aggregator, or the aggregator refuses.
    pub async fn keep_outcome(&self, plan: &StudyPlan, round: RoundNumber) -> Result<SignedOutcome, EgressError> {
        let path = format!("v1/studies/{}/rounds/{round}/outcome", plan.study);
        let signed: SignedOutcome = self.transport.get(&path).await?;
        let outcome = &signed.outcome;
        let is_due = outcome.study == plan.study && outcome.round == round && outcome.plan_digest == plan.digest();
        let is_signed = signed
            .signature
            .parse()
            .is_ok_and(|signature| self.aggregator_key.verify(&outcome.signed_bytes(), &signature).is_ok());
        if !is_due || !is_signed {
            return Err(EgressError::Answer {
                reason: "what it says of a round is about another or not signed by it".to_owned(),
            });
        }
        self.record(Entry::RoundOutcomeKept {
            outcome: signed.clone(),
        })?;
        Ok(signed)
    }

    /// The receipt that the aggregator keeps of this site's update of a round; nothing leaves. `None` where it has none: no update of
    /// this site counts in that round.
    pub(crate) async fn receipt(
        &self,
        study: &StudyName,
        round: RoundNumber,
    ) -> Result<Option<SignedReceipt>, EgressError> {
        let path = format!("v1/studies/{study}/rounds/{round}/receipt");
        self.transport.get(&path).await
    }

    /// Sends the quality of the final model, and of the site's own where there is one, if the policy lets metrics leave; else an
    /// empty answer.
    ///
    /// # Errors
    /// When the ledger cannot be written or the aggregator refuses.
    pub async fn report(
        &self,
        plan: &StudyPlan,
        evaluation: Evaluation,
        own: Option<Evaluation>,
        dataset: &DatasetFacts,
    ) -> Result<(), EgressError> {
        let evaluation = self.shown(plan, evaluation, dataset)?;
        let own = match own.filter(|_| plan.comparison.own_model) {
            Some(mut own) => {
                // What the models are compared by needs counts only.
                own.forget_details();
                self.shown(plan, own, dataset)?
            }
            None => None,
        };
        let message = message::evaluation(plan, evaluation, own);
        self.disclose::<serde_json::Value>(message).await.map(drop)
    }

    /// What the policy lets be seen of an evaluation at the study's end, recorded; nothing where it denies.
    fn shown(
        &self,
        plan: &StudyPlan,
        mut evaluation: Evaluation,
        dataset: &DatasetFacts,
    ) -> Result<Option<Evaluation>, EgressError> {
        evaluation = evaluation.rounded();
        self.speak(&mut evaluation);
        let with_details = gate::may_be_detailed(self, plan, None, &mut evaluation, dataset)?;
        let thing = gate::Thing::metrics(&evaluation);
        let Some(permitted) = gate::permitted(gate::ask_to_send(self, plan, None, thing, dataset))? else {
            return Ok(None);
        };
        let shown = record::Shown {
            cell_min: permitted.cell_min,
            with_details,
        };
        let visible = record::visible(Some(evaluation), shown);
        if let Some(evaluation) = &visible {
            let (clause, digest) = (permitted.clause, permitted.policy_digest);
            self.record(record::metrics_entry(plan, None, evaluation, clause, digest))?;
        }
        Ok(visible)
    }

    /// Writes an entry, durable when this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written: then nothing may be sent.
    pub fn record(&self, entry: Entry) -> Result<Record, EgressError> {
        let mut records = self.record_all(vec![entry])?;
        Ok(records.pop().expect("one entry makes one record"))
    }

    /// Writes several entries for the price of one: after a crash all of them are there or none. Durable when this returns.
    pub(crate) fn record_all(&self, entries: Vec<Entry>) -> Result<Vec<Record>, EgressError> {
        let now = (self.clock)();
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().for_each(|entry| budget.count(now, entry));
        drop(budget);
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.append_all(now, entries).map_err(EgressError::Ledger)
    }

    pub(crate) fn spent(&self, study: &StudyName, round: Option<RoundNumber>, itself: Option<&Sha256Digest>) -> Spent {
        let budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.spent(study, round, itself, (self.clock)())
    }

    /// Records the message by digest and size, then sends exactly these bytes.
    pub(crate) async fn disclose<T: DeserializeOwned>(&self, message: Message) -> Result<T, EgressError> {
        self.record(message.disclosure())?;
        self.transport.post(&message.path, &message.body).await
    }
}
