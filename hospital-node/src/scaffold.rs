//! SCAFFOLD at this site: what each step of a round is corrected by, and what becomes of the site's control variate. Pure.
//!
//! The site's own (`c_i`) and that of all sites (`c`) are slopes: the first is the mean slope that the site went down in the last round
//! that counted for it, the second the mean of all sites' own. A step goes down the slope here less `c_i` plus `c`.

use anyhow::{Context, Result, ensure};
use snowball_participation::Start;
use snowball_protocol::{RoundNumber, outcome::RoundOutcome};

/// What is added to the slope of each step of a round.
#[derive(Debug)]
pub struct Correction {
    /// `c - c_i`, in the layout's order.
    pub values: Vec<f32>,
    /// The round whose update the site's own control variate is of; none where it begins at zero.
    pub from: Option<RoundNumber>,
}

impl Correction {
    /// Out of the control variate of all sites, as it came, and the site's own. Where there is none it is zero.
    ///
    /// # Errors
    /// When it does not have as many numbers as the network, or they are not finite.
    pub fn of(all: Option<&[u8]>, own: Option<(RoundNumber, &[f32])>, parameters: usize) -> Result<Self> {
        let mut values = match all {
            Some(bytes) => {
                snowball_layout::from_le_bytes(bytes).context("the control variate is no list of numbers")?
            }
            None => vec![0.0; parameters],
        };
        let is_whole = values.len() == parameters && values.iter().all(|value| value.is_finite());
        ensure!(is_whole, "the control variate of all sites is none of this network");
        let from = own.map(|(round, own)| {
            values.iter_mut().zip(own).for_each(|(value, own)| *value -= own);
            round
        });
        Ok(Self { values, from })
    }

    /// The site's control variate after a round that changed its parameters by `delta`: the mean slope that it went down, each step with
    /// its rate as weight (option II of the paper, `c_i - c - delta / rate_sum`).
    #[must_use]
    pub fn next_own(self, delta: &[f32], rate_sum: f64) -> Vec<f32> {
        let mut own = self.values;
        for (value, moved) in own.iter_mut().zip(delta) {
            *value = (-f64::from(*value) - f64::from(*moved) / rate_sum) as f32;
        }
        own
    }
}

/// Whether a round starts from what the aggregator signed about the round before: its model, and the control variate that it left. So
/// nobody is handed another one than the other sites without a signature that gives it away. `before` is none in the first round.
///
/// # Errors
/// When it does not; then nothing is trained.
pub fn is_as_signed(start: &Start, before: Option<&RoundOutcome>) -> Result<()> {
    let Some(before) = before else {
        ensure!(
            start.control.is_none(),
            "the aggregator names a control variate before there was a round; tell the coordinator"
        );
        return Ok(());
    };
    ensure!(
        before.model_out == start.model.digest,
        "the aggregator asks to train from another model than it signed as that of round {}; keep the ledger and tell the coordinator",
        before.round
    );
    ensure!(
        before.control == start.control,
        "the aggregator hands out another control variate than it signed with round {}; keep the ledger and tell the coordinator. If \
         the aggregator is older than this node, it signs none: it is to be upgraded first",
        before.round
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{
        Sha256Digest,
        session::{ControlReference, ModelReference},
    };

    use super::*;

    #[test]
    fn only_the_control_variate_that_was_signed_with_the_round_before_is_trained_with() {
        let digest = |text: &str| Sha256Digest::of(text.as_bytes());
        let control = |text: &str, since| ControlReference {
            digest: digest(text),
            since: RoundNumber(since),
        };
        let start = |model: &str, control| Start {
            model: ModelReference {
                round: RoundNumber(3),
                digest: digest(model),
                bytes: 4,
                layout_digest: digest("layout"),
            },
            control,
        };
        let before = |control| RoundOutcome {
            study: "knees".parse().unwrap(),
            round: RoundNumber(3),
            plan_digest: digest("plan"),
            model_in: digest("model 2"),
            model_out: digest("model 3"),
            control,
            contributions: 2,
            closed: 1,
        };
        let signed = Some(control("c", 1));
        assert!(is_as_signed(&start("model 3", signed), Some(&before(signed))).is_ok());
        assert!(is_as_signed(&start("model 3", None), Some(&before(None))).is_ok());
        assert!(is_as_signed(&start("model 0", None), None).is_ok());
        for (named, before) in [
            (start("model 3", Some(control("another", 1))), Some(before(signed))),
            (start("model 3", Some(control("c", 2))), Some(before(signed))),
            (start("model 3", None), Some(before(signed))),
            (start("model 3", signed), Some(before(None))),
            (start("another", signed), Some(before(signed))),
            (start("model 0", signed), None),
        ] {
            assert!(is_as_signed(&named, before.as_ref()).is_err(), "{named:?}");
        }
    }

    #[test]
    fn a_site_s_control_variate_is_the_mean_slope_that_it_went_down() {
        // Two steps with the rates 0.1 and 0.3 down the slopes 2 and 4, corrected by c - c_i = 5 - 1.
        let all = snowball_layout::to_le_bytes(&[5.0]);
        let correction = Correction::of(Some(&all), Some((RoundNumber(3), &[1.0][..])), 1).unwrap();
        assert_eq!((correction.values[0], correction.from), (4.0, Some(RoundNumber(3))));
        let way = -(0.1 * (2.0 + 4.0) + 0.3 * (4.0 + 4.0));
        let own = correction.next_own(&[way], 0.4);
        let mean = (0.1 * 2.0 + 0.3 * 4.0) / 0.4;
        assert!((f64::from(own[0]) - mean).abs() < 1e-6, "{own:?} {mean}");
    }

    #[test]
    fn who_begins_is_corrected_by_what_the_others_found() {
        let all = snowball_layout::to_le_bytes(&[5.0, -1.0]);
        let joining = Correction::of(Some(&all), None, 2).unwrap();
        assert_eq!((joining.values, joining.from), (vec![5.0, -1.0], None));
        let first = Correction::of(None, None, 2).unwrap();
        assert_eq!((&first.values[..], first.from), (&[0.0, 0.0][..], None));
        assert_eq!(first.next_own(&[-1.0, 2.0], 0.5), [2.0, -4.0]);
    }

    #[test]
    fn what_is_no_control_variate_of_this_network_is_not_used() {
        for wrong in [&[1.0][..], &[1.0, f32::NAN], &[1.0, 2.0, 3.0]] {
            assert!(Correction::of(Some(&snowball_layout::to_le_bytes(wrong)), None, 2).is_err());
        }
        assert!(Correction::of(Some(&[0; 7]), None, 2).is_err());
    }
}
