//! What is told of one round: its record as it is, and a row for people.

use serde_json::{Value, json};
use snowball_protocol::{evaluation::Evaluation, plan::Head, record::RoundRecord};

use super::figures::{decimals, line, metrics};

pub fn record_json(heads: &[Head], record: &RoundRecord) -> Result<Value, serde_json::Error> {
    let mut json = serde_json::to_value(record)?;
    json["bytes"] = record.contributions.iter().map(|part| part.bytes).sum::<u64>().into();
    json["training_loss"] = json!(training_loss(record));
    json["metrics"] = json!(record.evaluation.as_ref().map(|evaluation| metrics(heads, evaluation)));
    Ok(json)
}

/// Mean training loss of the round, weighted by examples.
fn training_loss(record: &RoundRecord) -> Option<f64> {
    let examples: u64 = record.contributions.iter().map(|part| part.examples).sum();
    let sum: f64 = record
        .contributions
        .iter()
        .map(|part| part.training_loss * part.examples as f64)
        .sum();
    (examples > 0).then(|| sum / examples as f64)
}

pub fn row(heads: &[Head], record: &RoundRecord) -> [String; 8] {
    let bytes: u64 = record.contributions.iter().map(|part| part.bytes).sum();
    [
        record.round.to_string(),
        record.contributions.len().to_string(),
        record.refusals.len().to_string(),
        record.silent.len().to_string(),
        bytes.to_string(),
        decimals(training_loss(record)),
        decimals(record.evaluation.as_ref().and_then(Evaluation::mean_loss)),
        record
            .evaluation
            .as_ref()
            .map(|evaluation| line(heads, evaluation))
            .unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{
        Sha256Digest,
        evaluation::{ClassCount, HeadEvaluation},
        labels::LabelName,
    };

    use super::*;
    use crate::fixture;

    #[test]
    fn a_record_shows_pooled_quality_and_weighted_loss() {
        let plan = fixture::plan("spines");
        let mut record = fixture::record(&plan, 1, Sha256Digest::of(b"in"), Sha256Digest::of(b"out"));
        record.contributions[0].training_loss = 1.0;
        record.contributions[0].examples = 30;
        record.contributions[1].training_loss = 2.0;
        record.contributions[1].examples = 10;
        let classes = vec![ClassCount {
            class: "CHEST".to_owned(),
            images: 10,
            correct: 9,
            detail: None,
        }];
        record.evaluation = Some(Evaluation {
            model_digest: record.model_in,
            images: 10,
            heads: vec![
                HeadEvaluation::Classes {
                    label: LabelName::BodyPart,
                    loss_sum: 5.0,
                    images: 10,
                    classes,
                },
                HeadEvaluation::Regression {
                    label: LabelName::Age,
                    loss_sum: 1.0,
                    images: 10,
                    absolute_error_sum: 80.0,
                    constant_absolute_error_sum: 150.0,
                    absolute_error_square_sum: None,
                },
            ],
            reconstruction: None,
            contrast: None,
        });
        let json = record_json(&plan.heads, &record).unwrap();
        assert_eq!(json["training_loss"], 1.25);
        assert_eq!(json["metrics"]["heads"][0]["balanced_accuracy"], 0.9);
        assert_eq!(json["metrics"]["heads"][1]["constant_mean_absolute_error"], 15.0);
        assert_eq!(json["metrics"]["heads"][0]["discrimination"], Value::Null);
        assert_eq!(
            row(&plan.heads, &record)[7],
            "body_part 90.0 %, age 8.00 (constant 15.00)"
        );
    }
}
