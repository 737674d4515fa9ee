//! The node's dashboard in a real browser, beside a node that runs: a link signs in, a quarantined file is looked at and decided on, the
//! board's signed policy lets a study in, a training is watched, and whoever only reads can change nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use snowball_protocol::SiteName;
use snowball_tests::{
    PolicyWish, Running, Site,
    browser::{Axe, Browser, Look, Tab},
    free_port,
};

use crate::stage::Stage;

/// Every page that is in the navigation.
const PAGES: [&str; 8] = [
    "",
    "intake",
    "quarantine",
    "census",
    "policy",
    "studies",
    "training",
    "left",
];

struct Ward {
    stage: Stage,
    site: Site,
    address: String,
    listen: String,
    _dashboard: Running,
}

impl Ward {
    /// A node with radiographs and files that wait, under a policy that approves another plan than the one that is coming.
    async fn open() -> Self {
        let mut stage = Stage::set_with(1, 3, 60, 0.5, |plan| plan.local.steps = 1500).await;
        let site = stage.consortium.sites[0].clone();
        let mut other = stage.plan.clone();
        other.rounds.count += 1;
        stage.consortium.make_node(&site, 1).await.unwrap();
        let wish = PolicyWish::default();
        stage.consortium.install_policy(&site, &other, &wish).await.unwrap();
        stage.consortium.ingest(&site).await.unwrap();
        stage.consortium.enrol(&site, &stage.hear).await.unwrap();
        let listen = format!("127.0.0.1:{}", free_port().unwrap());
        let log = stage.consortium.log("dashboard");
        let arguments = ["dashboard", "--listen", &listen];
        let dashboard = stage
            .consortium
            .start_node("dashboard", &site, &arguments, &log, &stage.hear)
            .unwrap();
        let said = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                let said = stage.heard.recv().await.unwrap();
                if said.who == "dashboard" {
                    return said.what;
                }
            }
        });
        let said = said.await.expect("the dashboard tells its address");
        assert_eq!(said["address"], format!("http://{listen}"), "{said}");
        assert_eq!(said["link"], serde_json::Value::Null, "no link goes where others read");
        Self {
            address: said["address"].as_str().unwrap().to_owned(),
            stage,
            site,
            listen,
            _dashboard: dashboard,
        }
    }

    async fn link(&self, role: &str, name: &str) -> String {
        let arguments = [
            "dashboard",
            "link",
            "--listen",
            &self.listen,
            "--role",
            role,
            "--name",
            name,
        ];
        let answer = self.stage.consortium.node(&self.site, &arguments).await.unwrap();
        answer["link"].as_str().unwrap().to_owned()
    }

    async fn go(&self, tab: &Tab, page: &str) {
        tab.open(&format!("{}/{page}", self.address)).await.unwrap();
    }

    /// The policy that the board writes once it has read the plan, with its signature.
    async fn next_policy(&self) -> (String, String, String) {
        let board = self.stage.folder.path().join("boards").join(self.site.name.as_str());
        let before = fs::read_to_string(board.join("policy.toml")).unwrap();
        let digest = |text: &str| snowball_protocol::Sha256Digest::of(text.as_bytes()).to_string();
        let approved = before
            .lines()
            .find(|line| line.starts_with("digests = "))
            .unwrap()
            .to_owned();
        let after = before
            .replace(
                "version = 1\n",
                &format!("version = 2\nsupersedes = \"{}\"\n", digest(&before)),
            )
            .replace(&approved, &format!("digests = [\"{}\"]", self.stage.plan.digest()));
        let path = board.join("next.toml");
        fs::write(&path, &after).unwrap();
        let key = board.join("ethics.pem");
        let sign = ["policy", "sign", "--key", key.to_str().unwrap(), path.to_str().unwrap()];
        self.stage.consortium.node(&self.site, &sign).await.unwrap();
        let signature = fs::read_to_string(board.join("next.toml.sig")).unwrap();
        let digest = digest(&after);
        (after, signature, digest)
    }

    async fn kinds(&self) -> serde_json::Value {
        let verified = self
            .stage
            .consortium
            .node(&self.site, &["ledger", "verify"])
            .await
            .unwrap();
        verified["kinds"].clone()
    }
}

/// Pictures of one page in both looks, and no violation that axe-core finds, on a screen and on a telephone.
async fn look_at(tab: &Tab, axe: Option<&Axe>, folder: &Path, name: &str) {
    for width in [390, 1200] {
        tab.width(width).await.unwrap();
        let wide = tab.evaluate("document.documentElement.scrollWidth").await.unwrap();
        assert!(
            wide.as_u64().unwrap() <= width.into(),
            "{name} is {wide} wide in {width}"
        );
        if let Some(axe) = axe {
            assert_eq!(axe.violations(tab).await.unwrap(), Vec::<String>::new(), "{name}");
        }
    }
    for look in Look::ALL {
        tab.look(look).await.unwrap();
        tab.picture(&folder.join(format!("{name}-{}.png", look.word())))
            .await
            .unwrap();
    }
    tab.look(Look::Light).await.unwrap();
}

/// Where pictures go: a folder of one's own where one wants to see them.
fn pictures(stage: &Stage) -> PathBuf {
    let folder =
        std::env::var_os("SNOWBALL_PICTURES").map_or_else(|| stage.folder.path().join("pictures"), PathBuf::from);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hospital_looks_after_its_node_in_a_browser() {
    let Some(browser) = Browser::start().await.unwrap() else {
        return;
    };
    let axe = Axe::find().unwrap();
    let ward = Ward::open().await;
    let folder = pictures(&ward.stage);

    let operator = browser.person().await.unwrap();
    let link = ward.link("operator", "Dr. Curie").await;
    operator.sign_in(&link).await.unwrap();
    assert!(operator.text("header").await.unwrap().contains("Dr. Curie"));
    let thief = browser.person().await.unwrap();
    assert!(thief.sign_in(&link).await.is_err(), "a link signs in once");
    let reader = browser.person().await.unwrap();
    reader.sign_in(&ward.link("reader", "Auditor").await).await.unwrap();

    review_the_quarantine(&ward, &operator, &reader, axe.as_ref(), &folder).await;
    let nobody = |name: &SiteName| ward.stage.consortium.log(name.as_str());
    let run = ["run"];
    let log = nobody(&ward.site.name);
    let node = ward
        .stage
        .consortium
        .start_node("node", &ward.site, &run, &log, &ward.stage.hear)
        .unwrap();
    ward.stage.start_study().await;
    approve_the_study(&ward, &operator, &reader, axe.as_ref(), &folder).await;
    watch_the_training(&ward, &reader, axe.as_ref(), &folder).await;
    ward.stage.wait_for_review().await;
    ward.stage.release().await;
    ward.go(&reader, "training").await;
    reader.wait_for("#training", "over").await.unwrap();

    for page in PAGES {
        ward.go(&operator, page).await;
        let name = if page.is_empty() { "overview" } else { page };
        look_at(&operator, axe.as_ref(), &folder, name).await;
        operator
            .open(&format!("{}/{page}?language=fr", ward.address))
            .await
            .unwrap();
        assert_eq!(
            operator.evaluate("document.documentElement.lang").await.unwrap(),
            "fr",
            "{page}"
        );
        operator
            .open(&format!("{}/{page}?language=en", ward.address))
            .await
            .unwrap();
    }
    ward.go(&reader, "left").await;
    let left = reader.text("main").await.unwrap();
    for told in ["update of story, round 1", "round 3", "sound"] {
        assert!(left.contains(told), "{told} in {left}");
    }
    for tab in [&operator, &reader] {
        let complaints = tab.complaints();
        let grave = complaints
            .iter()
            .filter(|line| line.contains("Content Security Policy") || line.contains("exception"));
        assert_eq!(grave.collect::<Vec<_>>(), Vec::<&String>::new());
    }
    node.end().await.unwrap();
    let kinds = ward.kinds().await;
    for (kind, count) in [
        ("quarantine_picture_shown", 1),
        ("quarantine_reviewed", 1),
        ("quarantine_discarded", 1),
        ("policy_installed", 2),
        ("study_withheld", 2),
    ] {
        assert_eq!(kinds[kind], count, "{kind}: {kinds}");
    }
}

/// One file is looked at and released, another let go; the reader is shown neither picture nor button, and a form does nothing for them.
async fn review_the_quarantine(ward: &Ward, operator: &Tab, reader: &Tab, axe: Option<&Axe>, folder: &Path) {
    let list = ward
        .stage
        .consortium
        .node(&ward.site, &["quarantine", "list"])
        .await
        .unwrap();
    let files = list["files"].as_array().unwrap();
    let of = |may_be_released: bool| {
        let settled = |file: &&serde_json::Value| {
            let by_a_look = file["reason"] == "burned_in_text" || file["reason"] == "text_remains";
            by_a_look == may_be_released && file["kept"] == true
        };
        let file = files.iter().find(settled).unwrap();
        file["digest"].as_str().unwrap().to_owned()
    };
    let (written, broken) = (of(true), of(false));
    ward.go(operator, "quarantine").await;
    assert_eq!(
        operator
            .evaluate("document.querySelectorAll('img, image').length")
            .await
            .unwrap(),
        0
    );
    look_at(operator, axe, folder, "quarantine-waiting").await;
    ward.go(operator, &format!("quarantine/{written}")).await;
    look_at(operator, axe, folder, "quarantine-file").await;
    // An address that is opened, reloaded or linked to shows the file's page, and no picture.
    ward.go(operator, &format!("quarantine/{written}/look")).await;
    assert_eq!(
        operator
            .evaluate("document.querySelectorAll('image').length")
            .await
            .unwrap(),
        0
    );
    operator.press("main form button").await.unwrap();
    let shown = operator
        .evaluate("document.querySelector('image').getBoundingClientRect().width")
        .await
        .unwrap();
    assert!(shown.as_f64().unwrap() > 50.0, "the picture is there");
    look_at(operator, axe, folder, "quarantine-picture").await;
    operator.follow("Release: take it in").await.unwrap();
    look_at(operator, axe, folder, "quarantine-release").await;
    operator
        .fill("textarea[name=reason]", "only a side marker")
        .await
        .unwrap();
    operator.press("main form button").await.unwrap();
    assert!(operator.text(".told").await.unwrap().contains("Taken in"));

    for (tab, may) in [(operator, true), (reader, false)] {
        ward.go(tab, &format!("quarantine/{broken}")).await;
        let text = tab.text("main").await.unwrap();
        assert_eq!(text.contains("Discard: let it go"), may, "{text}");
        assert!(!text.contains("Release: take it in"), "a look cannot settle it: {text}");
    }
    for hidden in ["look", "discard", "release"] {
        ward.go(reader, &format!("quarantine/{broken}/{hidden}")).await;
        let text = reader.text("main").await.unwrap();
        assert!(!text.contains("Who decides"), "{hidden}: {text}");
        assert_eq!(
            reader
                .evaluate("document.querySelectorAll('image').length")
                .await
                .unwrap(),
            0
        );
    }
    // Even the operator's own form, sent by somebody who may only read.
    let sent = format!(
        "fetch('/quarantine/{broken}/discard', {{method: 'POST', headers: {{'content-type': 'application/x-www-form-urlencoded'}}, \
         body: 'reviewer=x&reason=y&form-token=z'}}).then(answer => answer.status)"
    );
    assert_eq!(reader.evaluate(&sent).await.unwrap(), 403);
    ward.go(operator, &format!("quarantine/{broken}/discard")).await;
    operator.fill("input[name=reviewer]", "Irène Curie").await.unwrap();
    operator
        .fill("textarea[name=reason]", "damaged in the archive")
        .await
        .unwrap();
    operator.press("main form button").await.unwrap();
    assert!(operator.text(".told").await.unwrap().contains("Let go"));
    let log = ward
        .stage
        .consortium
        .node(&ward.site, &["quarantine", "show", &broken])
        .await
        .unwrap();
    assert_eq!(log["files"][0]["state"], "discarded", "{log}");
}

/// The study is not permitted, so it asks; a person declines and reconsiders it; the board's signature lets it in.
async fn approve_the_study(ward: &Ward, operator: &Tab, reader: &Tab, axe: Option<&Axe>, folder: &Path) {
    ward.go(reader, "training").await;
    reader.wait_for("#training", "does not take part").await.unwrap();
    ward.go(operator, "").await;
    operator
        .wait_for("#overview", "1 study asks for the board’s approval")
        .await
        .unwrap();
    look_at(operator, axe, folder, "overview-waiting").await;
    ward.go(operator, "studies").await;
    look_at(operator, axe, folder, "studies-asking").await;
    operator.follow("story").await.unwrap();
    let digest = ward.stage.plan.digest().to_string();
    assert!(operator.text("main").await.unwrap().contains(&digest));
    look_at(operator, axe, folder, "study").await;

    for (way, words) in [
        ("Decline: keep this site out of it", "stays out of"),
        (
            "Reconsider: let this site take part as far as the policy permits",
            "takes part in",
        ),
    ] {
        operator.follow(way).await.unwrap();
        operator
            .fill("textarea[name=reason]", "the board meets on Monday")
            .await
            .unwrap();
        operator.press("main form button").await.unwrap();
        assert!(operator.text(".told").await.unwrap().contains(words));
    }
    let (policy, signature, policy_digest) = ward.next_policy().await;
    operator
        .follow("Approve: install the policy in which the board approves this digest")
        .await
        .unwrap();
    look_at(operator, axe, folder, "policy-install").await;
    // A policy that nobody signed is refused, and nothing is changed.
    let forged = policy.replace("cell_min = 3", "cell_min = 1");
    paste(operator, &forged, &signature).await;
    assert!(operator.text("[role=alert]").await.unwrap().contains("signature"));
    ward.go(operator, &format!("policy/install?plan={digest}")).await;
    paste(operator, &policy, &signature).await;
    let told = operator.text("main").await.unwrap();
    assert!(
        told.contains("It permits the study story with exactly this plan"),
        "{told}"
    );
    look_at(operator, axe, folder, "policy-check").await;
    operator.fill("input[name=digest]", "00000000").await.unwrap();
    operator.press("main form button").await.unwrap();
    assert!(operator.text("[role=alert]").await.unwrap().contains("first eight"));
    assert_eq!(ward.kinds().await["policy_installed"], 1);
    ward.go(operator, &format!("policy/install?plan={digest}")).await;
    paste(operator, &policy, &signature).await;
    let typed = policy_digest.trim_start_matches("sha256:");
    operator.fill("input[name=digest]", &typed[..8]).await.unwrap();
    operator.press("main form button").await.unwrap();
    assert!(operator.text(".told").await.unwrap().contains("is in force"));
}

async fn paste(tab: &Tab, policy: &str, signature: &str) {
    tab.fill("textarea[name=policy]", policy).await.unwrap();
    tab.fill("textarea[name=signature]", signature).await.unwrap();
    tab.press("main form button").await.unwrap();
}

/// The node takes part without being started again, and its steps move on a page that nobody loads again.
async fn watch_the_training(ward: &Ward, reader: &Tab, axe: Option<&Axe>, folder: &Path) {
    ward.go(reader, "training").await;
    reader.wait_for("#training", "trains: step").await.unwrap();
    reader
        .wait_for("#training", "Loss at the end of each round")
        .await
        .unwrap();
    look_at(reader, axe, folder, "training-live").await;
    ward.go(reader, "").await;
    reader
        .wait_for("#overview", "follows the aggregator’s studies")
        .await
        .unwrap();
}
