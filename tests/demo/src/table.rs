//! The numbers, as text.

use crate::results::{Quality, Results};

/// Rounds and sites as two tables.
pub fn table(results: &Results) -> String {
    let mut lines = vec![
        String::new(),
        "round      loss  body part    view     sex   age off  constant       bytes".to_owned(),
    ];
    for (round, quality) in results.curve() {
        let bytes: u64 = results
            .rounds
            .iter()
            .find(|record| record.round.0 == round)
            .map_or(0, |record| record.contributions.iter().map(|part| part.bytes).sum());
        lines.push(format!(
            "{round:>5}  {}  {:>10}",
            columns(&quality),
            if bytes == 0 { "-".to_owned() } else { bytes.to_string() }
        ));
    }
    lines.push(String::new());
    lines.push("held-out patients         loss  body part    view     sex   age off  constant".to_owned());
    for site in &results.sites {
        let (federated, alone) = (
            site.federated.as_ref().map(Quality::of),
            site.alone.as_ref().map(Quality::of),
        );
        lines.push(format!(
            "{:<10} alone      {}",
            site.site,
            columns(&alone.unwrap_or_default())
        ));
        lines.push(format!(
            "{:<10} federated  {}",
            "",
            columns(&federated.unwrap_or_default())
        ));
    }
    if let Some(quality) = results.federated() {
        lines.push(format!("{:<10} federated  {}", "all", columns(&quality)));
    }
    if !results.ranked.is_empty() {
        lines.push(String::new());
        lines.push("how the final model ranks validation patients, AUROC (95 % over patients):".to_owned());
        lines.extend(results.ranked.iter().map(|ranked| format!("  {ranked}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn columns(quality: &Quality) -> String {
    let number = |value: Option<f64>, width: usize, decimals: usize| {
        value.map_or_else(
            || format!("{:>width$}", "-"),
            |value| format!("{value:>width$.decimals$}"),
        )
    };
    format!(
        "{}  {}  {}  {}  {}  {}",
        number(quality.loss, 8, 3),
        number(quality.body_part, 9, 3),
        number(quality.view, 6, 3),
        number(quality.sex, 6, 3),
        number(quality.age, 8, 1),
        number(quality.age_constant, 8, 1)
    )
}
