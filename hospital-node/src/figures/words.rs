//! Figures in lines for people.

use snowball_metrics::{ClassFigures, Figure, NumberFigures};

use super::{Figures, Group, GroupHead, HeadFigures, Kind};

/// All figures, in lines.
pub fn text(figures: &Figures) -> String {
    let resampling = figures.interval.resampling;
    let mut lines = vec![format!(
        "in brackets: 95 % intervals from {} resamples of patients",
        resampling.resamples
    )];
    for head in &figures.figures {
        lines.push(String::new());
        lines.extend(of_head(head));
    }
    for (name, groups) in &figures.groups {
        lines.push(format!("\nby {}", name.replace('_', " ")));
        lines.extend(
            groups
                .iter()
                .map(|(term, group)| format!("  {term:<10} {}", of_group(group))),
        );
    }
    lines.join("\n")
}

fn of_head(head: &HeadFigures) -> Vec<String> {
    let name = head.label.code().replace('_', " ");
    match &head.of {
        Kind::Classes(figures) => of_classes(&name, figures),
        Kind::Regression(figures) => of_numbers(&name, figures),
    }
}

fn of_classes(name: &str, of: &ClassFigures) -> Vec<String> {
    let mut lines = vec![
        format!("{name}: {} radiographs of {} patients", of.radiographs, of.patients),
        format!(
            "  balanced accuracy {} · accuracy {} · kappa {}",
            share(of.balanced_accuracy),
            share(of.accuracy),
            share(of.kappa)
        ),
        format!(
            "  AUROC {} · average precision {} (means over classes, each against the rest)",
            share(of.auroc),
            share(of.average_precision)
        ),
        format!(
            "  calibration error {} · Brier score {}",
            share(of.calibration_error),
            share(of.brier)
        ),
    ];
    lines.extend(of.classes.iter().map(|class| {
        format!(
            "  {:<10} recall {} · AUROC {} · average precision {} · {} radiographs of {} patients",
            class.class,
            share(class.recall),
            share(class.auroc),
            share(class.average_precision),
            class.radiographs,
            class.patients
        )
    }));
    lines
}

fn of_numbers(name: &str, of: &NumberFigures) -> Vec<String> {
    vec![
        format!("{name}: {} radiographs of {} patients", of.radiographs, of.patients),
        format!(
            "  off by {} on average · always saying the training part's median: {} · better by {}",
            number(of.mean_absolute_error),
            number(of.constant_error),
            number(of.gain)
        ),
        format!(
            "  root mean squared error {} · bias {} · correlation {}",
            number(of.root_mean_squared_error),
            number(of.bias),
            share(of.correlation)
        ),
    ]
}

fn of_group(group: &Group) -> String {
    match group {
        Group::Hidden { below } => format!("hidden (fewer than {below} patients, or would tell such a number)"),
        Group::Shown {
            radiographs,
            patients,
            heads,
        } => {
            let mut words = vec![format!("{radiographs} radiographs of {patients} patients")];
            words.extend(heads.iter().map(of_group_head));
            words.join(" · ")
        }
    }
}

fn of_group_head(head: &GroupHead) -> String {
    let name = head.label.code().replace('_', " ");
    let figure = |name: &str| head.figures.get(name).copied();
    match figure("mean_absolute_error") {
        Some(error) => format!(
            "{name} off by {} (constant {}, bias {})",
            number(Some(error)),
            plain(figure("constant_error")),
            plain(figure("bias"))
        ),
        None => format!(
            "{name} balanced accuracy {}, AUROC {}",
            share(figure("balanced_accuracy")),
            share(figure("auroc"))
        ),
    }
}

fn share(figure: Option<Figure>) -> String {
    words(figure, 3)
}

fn number(figure: Option<Figure>) -> String {
    words(figure, 1)
}

fn plain(figure: Option<Figure>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{:.1}", figure.value))
}

fn words(figure: Option<Figure>, digits: usize) -> String {
    let Some(Figure { value, low, high }) = figure else {
        return "-".to_owned();
    };
    match low.zip(high) {
        Some((low, high)) => format!("{value:.digits$} ({low:.digits$} to {high:.digits$})"),
        None => format!("{value:.digits$} (too few patients for an interval)"),
    }
}
