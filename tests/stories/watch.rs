//! A folder that others write to is taken in as it fills; what cannot be read waits and stops nothing.

use snowball_protocol::intake::Disposition;

use crate::archive::{Counts, Ward};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_folder_is_taken_in_as_it_fills_and_once() {
    let mut ward = Ward::open(40, 0.5, "").await;
    let incoming = ward.folder.path().join("incoming");
    std::fs::create_dir(&incoming).unwrap();
    // A pipe without a writer: whoever opens it waits for ever.
    let made = std::process::Command::new("mkfifo")
        .arg(incoming.join("a-pipe"))
        .status();
    assert!(made.unwrap().success());
    let folder = incoming.to_str().unwrap().to_owned();
    let watching = ward.start(&["watch", &folder, "--settle-seconds", "1", "--poll-seconds", "1"]);

    let files: Vec<_> = ward.truth.iter().map(|truth| ward.path(truth)).collect();
    let (first, second) = files.split_at(files.len() / 2);
    let put = |files: &[std::path::PathBuf], from: usize| {
        for (number, file) in files.iter().enumerate() {
            std::fs::copy(file, incoming.join(format!("{}", from + number))).unwrap();
        }
    };
    put(first, 0);
    let mut counts = ward.hear_files(first.len() as u64).await;
    put(second, first.len());
    let later = ward.hear_files(second.len() as u64).await;
    // It decodes without the network and without other programs: the kernel says so of every thread.
    let tasks = std::fs::read_dir(format!("/proc/{}/task", watching.id().unwrap())).unwrap();
    for task in tasks.flatten() {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap();
        assert!(
            !status.contains("Seccomp:") || status.contains("Seccomp:\t2"),
            "{status}"
        );
    }
    watching.end().await.unwrap();
    counts.files += later.files;
    counts.accepted += later.accepted;
    counts.quarantined += later.quarantined;
    counts.rejected += later.rejected;

    let of = |disposition| ward.truth.iter().filter(|one| one.disposition == disposition).count() as u64;
    let expected = Counts {
        files: files.len() as u64,
        accepted: of(Disposition::Accepted),
        quarantined: of(Disposition::Quarantined),
        rejected: of(Disposition::Rejected),
        ..Counts::default()
    };
    assert_eq!(counts, expected);

    let (output, lines) = ward.run(&["watch", &folder, "--once", "--settle-seconds", "0"]).await;
    assert!(output.status.success());
    assert_eq!(Counts::of(&lines).skipped, files.len() as u64, "{lines:?}");
}
