//! The page: the question, the claims, a curve an arm, the differences, the words, and how it was done.

use snowball_web::{
    Axis, Column, Difference, Differences, Html, Language, Measured, MeasuredLine, MeasuredPoint, Page, Table,
};

use crate::{
    document::Comparison,
    findings::{self, Judgement, Look, Verdict},
    measure::Measure,
    replicates::{Interval, Replicates},
    runs::Judged,
};

/// What the page tells beside the figures.
pub struct Told<'a> {
    /// Facts of the run, one a line: what it is and what it says.
    pub facts: Vec<(String, String)>,
    /// The plan and the document, as they were read.
    pub documents: Vec<(&'a str, String)>,
}

/// One page that fetches nothing.
#[must_use]
pub fn page(comparison: &Comparison, judged: &Judged, replicates: &Replicates, told: &Told<'_>) -> String {
    let measure = replicates.measure();
    let mut page = Page::new(Language::English, comparison.title.as_str());
    page.lead(format!(
        "{}, on {} patients that nothing was trained on. Every figure stands with its 95 % interval.",
        upper(measure),
        judged.people()
    ));
    let judgements = findings::judge(comparison, replicates);
    let looks = findings::looks(comparison, replicates);
    if !judgements.is_empty() {
        page.section("What was claimed beforehand");
        claims(&mut page, &judgements, measure);
    }
    if !looks.is_empty() {
        page.section("What was looked at beside that");
        page.say("Nobody claimed these beforehand: they are exploratory, and get no verdict.");
        explored(&mut page, &looks, measure);
    }
    page.section("What the data show");
    page.list(
        findings::sentences(comparison, judged, replicates)
            .into_iter()
            .map(|said| Html::text(&said)),
    );
    page.section("Learning curves");
    page.say(if measure.rises() {
        "Higher is better. Labels rise by factors, from left to right."
    } else {
        "Lower is better. Labels rise by factors, from left to right."
    });
    page.measured(&curves(comparison, replicates));
    page.table(&figures(comparison, replicates));
    page.section(format!("Beside {}", comparison.arms[0].name));
    page.say("To the right of the dashed line an arm does better, whatever is measured.");
    for (place, labels) in replicates.labels().iter().enumerate() {
        page.part(format!("With {labels} labels"));
        page.differences(&differences(comparison, replicates, place, *labels));
    }
    page.section("What the data do not show");
    page.list(
        findings::limits(comparison, judged, replicates)
            .into_iter()
            .map(|said| Html::text(&said)),
    );
    page.section("How it was done");
    page.table(&arms(comparison));
    page.facts(
        told.facts
            .iter()
            .map(|(what, says)| (Html::text(what), Html::text(says))),
    );
    for (name, text) in &told.documents {
        page.part(*name);
        page.verbatim(text);
    }
    page.finish()
}

fn claims(page: &mut Page, judgements: &[Judgement], measure: Measure) {
    let mut table = Table::new([Column::words("claim"), Column::words("verdict"), Column::words("gain")]);
    for judgement in judgements {
        let verdict = match judgement.verdict {
            Verdict::Holds => Html::text("holds").good(),
            Verdict::Fails => Html::text("does not hold").bad(),
            Verdict::Open => Html::text("open"),
        };
        table.row([Html::text(&judgement.claim), verdict, gains(&judgement.gains, measure)]);
    }
    page.table(&table);
}

fn explored(page: &mut Page, looks: &[Look], measure: Measure) {
    let mut table = Table::new([Column::words("difference"), Column::words("gain")]);
    for look in looks {
        table.row([Html::text(&look.difference), gains(&look.gains, measure)]);
    }
    page.table(&table);
}

/// With each number of labels the gain and its interval.
fn gains(gains: &[(u64, Interval)], measure: Measure) -> Html {
    Html::below(gains.iter().map(|gain| Html::text(&findings::told_gain(measure, gain))))
}

fn curves(comparison: &Comparison, replicates: &Replicates) -> Measured {
    let lines = comparison.arms.iter().enumerate().map(|(arm, of)| MeasuredLine {
        name: of.name.clone(),
        points: replicates
            .labels()
            .iter()
            .enumerate()
            .map(|(place, labels)| {
                let figure = replicates.figure(arm, place);
                MeasuredPoint {
                    at: *labels,
                    value: figure.value,
                    interval: (figure.low, figure.high),
                }
            })
            .collect(),
    });
    let measure = replicates.measure();
    Measured {
        label: format!("{} of each arm by the number of labels", measure.name()),
        axis: Axis::Factors,
        lines: lines.collect(),
        written: match measure {
            Measure::Auroc => |value| format!("{value:.2}"),
            Measure::BalancedAccuracy => |value| format!("{:.0} %", value * 100.0),
            Measure::MeanAbsoluteError => |value| format!("{value:.1}"),
        },
    }
}

fn figures(comparison: &Comparison, replicates: &Replicates) -> Table<4> {
    let measure = replicates.measure();
    let mut table = Table::new([
        Column::words("arm"),
        Column::numbers("labels"),
        Column::numbers(measure.name()),
        Column::numbers("95 % interval"),
    ]);
    for (arm, of) in comparison.arms.iter().enumerate() {
        for (place, labels) in replicates.labels().iter().enumerate() {
            let figure = replicates.figure(arm, place);
            table.row([
                Html::text(&of.name),
                Html::number(*labels, Language::English),
                Html::text(&findings::told(measure, figure.value)),
                Html::text(&format!(
                    "{} to {}",
                    findings::told(measure, figure.low),
                    findings::told(measure, figure.high)
                )),
            ]);
        }
    }
    table
}

fn differences(comparison: &Comparison, replicates: &Replicates, place: usize, labels: u64) -> Differences {
    let measure = replicates.measure();
    let rows = comparison.arms.iter().enumerate().skip(1).map(|(arm, of)| {
        let gain = replicates.gain(arm, 0, place);
        Difference {
            name: of.name.clone(),
            value: gain.value,
            interval: Some((gain.low, gain.high)),
            told: format!(
                "{} ({} to {})",
                findings::signed(measure, gain.value),
                findings::signed(measure, gain.low),
                findings::signed(measure, gain.high)
            ),
        }
    });
    Differences {
        label: format!("gain over {} with {labels} labels", comparison.arms[0].name),
        rows: rows.collect(),
    }
}

fn arms(comparison: &Comparison) -> Table<4> {
    let mut table = Table::new([
        Column::words("arm"),
        Column::words("begins from"),
        Column::numbers("steps"),
        Column::words("learns"),
    ]);
    for arm in &comparison.arms {
        let from = if arm.from.is_empty() {
            Html::text("at random")
        } else {
            Html::below(arm.from.iter().map(|from| Html::code(from)))
        };
        let mut learns = if arm.trunk_rate > 0.0 {
            let part = format!("trunk at {} of the heads' rate", arm.trunk_rate);
            let whole = (arm.trunk_rate - 1.0).abs() < f64::EPSILON;
            vec![if whole { "the whole network".to_owned() } else { part }]
        } else {
            vec!["the heads alone".to_owned()]
        };
        if arm.rate_fall < 1.0 {
            learns.push(format!("{} of it from stage to stage", arm.rate_fall));
        }
        if arm.unfreeze_every > 0 {
            learns.push(format!("a stage more every {} steps", arm.unfreeze_every));
        }
        if arm.shuffled {
            learns.push("from exchanged labels".to_owned());
        }
        table.row([
            Html::text(&arm.name),
            from,
            Html::number(u64::from(arm.steps), Language::English),
            Html::text(&learns.join(", ")),
        ]);
    }
    table
}

fn upper(measure: Measure) -> String {
    let name = measure.name();
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
