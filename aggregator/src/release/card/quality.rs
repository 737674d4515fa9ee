//! The card's sections on how good the network is: at each site, over all of them, and beside each site's own.

use std::fmt::Write as _;

use snowball_protocol::{
    evaluation::{Evaluation, HeadEvaluation},
    gain::{Gain, Verdict, worst},
};

use super::ranks;
use crate::release::ReleaseRequest;

pub fn metrics(out: &mut String, request: &ReleaseRequest<'_>) -> std::fmt::Result {
    writeln!(out, "## Quality of the final model\n")?;
    let Some(pooled) = Evaluation::pooled(request.evaluations.iter().map(|(_, evaluation)| evaluation)) else {
        return writeln!(out, "No site let its evaluation of the final model leave.\n");
    };
    writeln!(
        out,
        "On validation patients of {} site(s), {} radiographs; classes too rare at a site are left out there. Intervals are of 95 % and \
         take radiographs as independent.\n",
        request.evaluations.len(),
        pooled.images
    )?;
    writeln!(
        out,
        "| site | label | radiographs | balanced accuracy | mean absolute error | interval | the error of a constant |\n|---|---|---|---|---|---|---|"
    )?;
    for (site, evaluation) in request.evaluations {
        heads(out, site.as_str(), evaluation)?;
    }
    heads(out, "all", &pooled)?;
    writeln!(out)?;
    ranks::write(out, request, &pooled)
}

fn heads(out: &mut String, name: &str, evaluation: &Evaluation) -> std::fmt::Result {
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    for head in &evaluation.heads {
        let images = head.images();
        for (class, dice) in head.dice() {
            let interval = dice
                .interval
                .map_or_else(String::new, |(low, high)| format!(" ({low:.3} to {high:.3})"));
            writeln!(
                out,
                "| {name} | {}: {class}, Dice{interval} | {images} | - | {:.3} | {:.3} |",
                head.label().code(),
                dice.mean,
                dice.constant,
            )?;
        }
        if matches!(head, HeadEvaluation::Mask { .. }) {
            continue;
        }
        let errors = head.mean_absolute_errors();
        writeln!(
            out,
            "| {name} | {} | {images} | {} | {} | {} | {} |",
            head.label().code(),
            cell(head.balanced_accuracy()),
            cell(errors.map(|errors| errors.0)),
            head.interval()
                .map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}")),
            cell(errors.map(|errors| errors.1)),
        )?;
    }
    if let Some(drawn) = evaluation.reconstruction {
        let errors = drawn.mean_squared_errors();
        writeln!(
            out,
            "| {name} | drawn again, squared error | {} | - | {} | - | {} |",
            drawn.images,
            cell(errors.map(|errors| errors.0)),
            cell(errors.map(|errors| errors.1)),
        )?;
    }
    if let Some(paired) = evaluation.contrast {
        let (found, chance) = paired.shares_found().unzip();
        writeln!(
            out,
            "| {name} | pairs found: {}, by chance {} | {} | - | - | - |",
            cell(found),
            cell(chance),
            paired.images,
        )?;
    }
    Ok(())
}

/// The final model beside each site's own: nobody should have to believe that taking part was good for everybody.
pub fn gain(out: &mut String, gains: &[Gain]) -> std::fmt::Result {
    if gains.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "## Gain and harm at each site\n\nBeside the model that the site's radiographs alone make by the same plan, on the site's validation\n\
         patients; above zero the released model is better. 95 % intervals.\n\n\
         | site | label | radiographs | released model | site's own | difference | interval | so it is |\n|---|---|---|---|---|---|---|---|"
    )?;
    for gain in gains {
        let interval = gain
            .interval
            .map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}"));
        let verdict = match gain.verdict() {
            Verdict::Gain => "a gain",
            Verdict::Harm => "**harm**",
            Verdict::Open => "open",
        };
        writeln!(
            out,
            "| {} | {} | {} | {:.3} | {:.3} | {:+.3} | {interval} | {verdict} |",
            gain.site,
            gain.label.code(),
            gain.images,
            gain.shared,
            gain.own,
            gain.gain,
        )?;
    }
    for least in worst(gains) {
        write!(
            out,
            "\nLeast well off for {}: {}, {:+.3}.",
            least.label.code(),
            least.site,
            least.gain
        )?;
    }
    writeln!(out, "\n")
}
