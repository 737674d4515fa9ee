//! Site i contributes the one-hot vector i with weight 1. A 2 in the sum is a double count, a 0 a lost update. Answers get
//! lost, updates are replayed, and the sum stays one-hot.

use snowball_egress::EgressError;
use snowball_layout::Layout;
use snowball_protocol::{ProblemCode, Sha256Digest};

use crate::{peer::Peer, stage::Stage};

const SITES: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_site_counts_once_whatever_is_lost_or_replayed() {
    let stage = Stage::set(SITES as u32, 1, 8).await;
    let layout = Layout::of(&stage.plan);
    let mut peers = Vec::new();
    for (position, site) in stage.consortium.sites.iter().enumerate() {
        stage.consortium.make_node(site, 1).await.unwrap();
        stage.consortium.enrol(site, &stage.hear).await.unwrap();
        peers.push(Peer::of(site, stage.port, position));
    }
    stage.start_study().await;
    peers[0].until_open(&stage.plan).await;
    for peer in &mut peers {
        peer.join(&stage.plan).await;
        peer.show_head().await;
    }
    let model = peers[0].model(&stage.plan, 1).await;
    let before = peers[0].download(&stage.plan, 0).await;
    let one_hot = |place: usize| -> Vec<f32> {
        (0..layout.parameters())
            .map(|at| f32::from(u8::from(at == place)))
            .collect()
    };

    for peer in &peers {
        let (header, bytes) = Peer::update(&stage.plan, &model, 1, &one_hot(peer.position));
        let mut state = peer.announce(&header).await.unwrap();
        // Every second answer is "lost": the same chunk goes again, the announcement tells where the upload stands.
        let mut is_lost = false;
        let receipt = loop {
            if let Some(receipt) = state.receipt {
                break receipt;
            }
            let answer = peer.chunk(&state, &bytes).await.unwrap();
            is_lost = !is_lost;
            state = if is_lost {
                peer.announce(&header).await.unwrap()
            } else {
                answer
            };
        };
        assert_eq!(receipt.receipt.update_digest, header.digest);
        let again = peer.announce(&header).await.unwrap();
        assert_eq!(again.receipt, Some(receipt), "a replay gets the same receipt");
        let (mut other, _) = Peer::update(&stage.plan, &model, 2, &one_hot(peer.position));
        other.digest = Sha256Digest::of(b"another update of the same site");
        let refused = peer.announce(&other).await;
        let codes = [
            ProblemCode::AlreadyContributed,
            ProblemCode::RoundClosed,
            ProblemCode::StudyClosed,
        ];
        assert!(
            matches!(&refused, Err(EgressError::Refused(problem)) if codes.contains(&problem.code)),
            "{refused:?}"
        );
    }

    stage
        .wait("the round's end", |status| {
            status["rounds"].as_array().is_some_and(|rounds| rounds.len() == 1)
        })
        .await;
    let after = peers[0].download(&stage.plan, 1).await;
    for position in 0..layout.parameters() {
        let change = (after[position] - before[position]) * SITES as f32;
        let expected = if position < SITES { 1.0 } else { 0.0 };
        assert!(
            (change - expected).abs() < 1e-5,
            "parameter {position} changed by {change}, not {expected}"
        );
    }
}
