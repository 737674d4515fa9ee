//! What is learned from which label: the loss of every head and its slope at every output, in plain f64.
//!
//! A head's outputs are a few numbers a picture, so the loss is computed on the host and only its slopes go back through the
//! network. Missing labels count nothing.
//!
//! To each output of a class head the logarithm of its class's share at the site is added for the loss (and left out
//! afterwards), so that the network learns what a class looks like and not how common it is there; sites with very different
//! shares then pull in the same direction (logit adjustment, Menon et al. 2021; between sites, Zhang et al. 2022).
//!
//! A class that the site lacks stands in the softmax as if it were as rare as the rarest that it has, and its row of the head
//! is frozen there (see `optimiser`): so a site without hands does not unlearn hands, and still its knees learn not to look
//! like the hands that others know. Leaving absent classes out altogether (restricted softmax, as in FedRS, Li and Zhan 2021,
//! with alpha 0) never teaches one site's pictures to differ from another's classes: on phantoms of four hospitals with
//! different parts the averaged network then grew worse on validation patients while every site's own loss fell.

use snowball_protocol::{StudyPlan, plan::HeadKind};

use crate::examples::{Known, Target};

/// From this error on, in units of the label, a regression's loss grows linearly: half a decade of age under the usual unit.
pub const LINEAR_FROM: f64 = 0.05;

/// The losses of all heads of a plan at one site.
pub struct Losses {
    heads: Vec<HeadLoss>,
}

struct HeadLoss {
    weight: f64,
    /// Which outputs are learned from; all of a regression's.
    present: Vec<bool>,
    /// Added to each output: the logarithm of its class's share, of the smallest share where absent.
    shifts: Vec<f64>,
}

/// What a head should say of a picture through which another may shine.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Wanted {
    /// Of the picture itself, which is at least half of what is seen.
    pub own: Option<Target>,
    /// Of the other, and its share of what is seen. Where either label is unknown, the head learns of the picture itself alone.
    pub other: Option<(Target, f32)>,
}

impl From<Option<Target>> for Wanted {
    fn from(own: Option<Target>) -> Self {
        Self { own, other: None }
    }
}

/// The loss of some pictures under one head.
pub struct Slopes {
    /// The weighted loss, already divided by the number of labelled pictures of the whole batch.
    pub loss: f64,
    /// Its derivative by each output, picture by picture.
    pub slopes: Vec<f32>,
}

impl Losses {
    /// The losses of `plan` where the training part holds `known`.
    pub fn new(plan: &StudyPlan, known: &[Known]) -> Self {
        let heads = plan.heads.iter().zip(known);
        Self {
            heads: heads.map(|(head, known)| HeadLoss::new(head.weight, known)).collect(),
        }
    }

    /// For each head, which of its outputs the site can learn.
    pub fn present(&self) -> impl Iterator<Item = &[bool]> {
        self.heads.iter().map(|head| head.present.as_slice())
    }

    /// Loss and slopes of the head at `place` for outputs `[wanted.len(), outputs]`, where `labelled` pictures of the whole
    /// batch have its label.
    pub fn of(&self, place: usize, outputs: &[f32], wanted: &[Wanted], labelled: usize) -> Slopes {
        let head = &self.heads[place];
        let mut slopes = vec![0.0; outputs.len()];
        let mut loss = 0.0;
        let share = head.weight / labelled.max(1) as f64;
        let rows = outputs
            .chunks(head.present.len())
            .zip(slopes.chunks_mut(head.present.len()));
        for ((outputs, slopes), wanted) in rows.zip(wanted) {
            loss += share
                * match (wanted.own, head.other(wanted)) {
                    (Some(Target::Class(class)), other) if head.present[class] => {
                        let other = other.and_then(|(target, part)| match target {
                            Target::Class(class) => Some((class, f64::from(part))),
                            Target::Number(_) | Target::Mask => None,
                        });
                        cross_entropy(outputs, &head.shifts, class, other, share, slopes)
                    }
                    (Some(Target::Number(own)), Some((Target::Number(other), part))) => {
                        smooth_l1(outputs[0], own + part * (other - own), share, slopes)
                    }
                    (Some(Target::Number(number)), _) => smooth_l1(outputs[0], number, share, slopes),
                    _ => 0.0,
                };
        }
        Slopes { loss, slopes }
    }
}

/// The training loss of one picture under one head over all its classes, for evaluations.
pub fn plain(kind: &HeadKind, outputs: &[f32], target: Target) -> f64 {
    let mut unused = vec![0.0; outputs.len()];
    match (kind, target) {
        (HeadKind::Classes(_), Target::Class(class)) => {
            cross_entropy(outputs, &vec![0.0; outputs.len()], class, None, 1.0, &mut unused)
        }
        (HeadKind::Regression { .. }, Target::Number(number)) => smooth_l1(outputs[0], number, 1.0, &mut unused),
        _ => 0.0,
    }
}

impl HeadLoss {
    /// The other picture's label, where this site can learn it.
    fn other(&self, wanted: &Wanted) -> Option<(Target, f32)> {
        wanted.other.filter(|(target, _)| match target {
            Target::Class(class) => self.present[*class],
            Target::Number(_) => true,
            Target::Mask => false,
        })
    }

    fn new(weight: f64, known: &Known) -> Self {
        match known {
            Known::Masks(outputs) => Self {
                weight,
                present: vec![true; *outputs],
                shifts: vec![0.0; *outputs],
            },
            Known::Number(median) => Self {
                weight,
                present: vec![median.is_some()],
                shifts: vec![0.0],
            },
            Known::Classes(counts) => {
                // A class alone teaches nothing: what it would be told apart from is not there.
                let several = counts.iter().filter(|count| **count > 0).count() > 1;
                let total: u64 = counts.iter().sum();
                let rarest = counts.iter().copied().filter(|count| *count > 0).min().unwrap_or(1);
                let share = |count: u64| (if count > 0 { count } else { rarest }) as f64 / total.max(1) as f64;
                Self {
                    weight,
                    present: counts.iter().map(|count| several && *count > 0).collect(),
                    shifts: counts.iter().map(|count| share(*count).ln()).collect(),
                }
            }
        }
    }
}

/// Of a picture that is `class`, and to the part that `other` says another class.
fn cross_entropy(
    outputs: &[f32],
    shifts: &[f64],
    class: usize,
    other: Option<(usize, f64)>,
    share: f64,
    slopes: &mut [f32],
) -> f64 {
    let (second, part) = other.unwrap_or((class, 0.0));
    let shifted = |place: usize| f64::from(outputs[place]) + shifts[place];
    let largest = (0..outputs.len()).map(shifted).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = (0..outputs.len()).map(|place| (shifted(place) - largest).exp()).sum();
    for (place, slope) in slopes.iter_mut().enumerate() {
        let probability = (shifted(place) - largest).exp() / sum;
        let wanted = if place == class { 1.0 - part } else { 0.0 } + if place == second { part } else { 0.0 };
        *slope = (share * (probability - wanted)) as f32;
    }
    // Without another, `part` is exactly zero and changes no bit.
    sum.ln() + largest - (shifted(class) + part * (shifted(second) - shifted(class)))
}

/// Huber's loss divided by its threshold, so that it is the absolute error where it is linear.
fn smooth_l1(output: f32, number: f32, share: f64, slopes: &mut [f32]) -> f64 {
    let error = f64::from(output) - f64::from(number);
    if error.abs() < LINEAR_FROM {
        slopes[0] = (share * error / LINEAR_FROM) as f32;
        error * error / (2.0 * LINEAR_FROM)
    } else {
        slopes[0] = (share * error.signum()) as f32;
        error.abs() - LINEAR_FROM / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses() -> Losses {
        Losses {
            heads: vec![
                HeadLoss::new(2.0, &Known::Classes(vec![50, 0, 10, 40])),
                HeadLoss::new(3.0, &Known::Number(Some(0.5))),
            ],
        }
    }

    #[test]
    fn slopes_are_those_of_finite_differences() {
        let losses = losses();
        let mixed = |own, other, part| Wanted {
            own: Some(own),
            other: Some((other, part)),
        };
        let classes = [
            mixed(Target::Class(2), Target::Class(3), 0.25),
            None.into(),
            Some(Target::Class(0)).into(),
        ];
        let numbers = [
            mixed(Target::Number(0.3), Target::Number(0.4), 0.5),
            Some(Target::Number(0.52)).into(),
            None.into(),
        ];
        for (place, targets, outputs) in [
            (
                0,
                classes,
                vec![0.3, -0.2, 1.5, 0.1, 9.0, 9.0, 9.0, 9.0, -1.0, 4.0, 0.5, 0.25],
            ),
            (1, numbers, vec![0.5, 0.5, 7.0]),
        ] {
            let slopes = losses.of(place, &outputs, &targets, 2).slopes;
            for position in 0..outputs.len() {
                let at = |change: f32| {
                    let mut moved = outputs.clone();
                    moved[position] += change;
                    losses.of(place, &moved, &targets, 2).loss
                };
                let measured = (at(1e-3) - at(-1e-3)) / 2e-3;
                assert!(
                    (measured - f64::from(slopes[position])).abs() < 1e-3,
                    "{place} {position}: {measured} {}",
                    slopes[position]
                );
            }
        }
    }

    #[test]
    fn a_picture_learns_not_to_look_like_an_absent_class_and_a_label_of_one_says_nothing() {
        let losses = losses();
        let slopes = losses
            .of(0, &[0.1, 3.0, 0.2, 0.3], &[Some(Target::Class(0)).into()], 1)
            .slopes;
        assert!(slopes[0] < 0.0 && slopes[1] > slopes[3] && slopes[3] > slopes[2]);
        assert_eq!(losses.present().next(), Some(&[true, false, true, true][..]));
        let slopes = losses.of(0, &[0.1, 0.2, 0.2, 0.3], &[Some(Target::Class(1)).into()], 1);
        assert_eq!((slopes.loss, slopes.slopes), (0.0, vec![0.0; 4]));
    }

    #[test]
    fn a_mixed_picture_costs_what_its_parts_cost_and_an_unknown_label_is_not_mixed() {
        let losses = losses();
        let outputs = [0.4, -1.0, 0.9, 0.2];
        let of = |own: Option<usize>, other: Option<(usize, f32)>| {
            let wanted = Wanted {
                own: own.map(Target::Class),
                other: other.map(|(class, part)| (Target::Class(class), part)),
            };
            losses.of(0, &outputs, &[wanted], 1)
        };
        let (first, second) = (of(Some(0), None), of(Some(2), None));
        let mixed = of(Some(0), Some((2, 0.25)));
        assert!((mixed.loss - (0.75 * first.loss + 0.25 * second.loss)).abs() < 1e-9);
        for (mixed, (first, second)) in mixed.slopes.iter().zip(first.slopes.iter().zip(&second.slopes)) {
            assert!((mixed - (0.75 * first + 0.25 * second)).abs() < 1e-6);
        }
        // Class 1 is absent here: the head learns of the picture itself alone; of a picture without label nothing.
        let alone = of(Some(0), Some((1, 0.25)));
        assert_eq!((alone.loss, alone.slopes), (first.loss, first.slopes));
        assert_eq!(of(None, Some((0, 0.25))).loss, 0.0);
        let number = |own: f32, other: Option<(Target, f32)>| {
            let own = Some(Target::Number(own));
            losses.of(1, &[0.9], &[Wanted { own, other }], 1).loss
        };
        assert!((number(0.2, Some((Target::Number(0.6), 0.25))) - number(0.3, None)).abs() < 1e-6);
    }

    #[test]
    fn a_class_alone_teaches_nothing() {
        let present = |counts: &[u64]| HeadLoss::new(1.0, &Known::Classes(counts.to_vec())).present;
        assert_eq!(present(&[0, 9, 0]), [false; 3]);
        assert_eq!(present(&[1, 9, 0]), [true, true, false]);
    }

    #[test]
    fn a_common_class_does_not_push_harder_than_a_rare_one() {
        // Over a site's whole training part the pushes on equal outputs are as the shares are, and no stronger.
        let losses = losses();
        let mut push = [0.0; 4];
        for (class, count) in [(0, 50.0), (2, 10.0), (3, 40.0)] {
            let slopes = losses.of(0, &[0.7; 4], &[Some(Target::Class(class)).into()], 1).slopes;
            push.iter_mut()
                .zip(slopes)
                .for_each(|(sum, slope)| *sum += count * slope);
        }
        let by_share: Vec<f32> = [(0, 50.0), (2, 10.0), (3, 40.0)]
            .map(|(class, count)| push[class] / count)
            .to_vec();
        assert!(
            by_share.iter().all(|share| (share - by_share[0]).abs() < 1e-4),
            "{by_share:?}"
        );
        assert!(
            push[1] > 0.0,
            "and the absent class is what all of them are told apart from"
        );
    }

    #[test]
    fn a_nan_stays_visible() {
        assert!(
            losses()
                .of(0, &[f32::NAN, 0.0, 0.0, 0.0], &[Some(Target::Class(0)).into()], 1)
                .loss
                .is_nan()
        );
        assert!(
            losses()
                .of(1, &[f32::NAN], &[Some(Target::Number(0.0)).into()], 1)
                .loss
                .is_nan()
        );
    }

    #[test]
    fn a_sure_right_answer_costs_nothing_and_a_guess_the_logarithm() {
        let kind = HeadKind::Classes(vec!["L".to_owned(), "R".to_owned()]);
        assert!(plain(&kind, &[40.0, -40.0], Target::Class(0)) < 1e-12);
        assert!((plain(&kind, &[1.0, 1.0], Target::Class(1)) - 2.0_f64.ln()).abs() < 1e-12);
    }
}
