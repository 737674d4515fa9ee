//! The card's section on detailed metrics: how the final model ranks patients, agrees with the truth, and how far off its probabilities are.

use std::fmt::Write as _;

use snowball_protocol::evaluation::Evaluation;

use crate::{quality, release::ReleaseRequest};

/// Writes it where a site let detailed metrics leave; `pooled` is over all sites.
pub fn write(out: &mut String, request: &ReleaseRequest<'_>, pooled: &Evaluation) -> std::fmt::Result {
    let heads = &request.plan.heads;
    let of_all = quality::of(heads, pooled);
    if of_all.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "AUROC is the chance that the score of a class is higher for a radiograph of it than for one of another class **of the same \
         site**, half a chance where both have the same; sites weigh by their patients (Van Elteren), and no score left one. It does not \
         say that one threshold suits all sites. Over several classes it is their mean. Kappa is Cohen's, with squared distances where the \
         classes are grades. Intervals are of 95 % and over patients. The Brier score goes from 0 (best) to 2.\n"
    )?;
    writeln!(
        out,
        "| site | label | radiographs | AUROC | kappa | Brier score |\n|---|---|---|---|---|---|"
    )?;
    let sites = request
        .evaluations
        .iter()
        .map(|(site, of)| (site.as_str(), quality::of(heads, of)));
    for (site, told) in sites.chain([("all", of_all.clone())]) {
        for told in told {
            let brier = told.brier.map_or_else(|| "-".to_owned(), |brier| format!("{brier:.3}"));
            writeln!(
                out,
                "| {site} | {} | {} | {} | {} | {brier} |",
                told.label.code(),
                told.images,
                quality::text(told.auroc),
                quality::text(told.kappa),
            )?;
        }
    }
    writeln!(
        out,
        "\n| label | class | patients | AUROC over all sites |\n|---|---|---|---|"
    )?;
    for told in &of_all {
        for class in &told.classes {
            let (code, patients, auroc) = (&class.class, class.patients, quality::text(class.auroc));
            writeln!(out, "| {} | {code} | {patients} | {auroc} |", told.label.code())?;
        }
    }
    writeln!(out)
}
