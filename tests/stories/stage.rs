//! What the stories share: programs built once, a small study, hospitals with phantoms.

use std::path::{Path, PathBuf};

use serde_json::Value;
use snowball_phantoms::{Consortium as Phantoms, Hospital};
use snowball_protocol::{
    SiteName, StudyPlan,
    labels::LabelName,
    plan::{
        Architecture, Augmentation, Head, HeadKind, LocalTraining, Network, Optimiser, OptimiserRule, Preprocessing,
        Rounds, Schedule, Sent, Span, Strategy, Transfer,
    },
};
use snowball_tests::{Consortium, PolicyWish, Programs, Running, Said, free_port};
use tempfile::TempDir;
use tokio::sync::{OnceCell, mpsc};

/// The programs, built once for all stories.
pub async fn programs() -> Programs {
    static PROGRAMS: OnceCell<Programs> = OnceCell::const_new();
    PROGRAMS
        .get_or_init(|| async { Programs::prepare(None).await.unwrap() })
        .await
        .clone()
}

/// A study of a few steps: it proves the way, not the learning.
pub fn plan(sites: u32, rounds: u32) -> StudyPlan {
    StudyPlan {
        format: 1,
        study: "story".parse().unwrap(),
        title: "A story".to_owned(),
        purpose: "pretraining".parse().unwrap(),
        stage: snowball_protocol::plan::StudyStage::default(),
        seed: 11,
        start: None,
        network: Network {
            architecture: Architecture::Small,
            input_side: 32,
            width: 8,
        },
        heads: vec![
            Head {
                label: LabelName::BodyPart,
                kind: HeadKind::Classes(LabelName::BodyPart.codes().into_iter().map(str::to_owned).collect()),
                weight: 1.0,
            },
            Head {
                label: LabelName::Age,
                kind: HeadKind::Regression { unit: 100.0 },
                weight: 1.0,
            },
        ],
        pretext: None,
        preprocessing: Preprocessing::LetterboxV1,
        augmentation: Augmentation::XrLightV1,
        optimiser: Optimiser {
            rule: OptimiserRule::Adamw,
            learning_rate: 2e-3,
            weight_decay: 0.01,
            schedule: Schedule::Cosine { warmup_fraction: 0.1 },
            gradient_norm_max: Some(5.0),
        },
        local: LocalTraining {
            steps: 4,
            batch_size: 16,
            epochs: None,
            proximal: None,
            drift: None,
            keep: Vec::new(),
        },
        strategy: Strategy::fed_avg(100_000, 200.0),
        transfer: Transfer::default(),
        rounds: Rounds {
            count: rounds,
            sites: Span { min: sites, max: sites },
            recruit_seconds: Span { min: 0, max: 600 },
            updates: Span { min: sites, max: sites },
            collect_seconds: Span { min: 0, max: 600 },
            review_seconds_max: 600,
            late: snowball_protocol::plan::Late::Drop,
        },
        send: vec![Sent::Update, Sent::Metrics],
        comparison: snowball_protocol::plan::Comparison::default(),
    }
}

/// A folder, hospitals with phantoms, and an aggregator that serves.
pub struct Stage {
    pub folder: TempDir,
    pub consortium: Consortium,
    pub hospitals: Vec<Hospital>,
    pub aggregator: Option<Running>,
    pub port: u16,
    pub plan: StudyPlan,
    pub hear: mpsc::Sender<Said>,
    pub heard: mpsc::Receiver<Said>,
}

impl Stage {
    /// Two hospitals (or more) with some phantoms each, homes, policies, radiographs; an aggregator without sites yet.
    pub async fn set(sites: u32, rounds: u32, images: u64) -> Self {
        Self::set_with(sites, rounds, images, 0.0, |_| {}).await
    }

    /// The same with hostile files among the radiographs and a plan to one's taste.
    pub async fn set_with(
        sites: u32,
        rounds: u32,
        images: u64,
        hostile: f64,
        change: impl FnOnce(&mut StudyPlan),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hospitals = phantoms(folder.path(), sites, images, hostile);
        let names = hospitals
            .iter()
            .map(|hospital| (site_name(hospital), hospital.dicom.clone()))
            .collect();
        let consortium = Consortium::new(folder.path(), programs().await, names).unwrap();
        let mut plan = plan(sites, rounds);
        change(&mut plan);
        std::fs::write(consortium.plan_file(), toml::to_string(&plan).unwrap()).unwrap();
        let port = free_port().unwrap();
        consortium.found(port).await.unwrap();
        let (hear, heard) = mpsc::channel(4096);
        let aggregator = Some(consortium.serve(port, &hear).await.unwrap());
        Self {
            folder,
            consortium,
            hospitals,
            aggregator,
            port,
            plan,
            hear,
            heard,
        }
    }

    /// Every site gets its node, its policy, its radiographs and its certificate.
    pub async fn settle(&self) {
        self.settle_under(|_| PolicyWish::default()).await;
    }

    /// The same with a policy to one's taste for the site at each place.
    pub async fn settle_under(&self, wish: impl Fn(usize) -> PolicyWish) {
        for (place, site) in self.consortium.sites.iter().enumerate() {
            self.consortium.make_node(site, 1).await.unwrap();
            self.consortium
                .install_policy(site, &self.plan, &wish(place))
                .await
                .unwrap();
            self.consortium.ingest(site).await.unwrap();
            self.consortium.enrol(site, &self.hear).await.unwrap();
        }
    }

    /// Creates and starts the study.
    pub async fn start_study(&self) {
        let file = self.consortium.plan_file();
        self.consortium
            .aggregator(&["study", "create", file.to_str().unwrap()])
            .await
            .unwrap();
        self.consortium.aggregator(&["study", "start", "story"]).await.unwrap();
    }

    /// Starts every node's service.
    pub fn run_nodes(&self) -> Vec<Running> {
        self.consortium
            .sites
            .iter()
            .map(|site| self.consortium.run_node(site, "story", &self.hear).unwrap())
            .collect()
    }

    /// Waits until `holds` of the study's status; two minutes at most.
    pub async fn wait(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..1200 {
            if let Ok(status) = self.consortium.aggregator(&["study", "status", "story"]).await {
                if holds(&status) {
                    return status;
                }
                last = status;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{what} did not come; the study's status: {last}\n{}", self.logs());
    }

    /// Waits until all sites have evaluated the final model.
    pub async fn wait_for_review(&self) -> Value {
        let sites = self.consortium.sites.len();
        self.wait("the review", |status| {
            status["phase"] == "reviewing"
                && status["final"]["evaluated"]
                    .as_array()
                    .is_some_and(|done| done.len() == sites)
        })
        .await
    }

    /// The whole way, from homes without anything to the end of every node; as [`to_release`](Self::to_release).
    pub async fn through(&self) -> (Value, PathBuf) {
        self.settle().await;
        self.to_release().await
    }

    /// The study from its start to the end of every node. Gives its status in the review, and the release.
    pub async fn to_release(&self) -> (Value, PathBuf) {
        self.start_study().await;
        let mut nodes = self.run_nodes();
        let status = self.wait_for_review().await;
        let release = self.release().await;
        ended(&mut nodes).await;
        (status, release)
    }

    /// Signs the release; the nodes then end by themselves.
    pub async fn release(&self) -> PathBuf {
        let out = self.folder.path().join("release");
        self.consortium
            .aggregator(&["release", "create", "story", "--out", out.to_str().unwrap()])
            .await
            .unwrap();
        out
    }

    /// The ends of all logs, for a failing story.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(self.folder.path().join("logs"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let log = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(6).collect();
            text += &format!("--- {}\n", entry.path().display());
            for line in last.iter().rev() {
                text += line;
                text.push('\n');
            }
        }
        text
    }
}

/// Waits until every node has ended, well.
pub async fn ended(nodes: &mut [Running]) {
    for _ in 0..600 {
        if nodes.iter_mut().all(Running::has_ended) {
            for node in nodes {
                node.check().unwrap();
            }
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the nodes did not end with the study");
}

/// Hospitals with phantoms below `root`.
pub fn phantoms(root: &Path, hospitals: u32, images: u64, hostile_fraction: f64) -> Vec<Hospital> {
    let request = Phantoms {
        seed: 5,
        hospitals,
        images_per_hospital: images,
        hostile_fraction,
        longest_side: 96,
    };
    snowball_phantoms::write(&request, &root.join("radiographs"), &|_, _| {}).unwrap()
}

/// A hospital's name as a site's.
pub fn site_name(hospital: &Hospital) -> SiteName {
    hospital.name.to_lowercase().replace([' ', '_'], "-").parse().unwrap()
}
