//! Two plots as SVG that stand in the page: curves over steps, and differences with their intervals.

use crate::Html;

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
/// Lines that look different.
pub(crate) const LOOKS: usize = 6;

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
        let top = ROW * self.lines.len().div_ceil(3) as f64 + 12.0;
        let bottom = top + CURVES_HEIGHT;
        let x = |step: f64| steps.place(step, LEFT, WIDTH - 20.0);
        let y = |value: f64| values.place(value, bottom, top);
        let mut svg = begin(&self.label, bottom + 26.0);
        for (end, anchor) in [(values.low, bottom), (values.high, top)] {
            let text = Html::text(&(self.written)(end));
            svg += &format!(
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{anchor:.1}\" x2=\"{:.1}\" y2=\"{anchor:.1}\"></line>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                WIDTH - 20.0,
                LEFT - 8.0,
                anchor + 4.0,
                text.as_str()
            );
        }
        let told = points().map(|(step, _)| *step);
        let (first, last) = (told.clone().min().unwrap_or(0), told.max().unwrap_or(0));
        // One step alone is told once.
        let mut ends = vec![f64::from(first), f64::from(last)];
        ends.dedup();
        for step in ends {
            svg += &format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{step:.0}</text>\n",
                x(step),
                bottom + 20.0
            );
        }
        for (place, (name, line)) in self.lines.iter().enumerate() {
            let look = place % LOOKS;
            let points: Vec<String> = line
                .iter()
                .filter(|(_, value)| value.is_finite())
                .map(|(step, value)| format!("{:.1},{:.1}", x(f64::from(*step)), y(*value)))
                .collect();
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

/// From the least to the largest value, never of no width.
pub(crate) struct Range {
    low: f64,
    high: f64,
}

impl Range {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return None;
        }
        Some(if low < high {
            Self { low, high }
        } else {
            let half = (low.abs() / 10.0).max(0.5);
            Self {
                low: low - half,
                high: high + half,
            }
        })
    }

    pub(crate) fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        from + (value - self.low) / (self.high - self.low) * (to - from)
    }

    /// The value at this share of the way from the least to the largest.
    pub(crate) fn at(&self, share: f64) -> f64 {
        share.mul_add(self.high - self.low, self.low)
    }
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
