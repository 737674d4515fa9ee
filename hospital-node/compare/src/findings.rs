//! In words: what the data show, and what they do not.

use serde::Serialize;

use crate::{
    document::{Claim, Comparison},
    measure::Measure,
    replicates::{Interval, Reach, Replicates},
    runs::Judged,
};

/// What became of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Wherever it was claimed the gain lies above the margin.
    Holds,
    /// Somewhere the gain lies below the margin.
    Fails,
    /// Neither: more patients, labels or seeds may tell.
    Open,
}

/// A claim that was made beforehand and what became of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Judgement {
    /// The claim, in words.
    pub claim: String,
    /// What became of it.
    pub verdict: Verdict,
    /// With each number of labels the gain.
    pub gains: Vec<(u64, Interval)>,
}

/// A difference that nobody claimed beforehand: a look and no test, so nothing holds or fails.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Look {
    /// Which figure less which.
    pub difference: String,
    /// With each number of labels what it is; above zero where the arm that is named as better is better.
    pub gains: Vec<(u64, Interval)>,
}

/// What became of every claim that was made beforehand, in the order of the document.
#[must_use]
pub fn judge(comparison: &Comparison, replicates: &Replicates) -> Vec<Judgement> {
    let claims = comparison.claims.iter().filter(|claim| !claim.exploratory);
    claims
        .filter_map(|claim| {
            let gains = gains(comparison, replicates, claim)?;
            let all = |holds: fn(&Interval, f64) -> bool| gains.iter().all(|(_, gain)| holds(gain, claim.margin));
            let verdict = if all(|gain, margin| gain.low > margin) {
                Verdict::Holds
            } else if gains.iter().any(|(_, gain)| gain.high < claim.margin) {
                Verdict::Fails
            } else {
                Verdict::Open
            };
            let labels: Vec<String> = claim.labels.iter().map(u64::to_string).collect();
            let what = if claim.margin < 0.0 {
                format!(
                    "{} is at most {} worse than {}",
                    claim.better,
                    told(replicates.measure(), -claim.margin),
                    claim.than
                )
            } else if claim.margin > 0.0 {
                format!(
                    "{} is better than {} by more than {}",
                    claim.better,
                    claim.than,
                    told(replicates.measure(), claim.margin)
                )
            } else {
                format!("{} is better than {}", claim.better, claim.than)
            };
            Some(Judgement {
                claim: format!("with {} labels {what}", labels.join(" and ")),
                verdict,
                gains,
            })
        })
        .collect()
}

/// What nobody claimed beforehand and the document asks to look at, in its order.
#[must_use]
pub fn looks(comparison: &Comparison, replicates: &Replicates) -> Vec<Look> {
    let asked = comparison.claims.iter().filter(|claim| claim.exploratory);
    asked
        .filter_map(|asked| {
            // A gain is above zero where an arm is better: of errors the smaller is taken from the larger.
            let (one, other) = if replicates.measure().rises() {
                (&asked.better, &asked.than)
            } else {
                (&asked.than, &asked.better)
            };
            Some(Look {
                difference: format!("{one} less {other}"),
                gains: gains(comparison, replicates, asked)?,
            })
        })
        .collect()
}

/// With each number of labels that the claim names, what its first arm gains over the other.
fn gains(comparison: &Comparison, replicates: &Replicates, claim: &Claim) -> Option<Vec<(u64, Interval)>> {
    let (better, than) = (comparison.arm(&claim.better)?, comparison.arm(&claim.than)?);
    let places = replicates.labels().iter().enumerate();
    let named = places.filter(|(_, labels)| claim.labels.contains(labels));
    Some(
        named
            .map(|(place, labels)| (*labels, replicates.gain(better, than, place)))
            .collect(),
    )
}

/// For a terminal, a line each: the claims with their verdicts, then what nobody claimed with its gains alone.
#[must_use]
pub fn lines(comparison: &Comparison, replicates: &Replicates) -> Vec<String> {
    let judged = judge(comparison, replicates);
    let claimed = judged
        .iter()
        .map(|judgement| format!("Claimed: {}: {:?}.", judgement.claim, judgement.verdict));
    let looks = looks(comparison, replicates);
    let looked = looks.iter().map(|look| {
        let gains: Vec<String> = look
            .gains
            .iter()
            .map(|gain| told_gain(replicates.measure(), gain))
            .collect();
        format!("Not claimed, looked at: {}: {}.", look.difference, gains.join(", "))
    });
    claimed.chain(looked).collect()
}

/// Sentences: each arm beside the first, the controls, and what nobody should read out of it.
#[must_use]
pub fn sentences(comparison: &Comparison, judged: &Judged, replicates: &Replicates) -> Vec<String> {
    let measure = replicates.measure();
    let first = &comparison.arms[0].name;
    let mut said = Vec::new();
    for (arm, of) in comparison.arms.iter().enumerate() {
        if of.shuffled {
            said.extend(control(comparison, judged, replicates, arm));
            continue;
        }
        if arm == 0 {
            continue;
        }
        let name = &of.name;
        for (place, labels) in replicates.labels().iter().enumerate() {
            let gain = replicates.gain(arm, 0, place);
            let between = format!(
                "95 % interval {} to {}{}",
                signed(measure, gain.low),
                signed(measure, gain.high),
                unclaimed(comparison, name, *labels)
            );
            said.push(if gain.low > 0.0 {
                format!(
                    "With {labels} labels {name} does better than {first}: {} ({between}).",
                    signed(measure, gain.value)
                )
            } else if gain.high < 0.0 {
                format!(
                    "With {labels} labels {name} does worse than {first}: {} ({between}).",
                    signed(measure, gain.value)
                )
            } else {
                format!(
                    "With {labels} labels the data do not tell {name} from {first}: {} ({between}).",
                    signed(measure, gain.value)
                )
            });
        }
        said.push(reached(comparison, replicates, arm));
    }
    said
}

/// Says so where others were claimed beforehand and the difference of this arm from the first, with so many labels, was not.
fn unclaimed(comparison: &Comparison, name: &str, labels: u64) -> &'static str {
    let first = comparison.arms[0].name.as_str();
    let claims: Vec<&Claim> = comparison.claims.iter().filter(|claim| !claim.exploratory).collect();
    let is_claimed = claims.iter().any(|claim| {
        let arms = [claim.better.as_str(), claim.than.as_str()];
        arms.contains(&first) && arms.contains(&name) && claim.labels.contains(&labels)
    });
    if is_claimed || claims.is_empty() {
        ""
    } else {
        "; not claimed beforehand"
    }
}

/// Whether a control learned what it cannot have learned.
fn control(comparison: &Comparison, judged: &Judged, replicates: &Replicates, arm: usize) -> Vec<String> {
    let (measure, name) = (replicates.measure(), &comparison.arms[arm].name);
    let Some(chance) = measure.chance(&judged.truths) else {
        return vec![format!(
            "{name} learned from exchanged labels; whatever it reaches is what can be had without looking at the right label."
        )];
    };
    let places = replicates.labels().iter().enumerate();
    places
        .map(|(place, labels)| {
            let figure = replicates.figure(arm, place);
            let reached = format!(
                "{} ({} to {})",
                told(measure, figure.value),
                told(measure, figure.low),
                told(measure, figure.high)
            );
            if figure.low > chance {
                format!(
                    "With {labels} labels {name}, which learned from exchanged labels, does better than chance: {reached}. \
                     Something tells the answer that is not the label: look for it before believing any other figure here."
                )
            } else {
                format!(
                    "With {labels} labels {name}, which learned from exchanged labels, reaches {reached}; chance is {}. As it should be.",
                    told(measure, chance)
                )
            }
        })
        .collect()
}

fn reached(comparison: &Comparison, replicates: &Replicates, arm: usize) -> String {
    let (name, first) = (&comparison.arms[arm].name, &comparison.arms[0].name);
    let labels = replicates.labels();
    let (least, most) = (labels[0], labels[labels.len() - 1]);
    let (told, few, many) = replicates.reach(arm, 0);
    let count = |reach: Reach| match reach {
        Reach::AtOnce => format!("{least} or fewer"),
        Reach::With(count) => format!("{count:.0}"),
        Reach::Never => format!("more than {most}"),
    };
    format!(
        "{name} needs {} labels to do as well as {first} with {most} (95 % interval {} to {}).",
        count(told),
        count(few),
        count(many)
    )
}

/// What nobody should read out of it.
#[must_use]
pub fn limits(comparison: &Comparison, judged: &Judged, replicates: &Replicates) -> Vec<String> {
    let pairs = (comparison.arms.len() - 1) * replicates.labels().len();
    let mut said = vec![
        format!(
            "{} patients with {} radiographs were set apart before anything was trained; the same for every arm.",
            judged.people(),
            judged.radiographs()
        ),
        format!(
            "Intervals are the middle 95 % of {} draws of patients and of {} seeds, every arm on the same draws. With so few seeds the luck \
             of a training is known roughly only.",
            comparison.draws, comparison.seeds
        ),
        "It is one site's radiographs. A network that is better here may not be better elsewhere.".to_owned(),
    ];
    if pairs > 1 {
        said.push(format!(
            "{pairs} differences are told and none is corrected for that: of twenty true zeros one looks like a difference."
        ));
    }
    let looks = comparison.claims.iter().filter(|claim| claim.exploratory);
    let looks: Vec<String> = looks
        .map(|look| format!("{} beside {}", look.better, look.than))
        .collect();
    if looks.len() == comparison.claims.len() {
        said.push("Nothing was claimed beforehand, so nothing here is a test; it is a look.".to_owned());
    } else if !looks.is_empty() {
        said.push(format!(
            "Not claimed beforehand, and so a look and no test: {}.",
            looks.join("; ")
        ));
    }
    said
}

/// A figure of this measure, as people write it.
#[must_use]
pub fn told(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Auroc => format!("{value:.3}"),
        Measure::BalancedAccuracy => format!("{:.1} %", value * 100.0),
        Measure::MeanAbsoluteError => format!("{value:.2}"),
    }
}

/// A gain with so many labels and its interval.
#[must_use]
pub fn told_gain(measure: Measure, (labels, gain): &(u64, Interval)) -> String {
    format!(
        "{labels} labels: {} ({} to {})",
        signed(measure, gain.value),
        signed(measure, gain.low),
        signed(measure, gain.high)
    )
}

/// A gain, with its sign.
#[must_use]
pub fn signed(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Auroc => format!("{value:+.3}"),
        Measure::BalancedAccuracy => format!("{:+.1} points", value * 100.0),
        Measure::MeanAbsoluteError => format!("{value:+.2}"),
    }
}
