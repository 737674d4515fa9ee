//! The aggregator's dashboard in a real browser, with real nodes: the coordinator runs a study from it and sees it move, the auditor
//! sees the same and can do nothing.

use std::{fs, path::PathBuf};

use snowball_tests::{
    browser::{Axe, Browser, Look, Tab},
    free_port,
};

use crate::stage::{Stage, ended};

/// What each page is called on its pictures, and where it lies.
const PAGES: [(&str, &str); 5] = [
    ("overview", "/"),
    ("study", "/studies/story"),
    ("sites", "/sites"),
    ("releases", "/releases"),
    ("ledger", "/ledger"),
];

/// A stage whose aggregator has a dashboard, and what looks at it.
struct Scene {
    stage: Stage,
    browser: Browser,
    axe: Option<Axe>,
    address: String,
    pictures: PathBuf,
}

impl Scene {
    /// `None` where there is no browser.
    async fn set() -> Option<Self> {
        let browser = Browser::start().await.unwrap()?;
        let mut stage = Stage::set_with(2, 3, 40, 0.0, |plan| {
            // Long enough that a page which looks every two seconds sees every round.
            plan.local.steps = 200;
            plan.comparison.own_model = true;
            "Body parts and ages from phantoms".clone_into(&mut plan.title);
        })
        .await;
        stage.settle().await;
        let port = free_port().unwrap();
        stage.aggregator.take().unwrap().end().await.unwrap();
        let file = stage.consortium.aggregator_home().join("aggregator.toml");
        let settings = fs::read_to_string(&file).unwrap();
        let dashboard = format!("{settings}\n[dashboard]\nlisten = \"127.0.0.1:{port}\"\n");
        fs::write(&file, dashboard).unwrap();
        stage.aggregator = Some(stage.consortium.serve(stage.port, &stage.hear).await.unwrap());
        let pictures = std::env::var_os("SNOWBALL_PICTURES").map_or_else(|| stage.folder.path().into(), PathBuf::from);
        Some(Self {
            stage,
            browser,
            axe: Axe::find().unwrap(),
            address: format!("http://127.0.0.1:{port}"),
            pictures,
        })
    }

    /// Somebody opens the link that the command prints.
    async fn person(&self, role: &str) -> Tab {
        let link = ["dashboard", "link", "--role", role];
        let made = self.stage.consortium.aggregator(&link).await.unwrap();
        let tab = self.browser.person().await.unwrap();
        tab.sign_in(made["link"].as_str().unwrap()).await.unwrap();
        tab
    }

    async fn open(&self, tab: &Tab, path: &str) {
        tab.open(&format!("{}{path}", self.address)).await.unwrap();
    }

    /// Takes pictures of a page in both looks, and asks whether everybody can use it.
    async fn look_at(&self, tab: &Tab, name: &str) {
        for look in Look::ALL {
            tab.look(look).await.unwrap();
            let file = self.pictures.join(format!("aggregator-{name}-{}.png", look.word()));
            tab.picture(&file).await.unwrap();
            assert!(fs::metadata(&file).unwrap().len() > 8_000, "{}", file.display());
        }
        tab.look(Look::Light).await.unwrap();
        if let Some(axe) = &self.axe {
            let found = axe.violations(tab).await.unwrap();
            assert!(found.is_empty(), "{name}:\n{}", found.join("\n"));
        }
    }

    /// Goes through the page that asks, as a person does. The link is found by where it leads: its part may be made anew meanwhile.
    async fn act(&self, tab: &Tab, act: &str, reason: Option<&str>) {
        tab.press(&format!("a[href='/studies/story/{act}']")).await.unwrap();
        self.look_at(tab, act).await;
        if let Some(reason) = reason {
            tab.fill("main textarea", reason).await.unwrap();
        }
        tab.press("main form button").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_coordinator_runs_a_study_in_a_browser_and_the_auditor_only_looks() {
    let Some(scene) = Scene::set().await else { return };
    let plan = scene.stage.consortium.plan_file();
    let create = ["study", "create", plan.to_str().unwrap()];
    scene.stage.consortium.aggregator(&create).await.unwrap();
    let tab = scene.person("coordinator").await;
    scene.open(&tab, "/studies/story").await;
    scene.act(&tab, "start", None).await;
    tab.wait_for("main", "story was started.").await.unwrap();

    // From here on nothing is loaded anew: the page moves by itself.
    tab.evaluate("window.snowballStayed = true").await.unwrap();
    tab.wait_for("#now", "hospitals join").await.unwrap();
    let mut nodes = scene.stage.run_nodes();
    tab.wait_for("#now", "a round is open").await.unwrap();
    tab.wait_for("#members", "trains").await.unwrap();
    tab.wait_for("#members", "here now").await.unwrap();
    tab.wait_for("#rounds", "open").await.unwrap();
    scene.look_at(&tab, "study-running").await;
    assert_eq!(tab.evaluate("window.snowballStayed").await.unwrap(), true);

    scene.act(&tab, "pause", Some("upside-down films")).await;
    tab.wait_for("#now", "upside-down films").await.unwrap();
    let auditing = scene.person("auditor").await;
    scene.open(&auditing, "/studies/story").await;
    auditing.wait_for("#now", "upside-down films").await.unwrap();
    finds_no_way(&auditing, "a study that runs").await;
    scene.open(&tab, "/").await;
    tab.wait_for("#attention", "story is paused").await.unwrap();
    tab.wait_for("#sites", "here now").await.unwrap();
    scene.look_at(&tab, "overview-running").await;
    tab.press("a[href='/studies/story']").await.unwrap();
    scene.act(&tab, "resume", None).await;
    tab.evaluate("window.snowballStayed = true").await.unwrap();
    scene.stage.wait_for_review().await;
    tab.wait_for("#now", "in review").await.unwrap();
    assert_eq!(tab.evaluate("window.snowballStayed").await.unwrap(), true);
    scene.stage.release().await;
    ended(&mut nodes).await;

    for (name, path) in PAGES {
        scene.open(&tab, path).await;
        scene.look_at(&tab, name).await;
    }
    scene.open(&tab, "/releases").await;
    tab.follow("story").await.unwrap();
    tab.wait_for("main", "A network for radiographs, trained by")
        .await
        .unwrap();
    scene.look_at(&tab, "release").await;

    scene.open(&tab, "/sites").await;
    tab.fill("main form input[name=site]", "west").await.unwrap();
    tab.press("main form button").await.unwrap();
    tab.wait_for("main", "Invitation for west").await.unwrap();
    scene.look_at(&tab, "invitation").await;
    let revoked = scene.stage.consortium.sites[1].name.clone();
    scene.open(&tab, "/sites").await;
    tab.press(&format!("a[href='/sites/{revoked}/revoke']")).await.unwrap();
    scene.look_at(&tab, "revoke").await;
    tab.fill("main textarea", "the hospital left").await.unwrap();
    tab.press("main form button").await.unwrap();
    tab.wait_for("main", &format!("{revoked} is revoked.")).await.unwrap();
    let told = scene.stage.consortium.aggregator(&["sites"]).await.unwrap();
    let told = told["sites"].as_array().unwrap();
    let told = told.iter().find(|site| site["site"] == revoked.as_str()).unwrap();
    assert_eq!(told["revoked"]["reason"], "the hospital left (dashboard, coordinator)");

    auditor(&scene).await;
    // A telephone shows the page whole, not wider than itself.
    tab.width(390).await.unwrap();
    for (name, path) in PAGES {
        scene.open(&tab, path).await;
        let wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert_eq!(
            tab.evaluate(wider).await.unwrap(),
            false,
            "{name} is wider than a telephone"
        );
        scene.look_at(&tab, &format!("{name}-small")).await;
    }
    // Every browser asks for an icon by itself; the dashboard has none.
    let complaints = tab.complaints();
    let complaints: Vec<&String> = complaints
        .iter()
        .filter(|line| !line.contains("/favicon.ico"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// Nothing on the page leads to something to do.
async fn finds_no_way(tab: &Tab, name: &str) {
    let ways = "document.querySelectorAll('main form, main button').length + [...document.querySelectorAll('a')].filter((link) => \
                /\\/(start|pause|resume|abort|approve|refuse|revoke)$/.test(link.href)).length";
    assert_eq!(tab.evaluate(ways).await.unwrap(), 0, "{name}");
}

/// Sees every page, in French too, and finds nothing to press but the way out.
async fn auditor(scene: &Scene) {
    let tab = scene.person("auditor").await;
    for (name, path) in PAGES {
        scene.open(&tab, &format!("{path}?language=fr")).await;
        scene.look_at(&tab, &format!("{name}-auditor")).await;
        finds_no_way(&tab, name).await;
    }
    // What a page of theirs sends all the same is refused.
    let sent = "fetch('/studies/story/abort', {method: 'POST', headers: {'content-type': 'application/x-www-form-urlencoded'}, \
                body: 'reason=mischief&form-token=' + document.querySelector('header input[type=hidden]').value}).then((answer) => answer.status)";
    assert_eq!(tab.evaluate(sent).await.unwrap(), 403);
    let status = scene
        .stage
        .consortium
        .aggregator(&["study", "status", "story"])
        .await
        .unwrap();
    assert_eq!(status["phase"], "released");
}
