//! The quality of a model on one part of the dataset: sums and counts, nothing per picture.

use burn::tensor::{Device, Tensor, TensorData};
use snowball_layout::to_le_bytes;
use snowball_models::Network;
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    evaluation::{ClassCount, Evaluation, HeadEvaluation},
    plan::{Head, HeadKind, Sent},
};
use snowball_worker::shard::Part;

use crate::{
    contrast,
    detail::{self, Row},
    device::Place,
    examples::{Examples, Known, Target},
    failure::Failure,
    loss, making, masks,
    passes::read,
    places::Places,
    recipe, reconstruction,
    tell::softmax,
};

/// Pictures that go through the network at once.
pub const SLICE: usize = 32;

/// Evaluates `parameters` on `part`. Every class of the plan competes, also those that the site lacks.
pub fn evaluate(
    plan: &StudyPlan,
    examples: &Examples,
    places: &Places,
    parameters: &[f32],
    part: Part,
) -> Result<Evaluation, Failure> {
    if let Some(asked) = plan.reconstruction() {
        return reconstruction::evaluate(plan, asked, examples, places, parameters, part);
    }
    if let Some(asked) = plan.contrastive() {
        return contrast::evaluate(plan, asked, examples, places, parameters, part);
    }
    if let Some(head) = plan.mask_head() {
        return masks::evaluate(plan, head, examples, places, parameters, part);
    }
    let positions = examples.labelled(part);
    let slices: Vec<&[usize]> = positions.chunks(SLICE).collect();
    let pass = |place: &Place, slice: &&[usize]| outputs(plan, examples, place, parameters, slice);
    let outputs = places.share(&slices, pass)?;
    let with_squares = plan.comparison.own_model;
    let mut heads: Vec<HeadEvaluation> = plan.heads.iter().map(|head| nothing(head, with_squares)).collect();
    let known = examples.known(plan);
    let mut details = Details::of(plan, examples, &positions);
    let mut first = 0;
    for (slice, outputs) in slices.iter().zip(outputs) {
        for (place, values) in outputs.iter().enumerate() {
            let rows = values.chunks(plan.heads[place].outputs());
            for (offset, (position, row)) in slice.iter().zip(rows).enumerate() {
                if let Some(target) = examples.targets(*position)[place] {
                    count(&mut heads[place], &plan.heads[place].kind, &known[place], row, target);
                    details.note(place, first + offset, row, target);
                }
            }
        }
        first += slice.len();
    }
    details.add(&mut heads);
    for head in &mut heads {
        if let HeadEvaluation::Classes { classes, .. } = head {
            classes.retain(|class| class.images > 0);
        }
    }
    let model_digest = Sha256Digest::of(&to_le_bytes(parameters));
    Ok(Evaluation {
        model_digest,
        images: positions.len() as u64,
        heads,
        reconstruction: None,
        contrast: None,
    })
}

/// What is kept of every radiograph until the details of the classes are told; nothing where the plan does not ask for them.
struct Details {
    /// Of each radiograph.
    patients: Vec<usize>,
    /// Of each head; none where an output is no number: nothing can be said of its ranks.
    rows: Vec<Option<Vec<Row>>>,
}

impl Details {
    fn of(plan: &StudyPlan, examples: &Examples, positions: &[usize]) -> Self {
        let is_asked = plan.send.contains(&Sent::DetailedMetrics);
        Self {
            patients: if is_asked {
                examples.patients(positions)
            } else {
                Vec::new()
            },
            rows: plan.heads.iter().map(|_| is_asked.then(Vec::new)).collect(),
        }
    }

    fn note(&mut self, head: usize, radiograph: usize, outputs: &[f32], target: Target) {
        let (Target::Class(truth), Some(rows)) = (target, &mut self.rows[head]) else {
            return;
        };
        match largest(outputs) {
            Some(said) if outputs.iter().all(|value| value.is_finite()) => rows.push(Row {
                patient: self.patients[radiograph],
                truth,
                said,
                probabilities: softmax(outputs).collect(),
            }),
            _ => self.rows[head] = None,
        }
    }

    fn add(self, heads: &mut [HeadEvaluation]) {
        for (head, rows) in heads.iter_mut().zip(self.rows) {
            if let Some(rows) = rows {
                detail::add(head, &rows);
            }
        }
    }
}

/// The outputs of the radiographs at the positions of `slice`, one list a head, row by row.
pub fn outputs(
    plan: &StudyPlan,
    examples: &Examples,
    place: &Place,
    parameters: &[f32],
    slice: &[usize],
) -> Result<Vec<Vec<f32>>, Failure> {
    let network = Network::load(plan, parameters, &place.device)?;
    let pictures = pictures(plan, examples, slice, &place.device)?;
    network.forward(pictures)?.into_iter().map(read).collect()
}

/// The radiographs at the positions of `slice` as they are.
pub fn pictures(plan: &StudyPlan, examples: &Examples, slice: &[usize], device: &Device) -> Result<Tensor<4>, Failure> {
    let side = examples.side();
    let mut values = vec![0.0; slice.len() * side * side];
    for (input, position) in values.chunks_mut(side * side).zip(slice) {
        recipe::plain(plan.preprocessing, &examples.square(*position)?, input);
        making::show(plan, examples.targets(*position), side, None, input);
    }
    let data = TensorData::new(values, [slice.len(), 1, side, side]);
    Ok(Tensor::from_data(data, device))
}

fn nothing(head: &Head, with_squares: bool) -> HeadEvaluation {
    match &head.kind {
        HeadKind::Classes(classes) => HeadEvaluation::Classes {
            label: head.label,
            loss_sum: 0.0,
            images: 0,
            classes: classes
                .iter()
                .map(|class| ClassCount {
                    class: class.clone(),
                    images: 0,
                    correct: 0,
                    detail: None,
                })
                .collect(),
        },
        HeadKind::Mask { .. } => HeadEvaluation::Mask {
            label: head.label,
            loss_sum: 0.0,
            images: 0,
            patients: 0,
            masks: Vec::new(),
        },
        HeadKind::Regression { .. } => HeadEvaluation::Regression {
            label: head.label,
            loss_sum: 0.0,
            images: 0,
            absolute_error_sum: 0.0,
            constant_absolute_error_sum: 0.0,
            absolute_error_square_sum: with_squares.then_some(0.0),
        },
    }
}

fn count(head: &mut HeadEvaluation, kind: &HeadKind, known: &Known, row: &[f32], target: Target) {
    match (head, kind, target) {
        (
            HeadEvaluation::Classes {
                loss_sum,
                images,
                classes,
                ..
            },
            _,
            Target::Class(class),
        ) => {
            *loss_sum += loss::plain(kind, row, target);
            *images += 1;
            classes[class].images += 1;
            classes[class].correct += u64::from(largest(row) == Some(class));
        }
        (
            HeadEvaluation::Regression {
                loss_sum,
                images,
                absolute_error_sum,
                constant_absolute_error_sum,
                absolute_error_square_sum,
                ..
            },
            HeadKind::Regression { unit },
            Target::Number(number),
        ) => {
            // Without a single label in the training part the constant is the middle of the unit, as in the network's start.
            let constant = if let Known::Number(Some(median)) = known {
                *median
            } else {
                0.5
            };
            *loss_sum += loss::plain(kind, row, target);
            *images += 1;
            let error = f64::from((row[0] - number).abs()) * unit;
            *absolute_error_sum += error;
            if let Some(squares) = absolute_error_square_sum {
                *squares += error * error;
            }
            *constant_absolute_error_sum += f64::from((constant - number).abs()) * unit;
        }
        _ => {}
    }
}

/// The place of the largest value; none among NaNs.
pub fn largest(row: &[f32]) -> Option<usize> {
    let finite = row.iter().enumerate().filter(|(_, value)| !value.is_nan());
    finite.max_by(|a, b| a.1.total_cmp(b.1)).map(|(place, _)| place)
}
