//! What the hostile site sends where an update is due: each is refused with code, reason and remedy, and no bit of the model
//! changes.

use snowball_egress::{EgressError, client::Body};
use snowball_layout::Layout;
use snowball_protocol::{
    Problem, ProblemCode, RoundNumber, Sha256Digest, StudyPlan,
    ids::UploadId,
    limits::EXAMPLES_MAX,
    session::ModelReference,
    update::{UpdateHeader, UploadState},
};

use super::{Scene, is_sound};
use crate::peer::Peer;

/// The hostile site's tries of one round, numbered as a node would.
struct Tries<'a> {
    scene: &'a Scene,
    model: ModelReference,
    count: u32,
}

impl Tries<'_> {
    fn plan(&self) -> &StudyPlan {
        &self.scene.plan
    }

    fn parameters(&self) -> usize {
        Layout::of(self.plan()).parameters()
    }

    fn next(&mut self, delta: &[f32]) -> (UpdateHeader, Vec<u8>) {
        self.count += 1;
        Peer::update(self.plan(), &self.model, self.count, delta)
    }

    /// An update of small numbers with one that is not.
    async fn refused_value(&mut self, value: f32, code: ProblemCode) {
        let mut delta = vec![1e-4; self.parameters()];
        delta[self.parameters() / 2] = value;
        let (header, bytes) = self.next(&delta);
        expect(
            self.scene.wrong.send(&header, &bytes).await,
            code,
            &format!("the value {value}"),
        );
    }

    /// An announcement of a sound update but for one thing.
    async fn refused_header(&mut self, what: &str, code: ProblemCode, change: impl FnOnce(&mut UpdateHeader)) {
        let (mut header, bytes) = self.next(&vec![1e-4; self.parameters()]);
        change(&mut header);
        expect(self.scene.wrong.send(&header, &bytes).await, code, what);
    }

    /// Raw bytes to an upload.
    async fn patched(&self, upload: &UploadId, offset: usize, bytes: &[u8]) -> Result<UploadState, EgressError> {
        let path = format!("v1/uploads/{}?offset={offset}", upload.0);
        self.scene.wrong.transport.patch(&path, bytes.to_vec()).await
    }
}

fn expect<T: std::fmt::Debug>(answer: Result<T, EgressError>, code: ProblemCode, what: &str) -> Problem {
    match answer {
        Err(EgressError::Refused(problem)) if problem.code == code && is_sound(&problem) => {
            eprintln!("{what}: {problem}");
            problem
        }
        other => panic!("{what}: not refused as {code:?}, but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_update_of_a_hostile_site_changes_a_bit_and_each_refusal_says_what_to_do() {
    let scene = Scene::set(4, 128, |_| ()).await;
    let (before, _) = scene.memory();
    let mut earlier = None;
    for round in 1..=4 {
        let model = scene.wrong.model(&scene.plan, round).await;
        let mut tries = Tries {
            scene: &scene,
            model,
            count: 1,
        };
        match round {
            1 => numbers(&mut tries).await,
            2 => announcements(&mut tries).await,
            3 => bytes(&mut tries).await,
            _ => replays(&mut tries, earlier.as_ref().unwrap()).await,
        }
        earlier.get_or_insert_with(|| Peer::update(&scene.plan, &tries.model, 1, &vec![1e-4; tries.parameters()]));
        scene.honest_round(round).await;
        let (with, without) = scene.models(round).await;
        assert_eq!(
            with, without,
            "the model of round {round} with the hostile site, and without it"
        );
    }
    let refusals = scene.refusals().await;
    for code in [
        ProblemCode::NotFinite,
        ProblemCode::NormExceeded,
        ProblemCode::LayoutMismatch,
        ProblemCode::DigestMismatch,
        ProblemCode::ExamplesOutOfRange,
        ProblemCode::PlanMismatch,
    ] {
        assert!(
            refusals.contains(&code),
            "{code:?} stands in no round's record: {refusals:?}"
        );
    }
    let files = std::fs::read_dir(scene.stage.consortium.aggregator_home().join("objects/updates"))
        .into_iter()
        .flatten();
    eprintln!("folders of updates that are left: {}", files.count());
    scene.expect_bounded(before, "updates of a hostile site");
}

async fn numbers(tries: &mut Tries<'_>) {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        tries.refused_value(value, ProblemCode::NotFinite).await;
    }
    for value in [1e6, -1e30, f32::MAX] {
        tries.refused_value(value, ProblemCode::NormExceeded).await;
    }
    // The refused ones took their room on disk only as long as they were looked at.
    let held = bytes_below(&tries.scene.stage.consortium.aggregator_home().join("objects/updates"));
    assert_eq!(held, 0, "bytes of refused updates are kept");
}

async fn announcements(tries: &mut Tries<'_>) {
    use ProblemCode::{DigestMismatch, ExamplesOutOfRange, LayoutMismatch, Malformed, PlanMismatch, RoundClosed};
    let round = tries.model.round.0 + 1;
    let other = Sha256Digest::of(b"another");
    tries
        .refused_header("another layout", LayoutMismatch, |header| header.layout_digest = other)
        .await;
    tries
        .refused_header("four bytes more", LayoutMismatch, |header| header.bytes += 4)
        .await;
    tries
        .refused_header("no bytes", LayoutMismatch, |header| header.bytes = 0)
        .await;
    tries
        .refused_header("the size of a disk", LayoutMismatch, |header| header.bytes = 1 << 50)
        .await;
    tries
        .refused_header("another plan", PlanMismatch, |header| header.plan_digest = other)
        .await;
    tries
        .refused_header("another model", DigestMismatch, |header| header.model_in = other)
        .await;
    tries
        .refused_header("no example", ExamplesOutOfRange, |header| header.examples = 0)
        .await;
    let most = EXAMPLES_MAX + 1;
    tries
        .refused_header("more examples than radiographs", ExamplesOutOfRange, |header| {
            header.examples = most
        })
        .await;
    tries
        .refused_header("more steps", PlanMismatch, |header| header.local_steps += 1)
        .await;
    for wrong in [round - 1, round + 1] {
        tries
            .refused_header("another round", RoundClosed, |header| header.round = RoundNumber(wrong))
            .await;
    }
    // The address says one thing, the announcement another.
    let (header, _) = tries.next(&vec![1e-4; tries.parameters()]);
    let wrong = &tries.scene.wrong.transport;
    for path in ["v1/studies/story/rounds/77/updates", "v1/studies/calm/rounds/2/updates"] {
        let answer: Result<UploadState, _> = wrong.post(path, &Body::of(&header)).await;
        expect(answer, Malformed, path);
    }
    let mut document = serde_json::to_value(&header).unwrap();
    document["site"] = tries.scene.stage.consortium.sites[0].name.as_str().into();
    let answer: Result<UploadState, _> = wrong
        .post("v1/studies/story/rounds/2/updates", &Body::of(&document))
        .await;
    expect(answer, Malformed, "another site's name");
    let (header, _) = Peer::update(&tries.scene.calm, &tries.model, 1, &vec![1e-4; tries.parameters()]);
    expect(
        tries.scene.wrong.announce(&header).await,
        ProblemCode::NotJoined,
        "a study of others",
    );
    let answer: Result<UploadState, _> = wrong.post("v1/studies/none/rounds/2/updates", &Body::of(&header)).await;
    expect(answer, ProblemCode::NotFound, "a study that there is not");
}

async fn bytes(tries: &mut Tries<'_>) {
    let (mut header, bytes) = tries.next(&vec![1e-4; tries.parameters()]);
    header.digest = Sha256Digest::of(b"other bytes");
    expect(
        tries.scene.wrong.send(&header, &bytes).await,
        ProblemCode::DigestMismatch,
        "another digest",
    );
    let (header, bytes) = tries.next(&vec![1e-4; tries.parameters()]);
    let state = tries.scene.wrong.announce(&header).await.unwrap();
    // A piece that is cut off is no fault by itself: the upload goes on there, and nowhere else.
    let state = tries.patched(&state.upload, 0, &bytes[..1001]).await.unwrap();
    assert_eq!((state.offset, &state.receipt), (1001, &None));
    for offset in [0, 1000, 1002, usize::MAX >> 1] {
        let answer = tries.patched(&state.upload, offset, &bytes[..100]).await;
        expect(answer, ProblemCode::OffsetMismatch, "a gap or an overlap");
    }
    let longer = [&bytes[1001..], &[0; 100_000]].concat();
    let answer = tries.patched(&state.upload, 1001, &longer).await;
    expect(answer, ProblemCode::TooLarge, "more bytes than announced");
    let again = tries.scene.wrong.announce(&header).await.unwrap();
    assert!(again.receipt.is_none() && again.offset <= header.bytes, "{again:?}");
}

/// `earlier` is what it announced in the first round, in which it was refused.
async fn replays(tries: &mut Tries<'_>, earlier: &(UpdateHeader, Vec<u8>)) {
    let (header, bytes) = earlier;
    let wrong = &tries.scene.wrong;
    expect(
        wrong.send(header, bytes).await,
        ProblemCode::RoundClosed,
        "its own earlier update",
    );
    let mut moved = header.clone();
    moved.round = RoundNumber(tries.model.round.0 + 1);
    expect(
        wrong.send(&moved, bytes).await,
        ProblemCode::DigestMismatch,
        "its earlier update as one of this round",
    );
    // An upload of another site that is under way.
    let north = &tries.scene.north;
    let (header, bytes) = Peer::update(
        tries.plan(),
        &tries.model,
        1,
        &super::honest(tries.plan(), 0, header.round.0 + 3),
    );
    let state = north.announce(&header).await.unwrap();
    for offset in [0, bytes.len()] {
        let answer = tries.patched(&state.upload, offset, &bytes).await;
        expect(answer, ProblemCode::NotFound, "another site's upload");
    }
    let answer = tries.patched(&UploadId("0".repeat(64)), 0, &bytes).await;
    expect(answer, ProblemCode::NotFound, "an upload that there is not");
    let untouched = north.announce(&header).await.unwrap();
    assert_eq!(untouched.offset, 0, "the other site's upload stands where it stood");
}

fn bytes_below(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_below(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}
