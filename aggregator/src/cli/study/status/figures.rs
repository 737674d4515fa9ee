//! The figures that people compare: of one evaluation, and of the final model at each site, as JSON and as text.

use serde_json::{Value, json};
use snowball_protocol::{
    SiteName,
    evaluation::{Evaluation, HeadEvaluation},
    gain::{Gain, worst},
    plan::Head,
};

use crate::{
    cli::table::table,
    quality::{self, Discrimination},
};

/// The figures that people compare: per head, balanced accuracy or the errors beside the constant predictor's; and what follows from
/// detailed metrics where there are any.
pub fn metrics(planned: &[Head], evaluation: &Evaluation) -> Value {
    let told = quality::of(planned, evaluation);
    let heads = evaluation.heads.iter().map(|head| match head {
        HeadEvaluation::Classes { label, images, .. } => {
            let mut json = json!({
                "label": label, "images": images, "loss": head.mean_loss(), "balanced_accuracy": head.balanced_accuracy(),
            });
            if let Some(told) = told.iter().find(|told| told.label == *label) {
                json["discrimination"] = json!(told);
            }
            json
        }
        HeadEvaluation::Regression { label, images, .. } => json!({
            "label": label, "images": images, "loss": head.mean_loss(),
            "mean_absolute_error": head.mean_absolute_errors().map(|errors| errors.0),
            "constant_mean_absolute_error": head.mean_absolute_errors().map(|errors| errors.1),
        }),
        HeadEvaluation::Mask {
            label,
            images,
            patients,
            ..
        } => json!({
            "label": label, "images": images, "patients": patients, "loss": head.mean_loss(),
            "classes": head.dice().into_iter().map(|(class, dice)| json!({
                "class": class, "dice": dice.mean, "interval": dice.interval, "constant_dice": dice.constant,
            })).collect::<Vec<_>>(),
        }),
    });
    let mut json =
        json!({ "images": evaluation.images, "loss": evaluation.mean_loss(), "heads": heads.collect::<Vec<_>>() });
    if let Some(drawn) = evaluation.reconstruction {
        let errors = drawn.mean_squared_errors();
        json["reconstruction"] = json!({
            "images": drawn.images, "mean_squared_error": errors.map(|errors| errors.0),
            "constant_mean_squared_error": errors.map(|errors| errors.1),
        });
    }
    if let Some(paired) = evaluation.contrast {
        let shares = paired.shares_found();
        json["contrast"] = json!({
            "images": paired.images, "loss": paired.mean_loss(), "found": shares.map(|shares| shares.0),
            "chance": shares.map(|shares| shares.1),
        });
    }
    json
}

/// The same in a line.
pub fn line(planned: &[Head], evaluation: &Evaluation) -> String {
    let told = quality::of(planned, evaluation);
    let area = |label| {
        let area = told.iter().find(|told| told.label == label)?.auroc?;
        Some(format!(" (AUROC {:.3})", area.value))
    };
    let heads = evaluation.heads.iter().filter_map(|head| {
        let area = area(head.label()).unwrap_or_default();
        let label = head.label();
        let label = label.code();
        match (head.balanced_accuracy(), head.mean_absolute_errors()) {
            (Some(accuracy), _) => Some(format!("{label} {:.1} %{area}", accuracy * 100.0)),
            (_, Some((error, constant))) => Some(format!("{label} {error:.2} (constant {constant:.2})")),
            _ => {
                let (dice, constant) = head.mean_dice()?;
                Some(format!("{label} Dice {dice:.3} (constant {constant:.3})"))
            }
        }
    });
    let drawn = evaluation.reconstruction.and_then(|drawn| drawn.mean_squared_errors());
    let drawn =
        drawn.map(|(error, constant)| format!("drawn again off by {error:.3} squared (constant {constant:.3})"));
    let paired = evaluation.contrast.and_then(|paired| paired.shares_found());
    let paired =
        paired.map(|(found, chance)| format!("pairs found {:.1} % (chance {:.1} %)", found * 100.0, chance * 100.0));
    heads.chain(drawn).chain(paired).collect::<Vec<_>>().join(", ")
}

/// What detailed metrics say of the final model, at each site that let them leave and over all of them.
pub fn discrimination_text(heads: &[Head], sites: &[(SiteName, Evaluation)], pooled: Option<&Evaluation>) -> String {
    let named = sites.iter().map(|(site, evaluation)| (site.as_str(), evaluation));
    let all = pooled.map(|pooled| ("all", pooled));
    let row = |name: &str, told: Discrimination| {
        [
            name.to_owned(),
            told.label.code().to_owned(),
            told.images.to_string(),
            quality::text(told.auroc),
            quality::text(told.kappa),
            told.brier.map_or_else(|| "-".to_owned(), |brier| format!("{brier:.3}")),
        ]
    };
    let rows: Vec<_> = named
        .chain(all)
        .flat_map(|(name, evaluation)| {
            quality::of(heads, evaluation)
                .into_iter()
                .map(move |told| row(name, told))
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = ["site", "label", "images", "AUROC (95 %)", "kappa (95 %)", "Brier"];
    format!(
        "\nhow the final model ranks patients within each site\n{}",
        table(columns, &rows)
    )
}

/// The final model beside each site's own.
pub fn gain_text(gains: &[Gain]) -> String {
    if gains.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = gains
        .iter()
        .map(|gain| {
            let interval = gain
                .interval
                .map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:+.3} to {high:+.3}"));
            [
                gain.site.to_string(),
                gain.label.code().to_owned(),
                gain.images.to_string(),
                format!("{:.3}", gain.shared),
                format!("{:.3}", gain.own),
                format!("{:+.3}", gain.gain),
                interval,
                format!("{:?}", gain.verdict()).to_lowercase(),
            ]
        })
        .collect();
    let columns = ["site", "label", "images", "shared", "own", "gain", "95 %", "so it is"];
    let mut text = format!("\nthe final model beside each site's own\n{}", table(columns, &rows));
    for least in worst(gains) {
        text += &format!("least well off for {}: {}\n", least.label.code(), least.site);
    }
    text
}

pub fn gain_json(gain: &Gain) -> Value {
    let mut json = json!(gain);
    json["verdict"] = json!(gain.verdict());
    json
}

pub fn decimals(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{Sha256Digest, labels::LabelName};

    use super::*;
    use crate::fixture;

    #[test]
    fn detailed_metrics_are_shown_for_each_site_and_for_all() {
        let plan = fixture::plan("spines");
        let evaluation = Evaluation {
            model_digest: Sha256Digest::of(b"m"),
            images: 80,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::BodyPart,
                loss_sum: 40.0,
                images: 80,
                classes: quality::tests::classes(),
            }],
            reconstruction: None,
            contrast: None,
        };
        let told = &metrics(&plan.heads, &evaluation)["heads"][0]["discrimination"];
        let auroc = told["auroc"]["value"].as_f64().unwrap();
        assert!(
            (auroc - 0.8).abs() < 1e-9 && told["auroc"]["low"].as_f64().unwrap() < auroc,
            "{told}"
        );
        assert_eq!(told["classes"][1]["said"], json!([10, 30]));
        assert_eq!(line(&plan.heads, &evaluation), "body_part 75.0 % (AUROC 0.800)");
        let sites = [("north".parse().unwrap(), evaluation.clone())];
        let text = discrimination_text(&plan.heads, &sites, Some(&evaluation));
        for part in ["north", "all", "0.800 (0.6", "0.500 (0.2", "0.300"] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        assert_eq!(discrimination_text(&plan.heads, &[], None), "");
    }
}
