//! The foundation of the dashboards in a real browser: signing in, acting, pages that renew themselves, without scripts too, and
//! with TLS.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, routing::get};
use snowball_dashboard::{About, Actor, Dashboard, Done, Reader, Role, RoleName, Settings, Tickets, View};
use snowball_service::clock;
use snowball_tests::{
    browser::{Axe, Browser, Look},
    free_port,
};
use snowball_web::{Column, Confirmation, Html, Message, Route, Table};
use tokio::sync::oneshot;

type Count = Arc<AtomicU64>;

const fn message(english: &'static str, french: &'static str) -> Message {
    Message { english, french }
}

fn about() -> About {
    About {
        name: "Trial".to_owned(),
        reads: RoleName {
            word: "auditor",
            title: message("auditor", "audit"),
        },
        acts: RoleName {
            word: "coordinator",
            title: message("coordinator", "coordination"),
        },
        navigation: vec![
            (Route::root(), message("Counter", "Compteur")),
            (Route::of(["raise"]), message("Raise", "Augmenter")),
        ],
        ticket_command: "trial link",
    }
}

async fn counter(reader: Reader, State(count): State<Count>) -> View {
    let mut page = reader.page("Counter");
    page.live("count", |part| {
        let mut table =
            Table::new([Column::names("What"), Column::numbers("How many")]).with_caption("What is counted");
        let number = Html::number(count.load(Ordering::Relaxed), reader.language());
        table.row([Html::route(&Route::of(["raise"]), "Raised"), number]);
        part.table(&table);
    });
    page.say(
        Html::text("good")
            .good()
            .and(" ")
            .and(Html::text("bad").bad())
            .and(" ")
            .and(Html::text("soft").soft()),
    );
    reader.show(page)
}

async fn ask_first(reader: Reader) -> View {
    let mut page = reader.page("Raise the counter");
    match reader.may_act() {
        Some(token) => page.confirmation(
            token,
            Confirmation {
                will_happen: vec!["The counter rises by one.".into(), "Everybody sees it.".into()],
                route: Route::of(["raise"]),
                hidden: &[],
                asks_line: None,
                asks_reason: true,
                button: "Raise".into(),
                back: Route::root(),
            },
        ),
        None => page.say("Only a coordinator raises it."),
    }
    reader.show(page)
}

async fn raise(State(count): State<Count>, actor: Actor) -> Result<Done, View> {
    actor.reason()?;
    count.fetch_add(1, Ordering::Relaxed);
    Ok(actor.done(&Route::root(), "It was raised.".into()))
}

struct Served {
    address: String,
    tickets: Tickets,
    count: Count,
    stop: Option<oneshot::Sender<()>>,
}

impl Served {
    async fn start(folder: &Path, settings: &Settings) -> Self {
        let count = Count::default();
        let pages = Router::new()
            .route("/", get(counter))
            .route("/raise", get(ask_first).post(raise))
            .with_state(Arc::clone(&count));
        let dashboard = Dashboard::open(about(), folder, settings).unwrap();
        let listener = settings.open().await.unwrap();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            dashboard.serve(listener, pages, stop).await;
        });
        Self {
            address: settings.address(),
            tickets: Tickets::of(folder),
            count,
            stop: Some(stop),
        }
    }

    fn link(&self, role: Role) -> String {
        let ticket = self.tickets.make(&about(), role, Some("Dr. Gray"), clock::now());
        ticket.unwrap().link(&self.address)
    }
}

fn local() -> Settings {
    Settings::local(([127, 0, 0, 1], free_port().unwrap()).into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_acts_and_sees_what_others_do() {
    let Some(browser) = Browser::start().await.unwrap() else {
        return;
    };
    let axe = Axe::find().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut served = Served::start(folder.path(), &local()).await;

    let watching = browser.person().await.unwrap();
    let link = served.link(Role::Reads);
    watching.open(&link).await.unwrap();
    // The ticket is in the field and no longer in the address, and nothing is used up yet.
    assert!(!watching.address().await.unwrap().contains('#'));
    let mut pages = vec![watching.address().await.unwrap()];
    if let Some(axe) = &axe {
        assert_eq!(axe.violations(&watching).await.unwrap(), Vec::<String>::new());
    }
    watching.sign_in(&link).await.unwrap();
    assert!(watching.text("header").await.unwrap().contains("auditor (Dr. Gray)"));
    watching.follow("Raise").await.unwrap();
    assert!(!watching.text("main").await.unwrap().contains("Reason"));
    watching.follow("Counter").await.unwrap();

    // The same link in another browser signs nobody in.
    let thief = browser.person().await.unwrap();
    assert!(thief.sign_in(&link).await.is_err());
    assert!(thief.text("[role=alert]").await.unwrap().contains("was used already"));

    let acting = browser.person().await.unwrap();
    acting.sign_in(&served.link(Role::Acts)).await.unwrap();
    acting.follow("Raise").await.unwrap();
    pages.push(acting.address().await.unwrap());
    // The focus of a person at the keyboard stays where it is while the page renews itself.
    watching
        .evaluate("document.querySelector('#count a').focus()")
        .await
        .unwrap();
    acting.fill("textarea[name=reason]", "To see it rise.").await.unwrap();
    acting.press("main form button").await.unwrap();
    assert!(acting.text(".told").await.unwrap().contains("It was raised."));
    watching.wait_for("#count td", "1").await.unwrap();
    let focused = watching.evaluate("document.activeElement.textContent").await.unwrap();
    assert_eq!(focused, "Raised");

    acting.follow("Français").await.unwrap();
    assert!(acting.text("header").await.unwrap().contains("Se déconnecter"));
    acting.follow("Compteur").await.unwrap();
    assert!(acting.text("nav").await.unwrap().contains("Augmenter"));

    for path in ["/", "/raise", "/nowhere"] {
        acting
            .open(&format!("{}{path}?language=en", served.address))
            .await
            .unwrap();
        for width in [1200, 390] {
            acting.width(width).await.unwrap();
            let wide = acting.evaluate("document.documentElement.scrollWidth").await.unwrap();
            assert!(
                wide.as_u64().unwrap() <= width.into(),
                "{path} is {wide} wide in {width}"
            );
            if let Some(axe) = &axe {
                assert_eq!(axe.violations(&acting).await.unwrap(), Vec::<String>::new());
            }
        }
        for look in Look::ALL {
            acting.look(look).await.unwrap();
            let picture = folder.path().join(format!("{}.png", look.word()));
            acting.picture(&picture).await.unwrap();
            let shown = image::open(&picture).unwrap().to_luma8();
            let is_dark = shown.get_pixel(1, shown.height() - 2).0[0] < 128;
            assert_eq!(is_dark, look == Look::Dark, "{path}");
        }
    }

    // The server goes; whoever watches is told, and no page complained of its policy meanwhile.
    served.stop.take();
    watching.wait_for("#connection", "Connection lost").await.unwrap();
    for tab in [&watching, &acting] {
        let complaints = tab.complaints();
        let of_policy = complaints
            .iter()
            .filter(|line| line.contains("Content Security Policy") || line.contains("exception"));
        assert_eq!(of_policy.collect::<Vec<_>>(), Vec::<&String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_without_scripts_and_with_tls() {
    let Some(browser) = Browser::start().await.unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let settings = Settings {
        names: vec!["localhost".to_owned()],
        certificate: Some(certificate),
        key: Some(key),
        ..local()
    };
    let served = Served::start(folder.path(), &settings).await;

    let tab = browser.person().await.unwrap();
    tab.scripts(false).await.unwrap();
    let link = served.link(Role::Acts);
    let (address, ticket) = link.split_once('#').unwrap();
    assert!(address.starts_with("https://localhost:"), "{address}");
    tab.open(address).await.unwrap();
    tab.fill("input[name=ticket]", ticket).await.unwrap();
    tab.press("main form button").await.unwrap();
    tab.follow("Raise").await.unwrap();
    tab.fill("textarea[name=reason]", "Without scripts.").await.unwrap();
    tab.press("main form button").await.unwrap();
    assert!(tab.text(".told").await.unwrap().contains("It was raised."));
    assert_eq!(served.count.load(Ordering::Relaxed), 1);
    tab.press("header form button").await.unwrap();
    assert!(tab.text("main").await.unwrap().contains("You are signed out."));
    tab.open(&format!("{}/raise", served.address)).await.unwrap();
    assert!(tab.address().await.unwrap().ends_with("/enter"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_server_gets_nowhere_in_a_real_browser() {
    let Some(browser) = Browser::start().await.unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &local()).await;
    let tab = browser.person().await.unwrap();
    tab.sign_in(&served.link(Role::Acts)).await.unwrap();
    let token = tab
        .evaluate("document.querySelector('[name=form-token]').value")
        .await
        .unwrap();
    let token = token.as_str().unwrap().to_owned();

    // Another server on the same machine, to which the browser sends our cookie too, and which even knows the form's token.
    let evil = free_port().unwrap();
    let page = format!(
        "<form method=post action='{0}/raise'><input name=reason value=x><input name=form-token value='{token}'>\
         <button>win</button></form><iframe src='{0}/'></iframe><img src='{0}/dashboard.css'>",
        served.address
    );
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", evil)).await.unwrap();
    let pages = Router::new().route("/", get(async move || axum::response::Html(page)));
    let serving = tokio::spawn(async move { axum::serve(listener, pages).await });
    tab.open(&format!("http://127.0.0.1:{evil}/")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(
        tab.evaluate("document.querySelector('img').naturalWidth")
            .await
            .unwrap()
            == 0
    );
    let complaints = tab.complaints().join("\n");
    assert!(complaints.contains("frame"), "{complaints}");
    tab.press("button").await.unwrap();
    assert!(tab.text("body").await.unwrap().contains("another server"));
    assert_eq!(served.count.load(Ordering::Relaxed), 0);

    // The dashboard by a name that somebody made point here.
    let rebound = served.address.replace("127.0.0.1", "evil.localhost");
    tab.open(&rebound).await.unwrap();
    assert!(tab.text("body").await.unwrap().contains("none of the dashboard's"));
    serving.abort();
}
