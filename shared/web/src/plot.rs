//! Two plots as SVG that stand in the page: curves over steps, and differences with their intervals.

use crate::{
    Html,
    range::{Range, round_steps},
};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 130.0;
/// Where the rows of a plot of differences begin, behind their names.
const NAMED: f64 = 230.0;
/// Where they end.
const RIGHT: f64 = 420.0;
/// Where a row's words begin: there is room for the longest, such as "-10.5 points (-12.5 points to +10.5 points)".
const WORDS: f64 = 432.0;
const ROW: f64 = 24.0;
const CURVES_HEIGHT: f64 = 220.0;
/// Steps of the axis of values, about.
const STEPS: u32 = 4;
/// More numbers than this under an axis would run into each other.
const NUMBERS_MAX: u64 = 12;
/// A line of more points is smooth without them.
const POINTS_MAX: usize = 40;
/// Lines that look different.
pub(crate) const LOOKS: usize = 8;

/// Curves over the same steps, each with a name.
pub struct Curves {
    /// What the plot shows, for those who hear the page.
    pub label: String,
    /// The lines: name, and step with value, steps rising.
    pub lines: Vec<(String, Vec<(u32, f64)>)>,
    /// How a value is written.
    pub written: fn(f64) -> String,
}

/// Differences with their intervals, one a row, beside a line at zero.
pub struct Differences {
    /// What the plot shows, for those who hear the page.
    pub label: String,
    /// The rows, from the top.
    pub rows: Vec<Difference>,
}

/// One row.
pub struct Difference {
    /// What it is of.
    pub name: String,
    /// The difference; not finite ones are left out.
    pub value: f64,
    /// From where to where it may be.
    pub interval: Option<(f64, f64)>,
    /// What stands behind it.
    pub told: String,
}

impl Curves {
    /// Nothing where there is no value.
    pub(crate) fn to_html(&self) -> String {
        let points = || self.lines.iter().flat_map(|(_, line)| line);
        let values = Range::of(points().map(|(_, value)| *value));
        let steps = Range::of(points().map(|(step, _)| f64::from(*step)));
        let (Some(values), Some(steps)) = (values, steps) else {
            return String::new();
        };
        let (values, ticks) = values.rounded(STEPS);
        let top = ROW * self.lines.len().div_ceil(3) as f64 + 12.0;
        let bottom = top + CURVES_HEIGHT;
        let x = |step: f64| steps.place(step, LEFT, WIDTH - 20.0);
        let y = |value: f64| values.place(value, bottom, top);
        let mut svg = begin(&self.label, bottom + 26.0);
        svg += &grid(&ticks, self.written, y, LEFT, WIDTH - 20.0);
        let told = points().map(|(step, _)| u64::from(*step));
        let (first, last) = (told.clone().min().unwrap_or(0), told.max().unwrap_or(0));
        for step in round_steps(first, last, NUMBERS_MAX) {
            svg += &format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{step}</text>\n",
                x(step as f64),
                bottom + 20.0
            );
        }
        for (place, (name, line)) in self.lines.iter().enumerate() {
            let look = place % LOOKS;
            let finite = line.iter().filter(|(_, value)| value.is_finite());
            let places: Vec<(f64, f64)> = finite.map(|(step, value)| (x(f64::from(*step)), y(*value))).collect();
            let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            if places.len() <= POINTS_MAX {
                for (x, y) in &places {
                    svg += &format!("<circle class=\"point{look}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"></circle>\n");
                }
            }
            let (left, line) = (LEFT + 190.0 * (place % 3) as f64, 14.0 + ROW * (place / 3) as f64);
            svg += &format!(
                "<polyline class=\"line{look}\" points=\"{}\"></polyline>\
                 <polyline class=\"line{look}\" points=\"{left:.1},{:.1} {:.1},{:.1}\"></polyline>\
                 <text x=\"{:.1}\" y=\"{line:.1}\">{}</text>\n",
                points.join(" "),
                line - 4.0,
                left + 26.0,
                line - 4.0,
                left + 32.0,
                Html::text(name).as_str()
            );
        }
        svg + "</svg></figure>\n"
    }
}

impl Differences {
    /// Nothing where there is no row.
    pub(crate) fn to_html(&self) -> String {
        let rows = || self.rows.iter().filter(|row| row.value.is_finite());
        let ends = rows().flat_map(|row| {
            let (low, high) = row.interval.unwrap_or((row.value, row.value));
            [row.value, low, high, 0.0]
        });
        let Some(range) = Range::of(ends) else {
            return String::new();
        };
        let count = rows().count() as f64;
        let x = |value: f64| range.place(value, NAMED, RIGHT);
        let zero = x(0.0);
        let mut svg = begin(&self.label, ROW * count + 10.0);
        svg += &format!(
            "<line class=\"zero\" x1=\"{zero:.1}\" y1=\"2\" x2=\"{zero:.1}\" y2=\"{:.1}\"></line>\n",
            ROW * count + 6.0
        );
        for (place, row) in rows().enumerate() {
            let middle = ROW * place as f64 + 14.0;
            let (low, high) = row.interval.unwrap_or((row.value, row.value));
            svg += &format!(
                "<text x=\"0\" y=\"{:.1}\">{}</text>\
                 <line class=\"interval\" x1=\"{:.1}\" y1=\"{middle:.1}\" x2=\"{:.1}\" y2=\"{middle:.1}\"></line>\
                 <circle class=\"part0\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"5\"></circle>\
                 <text x=\"{WORDS}\" y=\"{:.1}\">{}</text>\n",
                middle + 5.0,
                Html::text(&row.name).as_str(),
                x(low),
                x(high),
                x(row.value),
                middle + 5.0,
                Html::text(&row.told).as_str()
            );
        }
        svg + "</svg></figure>\n"
    }
}

pub(crate) fn begin(label: &str, height: f64) -> String {
    format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{}\">\n",
        Html::text(label).as_str()
    )
}

/// Lines across at the ticks of the axis of values, each with its number unless that is written as the one before is.
pub(crate) fn grid(ticks: &[f64], written: fn(f64) -> String, y: impl Fn(f64) -> f64, left: f64, right: f64) -> String {
    let mut svg = String::new();
    let mut before = String::new();
    for tick in ticks {
        let (at, number) = (y(*tick), written(*tick));
        svg += &format!("<line class=\"grid\" x1=\"{left}\" y1=\"{at:.1}\" x2=\"{right:.1}\" y2=\"{at:.1}\"></line>");
        if number != before {
            svg += &format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                left - 8.0,
                at + 4.0,
                Html::text(&number).as_str()
            );
        }
        before = number;
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves(lines: Vec<(String, Vec<(u32, f64)>)>) -> String {
        let curves = Curves {
            label: "loss <by> round".to_owned(),
            lines,
            written: |value| format!("{value:.2}"),
        };
        curves.to_html()
    }

    #[test]
    fn a_curve_runs_from_its_first_step_to_its_last_and_from_low_to_high() {
        let html = curves(vec![("north & co".to_owned(), vec![(1, 2.0), (3, 1.0)])]);
        assert!(html.contains("points=\"130.0,36.0 700.0,256.0\""), "{html}");
        assert!(html.contains("north &amp; co") && html.contains("aria-label=\"loss &lt;by&gt; round\""));
        assert!(html.contains(">1.00</text>") && html.contains(">2.00</text>"));
    }

    #[test]
    fn one_value_alone_is_seen_and_stands_beside_round_numbers() {
        let html = curves(vec![("north".to_owned(), vec![(1, 0.35)])]);
        assert_eq!(html.matches("<circle").count(), 1, "{html}");
        assert!(html.contains(">0.32</text>") && !html.contains(">-"), "{html}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_numbers_that_are_none_are_left_out() {
        assert_eq!(curves(vec![]), "");
        assert_eq!(curves(vec![("north".to_owned(), vec![(1, f64::NAN)])]), "");
        let html = curves(vec![("north".to_owned(), vec![(1, f64::NAN), (2, 1.0)])]);
        assert!(!html.contains("NaN"), "{html}");
        let none = Differences {
            label: String::new(),
            rows: vec![],
        };
        assert_eq!(none.to_html(), "");
    }

    #[test]
    fn zero_is_always_in_the_picture_of_differences() {
        let row = |value, interval| Difference {
            name: "north".to_owned(),
            value,
            interval,
            told: "+4 %".to_owned(),
        };
        let plot = Differences {
            label: "gain".to_owned(),
            rows: vec![row(0.04, Some((0.02, 0.1))), row(f64::NAN, None)],
        };
        let html = plot.to_html();
        assert!(html.contains("class=\"zero\" x1=\"230.0\""), "{html}");
        assert!(html.contains("cx=\"306.0\"") && html.contains("x2=\"420.0\""), "{html}");
        assert_eq!(html.matches("<circle").count(), 1);
    }
}
