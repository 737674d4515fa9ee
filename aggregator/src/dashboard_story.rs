//! The dashboard through the whole program, with a browser that is played by hand: who signs in, what each role sees and may do, and
//! that the ledger says of an act what it says of the command's.

use std::{fs, path::Path};

use snowball_protocol::{StudyPlan, plan::Span};
use snowball_web::fault;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    assembly::Assembly,
    fixture,
    story::{STUDY, command, header, init, training, upload},
};

/// Somebody's browser.
struct Browser {
    port: u16,
    cookie: String,
}

/// What it was answered.
struct Page {
    status: u16,
    head: String,
    body: String,
}

impl Browser {
    /// Opens the link that the command prints.
    async fn signed_in(dir: &Path, port: u16, role: &str) -> Self {
        let made = command(dir, &["dashboard", "link", "--role", role, "--holder", "A. Martin"]).await;
        let link = made["link"].as_str().unwrap();
        let (address, ticket) = link.split_once("/enter#").unwrap();
        assert_eq!(address, format!("http://127.0.0.1:{port}"));
        let mut browser = Self {
            port,
            cookie: String::new(),
        };
        let entered = browser.post("/enter", &format!("ticket={ticket}")).await;
        assert_eq!(entered.status, 303, "{}", entered.body);
        let cookie = entered.header("set-cookie").unwrap();
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        let again = browser.post("/enter", &format!("ticket={ticket}")).await;
        assert_eq!(again.status, 403, "a link signs in once");
        browser
    }

    async fn get(&self, path: &str) -> Page {
        self.send("GET", path, "").await
    }

    async fn post(&self, path: &str, body: &str) -> Page {
        self.send("POST", path, body).await
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Page {
        let (port, cookie, length) = (self.port, &self.cookie, body.len());
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\norigin: http://127.0.0.1:{port}\r\ncookie: {cookie}\r\n\
             sec-fetch-site: same-origin\r\ncontent-type: application/x-www-form-urlencoded\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Page {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// A page that is there, and sound.
    async fn page(&self, path: &str) -> String {
        let page = self.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        assert_eq!(fault(&page.body), None, "{path}: {}", page.body);
        page.body
    }

    /// Goes through the page that asks, and sends its form with `fields`.
    async fn act(&self, path: &str, fields: &str) -> Page {
        let token = token(&self.page(path).await);
        self.post(path, &format!("form-token={token}&{fields}")).await
    }
}

impl Page {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }
}

/// The token of a page's forms.
fn token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"form-token\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// Forms of a page beside the one that signs out.
fn forms(page: &str) -> usize {
    page.matches("<form").count() - page.matches("action=\"/sign-out\"").count()
}

/// Three sites, of which two are enough.
fn plan() -> StudyPlan {
    let mut plan = fixture::plan(STUDY);
    plan.rounds.sites = Span { min: 2, max: 3 };
    plan
}

async fn assembled(dir: &Path) -> (Assembly, u16) {
    let assembly = Assembly::of(dir, &plan(), &["north", "south", "west"]).await;
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let file = dir.join("aggregator.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        format!("{settings}\n[dashboard]\nlisten = \"127.0.0.1:{port}\"\n"),
    )
    .unwrap();
    (assembly.restarted(dir).await, port)
}

async fn ledger(dir: &Path) -> String {
    command(dir, &["ledger", "show"]).await["records"].to_string()
}

/// Every address that shows something, or asks before something is done.
const PAGES: [&str; 5] = ["/", "/studies/body-parts", "/sites", "/releases", "/ledger"];
const ASKS: [&str; 7] = [
    "/studies/body-parts/start",
    "/studies/body-parts/pause",
    "/studies/body-parts/resume",
    "/studies/body-parts/abort",
    "/sites/west/approve",
    "/sites/west/refuse",
    "/sites/west/revoke",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_runs_a_study_from_the_dashboard_and_the_ledger_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    let (assembly, port) = assembled(&dir).await;
    let browser = Browser::signed_in(&dir, port, "coordinator").await;
    for language in ["en", "fr"] {
        for path in PAGES.into_iter().chain(ASKS) {
            let page = browser.page(&format!("{path}?language={language}")).await;
            assert!(page.contains(&format!("<html lang=\"{language}\"")), "{path}");
            // The plan as it was written is the only place for a brace.
            let parts = page.split("<pre>");
            let mut told = parts.map(|part| part.split_once("</pre>").map_or(part, |(_, rest)| rest));
            assert!(
                told.all(|part| !part.contains('{')),
                "a value was not filled in at {path}: {page}"
            );
        }
    }

    // Who sends is seen, and so is who is awaited.
    let model = training(&assembly.sites[0], 1).await;
    let values = vec![0.0; snowball_layout::Layout::of(&plan()).parameters()];
    let (announced, bytes) = header(&plan(), &model, &values, 1);
    upload(&assembly.sites[0], &announced, &bytes).await;
    let study = browser.page("/studies/body-parts?language=en").await;
    let row = |site: &str| {
        let (_, rest) = study.split_once(&format!("<th scope=\"row\">{site}</th>")).unwrap();
        rest.split_once("</tr>").unwrap().0.to_owned()
    };
    assert!(row("north").contains("has sent"), "{}", row("north"));
    assert!(row("south").contains("trains"), "{}", row("south"));
    assert!(study.contains("href=\"/studies/body-parts/pause\""), "{study}");

    let told = browser
        .act("/studies/body-parts/pause", "reason=upside-down+films")
        .await;
    assert_eq!(
        (told.status, told.header("location")),
        (303, Some("/studies/body-parts"))
    );
    let study = browser.page("/studies/body-parts").await;
    assert!(
        study.contains("body-parts is paused.") && study.contains("upside-down films"),
        "{study}"
    );
    assert!(study.contains("href=\"/studies/body-parts/resume\"") && !study.contains("body-parts/pause\""));
    let refused = browser.act("/studies/body-parts/pause", "reason=again").await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("is paused already"), "{}", refused.body);
    let resumed = browser.act("/studies/body-parts/resume", "").await;
    assert_eq!(resumed.status, 303, "{}", resumed.body);

    let revoked = browser.act("/sites/west/revoke", "reason=stolen%0d%0athis+night").await;
    assert_eq!(revoked.status, 303, "{}", revoked.body);
    let sites = browser.page("/sites").await;
    assert!(
        sites.contains("west is revoked.") && sites.contains("stolen this night"),
        "{sites}"
    );
    let again = browser.act("/sites/west/revoke", "reason=lost").await;
    assert_eq!(again.status, 422, "{}", again.body);
    assert!(again.body.contains("was revoked already") && again.body.contains("stolen this night"));
    for said in [
        "\"entry\":\"study_paused\",\"reason\":\"upside-down films (dashboard, A. Martin)\"",
        "\"entry\":\"study_resumed\"",
        "\"entry\":\"site_revoked\",\"reason\":\"stolen this night (dashboard, A. Martin)\"",
    ] {
        // `serve` takes in what commands leave for the ledger a few times a second.
        let mut told = ledger(&dir).await;
        for _ in 0..100 {
            if told.contains(said) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            told = ledger(&dir).await;
        }
        assert!(told.contains(said), "{said} in {told}");
    }

    let aborted = browser.act("/studies/body-parts/abort", "reason=wrong+labels").await;
    assert_eq!(aborted.status, 303, "{}", aborted.body);
    let study = browser.page("/studies/body-parts").await;
    assert!(study.contains("wrong labels") && !study.contains("href=\"/studies/body-parts/abort\""));
    assembly.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_shown_once_and_a_request_is_approved_by_its_fingerprint_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    let (assembly, port) = assembled(&dir).await;
    let browser = Browser::signed_in(&dir, port, "coordinator").await;
    let token = token(&browser.page("/sites").await);
    let invite = |fields: &str| format!("form-token={token}&{fields}");
    for wrong in [
        "site=A+B&hours=72",
        "site=east&hours=0",
        "site=east&hours=soon",
        "hours=72",
    ] {
        let refused = browser.post("/invitations", &invite(wrong)).await;
        assert_eq!(refused.status, 422, "{wrong}: {}", refused.body);
    }
    let shown = browser.post("/invitations", &invite("site=east&hours=72")).await;
    assert_eq!(
        (shown.status, shown.header("location")),
        (303, Some("/sites")),
        "{}",
        shown.body
    );
    let shown = browser.page("/sites?language=en").await;
    let (_, rest) = shown.split_once("Invitation for east").unwrap();
    let (_, rest) = rest.split_once("<code>").unwrap();
    let line = rest.split_once("</code>").unwrap().0.to_owned();
    assert!(line.len() > 60, "{line}");
    // Loaded again, it shows the line no more, and made no other.
    let sites = browser.page("/sites").await;
    assert!(sites.contains("east") && !sites.contains(&line), "{sites}");

    let refused = browser
        .act("/sites/east/approve", "fingerprint=0000-0000-0000-0000&reason=x")
        .await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("has not used an invitation yet"),
        "{}",
        refused.body
    );
    assembly.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_sees_everything_finds_no_form_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    let (assembly, port) = assembled(&dir).await;
    let browser = Browser::signed_in(&dir, port, "auditor").await;
    let before = ledger(&dir).await;
    for path in PAGES {
        let page = browser.page(path).await;
        assert_eq!(forms(&page), 0, "{path}: {page}");
        for act in ASKS {
            assert!(!page.contains(act), "{act} at {path}");
        }
    }
    // Also with the token of the form that signs out, which is the session's own.
    let token = token(&browser.page("/").await);
    let body = format!("form-token={token}&reason=mischief&site=east&hours=72&fingerprint=0000000000000000");
    for path in ASKS {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
        assert_eq!(browser.post(path, &body).await.status, 403, "{path}");
    }
    assert_eq!(browser.post("/invitations", &body).await.status, 403);
    assert_eq!(ledger(&dir).await, before);
    let nobody = Browser {
        port,
        cookie: String::new(),
    };
    for path in PAGES.into_iter().chain(ASKS) {
        let page = nobody.get(path).await;
        assert_eq!((page.status, page.header("location")), (303, Some("/enter")), "{path}");
        assert_eq!(nobody.post(path, &body).await.status, 403, "{path}");
    }
    assembly.running.stop().await;
}

#[tokio::test]
async fn without_a_dashboard_there_is_no_link_and_without_tls_none_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let link = || {
        let dir = dir.to_str().unwrap().to_owned();
        async move { crate::cli::command(&["--home", &dir, "dashboard", "link", "--role", "auditor"]).await }
    };
    let refused = link().await.err().unwrap();
    assert!(
        refused.is::<crate::cli::Refused>() && refused.to_string().contains("[dashboard]"),
        "{refused}"
    );
    let file = dir.join("aggregator.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{settings}\n[dashboard]\nlisten = \"0.0.0.0:7480\"\n")).unwrap();
    let refused = format!("{:#}", link().await.err().unwrap());
    assert!(refused.contains("without TLS"), "{refused}");
}
