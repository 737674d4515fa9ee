//! A study's desk: what everyone may read of it, and the slot through which its driver is asked for changes.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use snowball_layout::Layout;
use snowball_protocol::{
    Problem, ProblemCode, Sha256Digest, SiteName, StudyPlan,
    ids::{RoundNumber, UploadId},
    receipt::SignedReceipt,
    session::{JoinRequest, ModelReference, StudySummary, Task},
    update::FinalEvaluation,
};
use snowball_registry::Study;
use snowball_rounds::{Addition, Duty, Inspected, Model, Phase};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Span;

/// Requests that may wait for a driver: one of each of so many sites, which may all come at the same moment.
const QUEUE_MAX: usize = 4096;

/// How an update fared: its receipt, or why it does not count.
pub type Admission = Result<SignedReceipt, Problem>;

/// A request, with what the log says of whoever made it: the driver works on it in a task of its own.
pub(super) struct Call {
    pub span: Span,
    pub request: Request,
}

impl From<Request> for Call {
    fn from(request: Request) -> Self {
        Self {
            span: Span::current(),
            request,
        }
    }
}

/// What a driver is asked for.
pub(super) enum Request {
    /// Another process changed the study.
    Reload,
    /// A site joins.
    Join {
        site: SiteName,
        request: JoinRequest,
        done: oneshot::Sender<Result<(), Problem>>,
    },
    /// A site was revoked.
    Leave { site: SiteName },
    /// An update is whole.
    Admit {
        upload: UploadId,
        inspected: Inspected,
        done: oneshot::Sender<Admission>,
    },
    /// An update was refused before its first byte.
    NoteRefusal {
        site: SiteName,
        round: RoundNumber,
        problem: Problem,
    },
    /// A site evaluated the final model.
    Evaluated {
        site: SiteName,
        evaluation: FinalEvaluation,
        done: oneshot::Sender<Result<(), Problem>>,
    },
}

/// What was last made durable.
#[derive(Clone)]
pub(super) struct View {
    pub phase: Phase,
    pub version: u64,
    /// Who takes part; when the study is over, who took part to the end: they may still read.
    pub members: BTreeSet<SiteName>,
}

/// One running study as the rest of the program sees it.
pub struct Desk {
    plan: StudyPlan,
    plan_digest: Sha256Digest,
    plan_bytes: Vec<u8>,
    layout_digest: Sha256Digest,
    parameters: usize,
    model_bytes: u64,
    kept: Arc<[Range<usize>]>,
    view: watch::Sender<View>,
    /// Of each site that has ever waited here: there are as many as were ever enrolled.
    bells: Mutex<HashMap<SiteName, watch::Sender<()>>>,
    requests: mpsc::Sender<Call>,
}

impl Desk {
    pub(super) fn open(study: &Study, members: BTreeSet<SiteName>) -> (Self, mpsc::Receiver<Call>) {
        let layout = Layout::of(&study.plan);
        let (requests, inbox) = mpsc::channel(QUEUE_MAX);
        let desk = Self {
            plan: study.plan.clone(),
            plan_digest: study.plan_digest,
            plan_bytes: study.plan.canonical_bytes(),
            layout_digest: layout.digest(),
            parameters: layout.parameters(),
            model_bytes: layout.bytes(),
            kept: layout.kept(&study.plan).stretches().into(),
            view: watch::Sender::new(View {
                phase: study.phase.clone(),
                version: study.version,
                members,
            }),
            bells: Mutex::default(),
            requests,
        };
        (desk, inbox)
    }

    /// Publishes what one site added to the phase; only those who wait for its task look again.
    pub(super) fn publish_addition(&self, addition: &Addition, version: u64) {
        let site = addition.site();
        self.view.send_if_modified(|view| {
            if view.phase.add(addition) && matches!(addition, Addition::Member { .. }) {
                view.members.insert(site.clone());
            }
            view.version = version;
            false
        });
        if let Some(bell) = self.bells().get(site) {
            bell.send_replace(());
        }
    }

    /// Publishes another phase; everybody looks again.
    pub(super) fn publish(&self, phase: Phase, version: u64) {
        let members = if is_over(&phase) {
            self.view.borrow().members.clone()
        } else {
            phase.members()
        };
        self.view.send_replace(View {
            phase,
            version,
            members,
        });
    }

    /// The plan.
    pub fn plan(&self) -> &StudyPlan {
        &self.plan
    }

    /// Its digest.
    pub fn plan_digest(&self) -> Sha256Digest {
        self.plan_digest
    }

    /// Its canonical bytes.
    pub fn plan_bytes(&self) -> &[u8] {
        &self.plan_bytes
    }

    /// Digest of the parameter layout.
    pub fn layout_digest(&self) -> Sha256Digest {
        self.layout_digest
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The stretches of the parameters that stay at the sites.
    pub fn kept(&self) -> Arc<[Range<usize>]> {
        Arc::clone(&self.kept)
    }

    /// Lets `look` look at where the study stands; nothing moves it meanwhile, so that should not take long.
    pub fn look<T>(&self, look: impl FnOnce(&Phase) -> T) -> T {
        look(&self.view.borrow().phase)
    }

    /// The newest model.
    pub fn model(&self) -> Option<Model> {
        self.look(Phase::model)
    }

    /// Whether `site` takes part, or did until the study was over.
    pub fn is_member(&self, site: &SiteName) -> bool {
        self.view.borrow().members.contains(site)
    }

    /// Which write of the database that is.
    pub fn version(&self) -> u64 {
        self.view.borrow().version
    }

    /// The study as `site` sees it.
    pub fn summary(&self, site: &SiteName) -> StudySummary {
        let view = self.view.borrow();
        let phase = &view.phase;
        StudySummary {
            study: self.plan.study.clone(),
            plan_digest: self.plan_digest,
            phase: phase.name(),
            round: phase.round(),
            joined: view.members.contains(site),
            paused: phase.paused().is_some(),
        }
    }

    /// What `site` should do now, and whether that is worth an answer at once.
    pub fn task(&self, site: &SiteName) -> (Task, bool) {
        let phase = &self.view.borrow().phase;
        match phase.duty(site) {
            Duty::Wait => (Task::Wait { phase: phase.name() }, false),
            Duty::Train { round, model, deadline } => (
                Task::Train {
                    round,
                    model: self.reference(&model),
                    deadline,
                    control: model.control,
                },
                true,
            ),
            Duty::Evaluate { model } => (
                Task::Evaluate {
                    model: self.reference(&model),
                },
                true,
            ),
            Duty::Done { model } => (
                Task::Done {
                    phase: phase.name(),
                    model: model.map(|model| self.reference(&model)),
                },
                true,
            ),
        }
    }

    /// A bell that rings at every change that may give `site` another task; it holds no lock.
    pub fn changes(&self, site: &SiteName) -> Bell {
        let mut bells = self.bells();
        let own = bells.entry(site.clone()).or_default().subscribe();
        Bell {
            all: self.view.subscribe(),
            own,
        }
    }

    /// Asks for a site's joining; durable when it returns.
    pub async fn join(&self, site: SiteName, request: JoinRequest) -> Result<(), Problem> {
        self.ask(|done| Request::Join { site, request, done }).await?
    }

    /// Asks to count an update that is whole; durable when it returns.
    pub async fn admit(&self, upload: UploadId, inspected: Inspected) -> Admission {
        self.ask(|done| Request::Admit {
            upload,
            inspected,
            done,
        })
        .await?
    }

    /// Hands over a site's evaluation of the final model; durable when it returns.
    pub async fn evaluated(&self, site: SiteName, evaluation: FinalEvaluation) -> Result<(), Problem> {
        self.ask(|done| Request::Evaluated { site, evaluation, done }).await?
    }

    /// Leaves word of a refusal for the round's record; nobody waits for it.
    pub fn note_refusal(&self, site: SiteName, round: RoundNumber, problem: Problem) {
        // A full slot means a flood of refusals: the record holds enough of them already.
        let _ = self
            .requests
            .try_send(Request::NoteRefusal { site, round, problem }.into());
    }

    pub(super) async fn reload(&self) {
        let _ = self.requests.send(Request::Reload.into()).await;
    }

    pub(super) async fn leave(&self, site: SiteName) {
        let _ = self.requests.send(Request::Leave { site }.into()).await;
    }

    fn bells(&self) -> std::sync::MutexGuard<'_, HashMap<SiteName, watch::Sender<()>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reference(&self, model: &Model) -> ModelReference {
        ModelReference {
            round: model.round,
            digest: model.digest,
            bytes: self.model_bytes,
            layout_digest: self.layout_digest,
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Problem> {
        let stopped = || Problem::new(ProblemCode::Busy, "the study's driver is stopping");
        let (done, answer) = oneshot::channel();
        self.requests
            .try_send(request(done).into())
            .map_err(|_| Problem::new(ProblemCode::Busy, "too many requests at once"))?;
        answer.await.map_err(|_| stopped())
    }
}

/// Whether nothing moves this phase any more.
pub(super) fn is_over(phase: &Phase) -> bool {
    matches!(phase, Phase::Released(_) | Phase::Abandoned(_))
}

/// Rings at every change of a study that may give one site another task.
pub struct Bell {
    all: watch::Receiver<View>,
    own: watch::Receiver<()>,
}

impl Bell {
    /// Returns at the next change.
    pub async fn ring(&mut self) {
        let rung = tokio::select! {
            rung = self.all.changed() => rung,
            rung = self.own.changed() => rung,
        };
        if rung.is_err() {
            // The desk is gone: the program is ending, and whoever waits has a timeout of its own.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use snowball_rounds::Event;

    use super::*;

    #[test]
    fn what_one_site_adds_rings_for_it_alone_and_another_phase_for_everybody() {
        let site = |name: &str| name.parse::<SiteName>().unwrap();
        let plan = crate::fixture::plan("bells");
        let model = plan.digest();
        let phase = Phase::draft().handle(Event::Started { model }, 0, &plan).unwrap().phase;
        let study = Study {
            plan_digest: model,
            plan,
            phase: phase.clone(),
            version: 2,
            created: 0,
            moved: 0,
        };
        let (desk, _inbox) = Desk::open(&study, BTreeSet::new());
        let (mut north, mut south) = (desk.changes(&site("north")), desk.changes(&site("south")));
        let rings = |bell: &mut Bell| bell.ring().now_or_never().is_some();
        assert!(!rings(&mut north) && !rings(&mut south));
        desk.publish_addition(&Addition::Member { site: site("north") }, 3);
        assert!(rings(&mut north) && !rings(&mut south));
        assert!(!rings(&mut north), "once");
        assert!(desk.is_member(&site("north")) && desk.look(|phase| phase.is_member(&site("north"))));
        assert_eq!(desk.version(), 3);
        desk.publish(phase, 4);
        assert!(rings(&mut north) && rings(&mut south));
        assert!(!desk.is_member(&site("north")));
    }
}
