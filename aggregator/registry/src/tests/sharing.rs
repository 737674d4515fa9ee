//! Several connections, several processes, and processes that are killed.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use snowball_rounds::{Event, Phase};

use super::{Home, join_request, plan, site};
use crate::{Change, Registry, RegistryError};

const FILE: &str = "SNOWBALL_TEST_REGISTRY";
const NAME: &str = "SNOWBALL_TEST_NAME";

/// The other process: invites one site after another and says which, once each is durable. Run by the tests below.
#[tokio::test]
#[ignore = "is the other process of the tests beside it"]
async fn another_process() {
    let (Ok(file), Ok(name)) = (std::env::var(FILE), std::env::var(NAME)) else {
        return;
    };
    let registry = Registry::open(Path::new(&file)).await.unwrap();
    for number in 0..100_000 {
        registry
            .invite(&site(&format!("{name}-{number}")), &format!("{name} {number}"), 100, 0)
            .await
            .unwrap();
        println!("\ninvited {number}");
    }
}

fn start(file: &Path, name: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::sharing::another_process", "--ignored", "--nocapture"])
        .env(FILE, file)
        .env(NAME, name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// The numbers that the other process said, from here on; it ends after `enough`, or when there are no more.
fn acknowledged(output: &mut BufReader<ChildStdout>, enough: usize) -> usize {
    let numbers = output
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.starts_with("invited "));
    numbers.take(enough).count()
}

async fn invitations(registry: &Registry, name: &str) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM invitations WHERE site LIKE $1")
        .bind(format!("{name}-%"))
        .fetch_one(&registry.readers)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_a_killed_process_acknowledged_is_there_while_others_write() {
    let home = Home::new().await;
    let file = home.folder.path().join("registry.sqlite");
    let (mut first, mut first_output) = start(&file, "first");
    let (mut second, mut second_output) = start(&file, "second");
    for number in 0..30 {
        home.registry
            .invite(&site(&format!("own-{number}")), &format!("own {number}"), 100, 0)
            .await
            .unwrap();
    }
    let mut counts = [
        acknowledged(&mut first_output, 30),
        acknowledged(&mut second_output, 30),
    ];
    // SIGKILL, in the middle of whatever they do.
    first.kill().unwrap();
    second.kill().unwrap();
    counts[0] += acknowledged(&mut first_output, usize::MAX);
    counts[1] += acknowledged(&mut second_output, usize::MAX);
    first.wait().unwrap();
    second.wait().unwrap();

    let home = home.restarted().await;
    assert_eq!(invitations(&home.registry, "own").await, 30);
    for (name, count) in ["first", "second"].into_iter().zip(counts) {
        assert!(count >= 30);
        let kept = invitations(&home.registry, name).await;
        let count = i64::try_from(count).unwrap();
        assert!(
            kept == count || kept == count + 1,
            "{name}: {count} acknowledged, {kept} kept"
        );
    }
    let check: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&home.registry.readers)
        .await
        .unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn a_change_by_another_connection_is_seen() {
    let home = Home::new().await;
    let other = Registry::open(&home.folder.path().join("registry.sqlite"))
        .await
        .unwrap();
    let counter = home.registry.changed_since(0).await.unwrap().unwrap();
    assert_eq!(home.registry.changed_since(counter).await.unwrap(), None);
    other.invite(&site("north"), "token", 100, 0).await.unwrap();
    let next = home.registry.changed_since(counter).await.unwrap().unwrap();
    assert!(next > counter);
    assert_eq!(other.changed_since(next).await.unwrap(), None);
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_at_once_all_count_by_reading_again_when_stale() {
    let home = Home::new().await;
    let mut plan = plan();
    plan.rounds.sites.max = 8;
    plan.rounds.sites.min = 8;
    home.registry.create_study(&plan, 0).await.unwrap();
    home.send(Event::Started { model: plan.digest() }, 0).await;
    for number in 0..8 {
        home.enrol(&format!("site-{number}"), 0).await;
    }
    let file = home.folder.path().join("registry.sqlite");
    let tasks = (0..8).map(|number| {
        let (file, name, study) = (file.clone(), site(&format!("site-{number}")), plan.study.clone());
        tokio::spawn(async move {
            let registry = Registry::open(&file).await.unwrap();
            loop {
                let read = registry.study(&study).await.unwrap().unwrap();
                let event = Event::Joined { site: name.clone() };
                let addition = read.phase.addition(&event, 1, &read.plan);
                let step = read.phase.handle(event, 1, &read.plan).unwrap();
                let change = addition.as_ref().map_or(Change::Step(&step), Change::Addition);
                match registry
                    .join(&study, read.version, change, &name, &join_request(), 1)
                    .await
                {
                    Err(RegistryError::Stale { .. }) => {}
                    outcome => return outcome.unwrap(),
                }
            }
        })
    });
    let mut versions = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        versions.push(task.await.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(
        versions,
        (3..=10).collect::<Vec<_>>(),
        "each join is a version of its own"
    );
    let study = home.study().await;
    assert!(matches!(&study.phase, Phase::Collecting(phase) if phase.sites.len() == 8));
    assert_eq!(home.registry.rounds(&plan.study).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_no_trace_and_no_lock() {
    let home = Home::new().await;
    let mut transaction = home.registry.begin("be dropped").await.unwrap();
    sqlx::query("DELETE FROM changes")
        .execute(transaction.connection())
        .await
        .unwrap();
    drop(transaction);
    home.registry.invite(&site("north"), "token", 100, 0).await.unwrap();
    assert!(home.registry.changed_since(0).await.unwrap().is_some());
}

#[tokio::test]
async fn the_log_is_synced_in_full_and_foreign_keys_hold() {
    let home = Home::new().await;
    let mut transaction = home.registry.begin("look").await.unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(transaction.connection())
        .await
        .unwrap();
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(transaction.connection())
        .await
        .unwrap();
    let keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys")
        .fetch_one(transaction.connection())
        .await
        .unwrap();
    assert_eq!((synchronous, journal.as_str(), keys), (2, "wal", 1));
    drop(transaction);
    let written = sqlx::query("UPDATE changes SET counter = 0")
        .execute(&home.registry.readers)
        .await;
    assert!(written.is_err(), "readers only read");
}

#[tokio::test]
async fn a_newer_programs_tables_are_left_alone() {
    let home = Home::new().await;
    let mut transaction = home.registry.begin("come from the future").await.unwrap();
    sqlx::query("INSERT INTO migrations (version) VALUES (99)")
        .execute(transaction.connection())
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let opened = Registry::open(&home.folder.path().join("registry.sqlite")).await;
    assert!(matches!(opened, Err(RegistryError::FromTheFuture { found: 99, .. })));
}
