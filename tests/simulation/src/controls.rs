//! SCAFFOLD: what holds of the control variates, whatever is lost on the way.

use snowball_protocol::{Sha256Digest, record::ControlPart};

use crate::{fact::Fact, invariants::Evidence, node::Node, study::numbers_of};

/// What rounding to binary32 may make of numbers of this size in the few rounds of a run.
const TOLERANCE: f64 = 1e-4;

/// The sites' own, each as often as it has examples, add up to that of all sites as often as all have: of the sites that have taken part,
/// each once, with the update of its that counted last, whether or not it has heard so. Else a study comes to rest beside its optimum.
///
/// # Errors
/// What was found.
pub fn is_the_mean_of_the_sites_own(evidence: &Evidence<'_>) -> Result<(), String> {
    for fact in evidence.new {
        let Fact::ModelMade { round } = fact else { continue };
        let record = evidence.store.rounds.get(round);
        let Some((digest, made_of)) = record.and_then(|record| record.control.as_ref()) else {
            continue;
        };
        let bytes = evidence
            .store
            .controls
            .get(round)
            .filter(|bytes| Sha256Digest::of(bytes) == *digest);
        let bytes =
            bytes.ok_or_else(|| format!("the control variate of round {round} is not the one in its record"))?;
        let all = numbers_of(bytes);
        let (mut sum, mut total, mut scale) = (vec![0.0; all.len()], 0.0, 1.0_f64);
        for (site, part) in &made_of.sites {
            let node = evidence.nodes.iter().find(|node| node.site == *site);
            let own = node.and_then(|node| own_of(node, part)).ok_or_else(|| {
                let of = part.round;
                format!("{site} is in the control variate of round {round} with round {of}, of which it holds none of its own")
            })?;
            let weight = part.examples as f64;
            total += weight;
            for (sum, own) in sum.iter_mut().zip(own) {
                *sum += weight * f64::from(*own);
                scale = scale.max(f64::from(own.abs()));
            }
        }
        let differs = |(sum, all): (&f64, &f32)| (sum - total * f64::from(*all)).abs() > TOLERANCE * total * scale;
        if sum.iter().zip(&all).any(differs) {
            let mean: Vec<f64> = sum.iter().map(|sum| sum / total).collect();
            return Err(format!(
                "the control variate of round {round} is {all:.2?}, and the mean of those of {:?} is {mean:.2?}",
                made_of.sites
            ));
        }
    }
    Ok(())
}

/// What a site made of its own with the update of this round.
fn own_of<'a>(node: &'a Node, part: &ControlPart) -> Option<&'a [f32]> {
    let kept = node.disk.pending.iter().chain([&node.disk.settled]);
    let mut kept = kept.filter(|own| own.rounds.last() == Some(&part.round));
    kept.next().map(|own| &own.control[..])
}
