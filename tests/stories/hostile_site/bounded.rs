//! An update that is sound in form and meant to harm is not refused: the plan's rules bound what it can do.

use snowball_layout::Layout;
use snowball_protocol::{
    StudyPlan,
    limits::EXAMPLES_MAX,
    plan::{Combination, Span},
};

use super::{Scene, honest, newest, steadily};
use crate::peer::Peer;

/// Norm that the plan lets an update count with.
const CLIP_NORM: f64 = 0.05;
const EXAMPLES: u64 = 4;

fn with_everyone(plan: &mut StudyPlan) {
    plan.rounds.updates = Span { min: 3, max: 3 };
    plan.strategy.examples_max = EXAMPLES;
}

/// One round in which all three contribute, the hostile one against the others with all the weight that it can claim. Gives the
/// way of each parameter.
async fn one_round(scene: &Scene) -> Vec<f64> {
    let (plan, before) = (&scene.plan, scene.north.download(&scene.plan, 0).await);
    for peer in [&scene.north, &scene.south, &scene.wrong] {
        let model = peer.model(plan, 1).await;
        let mut delta = honest(plan, peer.position % 2, 1);
        let is_wrong = peer.position == scene.wrong.position;
        if is_wrong {
            delta.iter_mut().for_each(|value| *value *= -40.0);
        }
        let (mut header, bytes) = Peer::update(plan, &model, 1, &delta);
        header.examples = if is_wrong { EXAMPLES_MAX } else { EXAMPLES };
        let receipt = steadily(async || peer.send(&header, &bytes).await).await;
        assert_eq!(
            receipt.receipt.examples, EXAMPLES,
            "no site counts with more than the plan lets it"
        );
    }
    newest(&scene.north, plan, 1).await;
    let after = scene.north.download(plan, 1).await;
    after
        .iter()
        .zip(&before)
        .map(|(after, before)| f64::from(*after) - f64::from(*before))
        .collect()
}

fn norm(way: impl Iterator<Item = f64>) -> f64 {
    way.map(|value| value * value).sum::<f64>().sqrt()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reversed_update_moves_the_model_no_further_than_the_plans_bound() {
    let scene = Scene::set(1, 128, |plan| {
        with_everyone(plan);
        plan.strategy.clip_norm = Some(CLIP_NORM);
    })
    .await;
    let way = one_round(&scene).await;
    let parameters = Layout::of(&scene.plan).parameters();
    let shortened = |position: usize| -> Vec<f64> {
        let delta = honest(&scene.plan, position, 1);
        let by = (CLIP_NORM / norm(delta.iter().map(|value| f64::from(*value)))).min(1.0);
        delta.iter().map(|value| f64::from(*value) * by).collect()
    };
    let (north, south) = (shortened(0), shortened(1));
    let harm = norm((0..parameters).map(|place| way[place] - (north[place] + south[place]) / 3.0));
    eprintln!(
        "the hostile update moved the model by {harm:.5}; the plan's bound is {:.5}",
        CLIP_NORM / 3.0
    );
    assert!(harm <= CLIP_NORM / 3.0 + 1e-6, "{harm}");
    assert!(harm > CLIP_NORM / 6.0, "it counted: {harm}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reversed_update_leaves_the_median_among_the_honest_values() {
    let scene = Scene::set(1, 128, |plan| {
        with_everyone(plan);
        plan.strategy.combine = Combination::Median;
    })
    .await;
    let way = one_round(&scene).await;
    let (north, south) = (honest(&scene.plan, 0, 1), honest(&scene.plan, 1, 1));
    for (place, way) in way.iter().enumerate() {
        let (low, high) = (north[place].min(south[place]), north[place].max(south[place]));
        let (low, high) = (f64::from(low) - 1e-6, f64::from(high) + 1e-6);
        assert!(
            (low..=high).contains(way),
            "parameter {place}: {way} is not from {low} to {high}"
        );
    }
}
