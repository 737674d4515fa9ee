//! A plot of what was measured at some numbers, each value with its interval: lines over an axis that rises by factors or evenly.

use crate::{
    Html,
    plot::{LOOKS, begin, grid},
    range::{Range, round_steps},
};

const LEFT: f64 = 74.0;
const RIGHT: f64 = 690.0;
const HEIGHT: f64 = 300.0;
const ROW: f64 = 22.0;
/// Between the intervals of two lines at the same number, so that none hides another.
const APART: f64 = 7.0;
/// More numbers than this under an even axis would run into each other.
const NUMBERS_MAX: u64 = 14;
/// Steps of the axis of values, about.
const STEPS: u32 = 5;

/// How the numbers lie beside each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Axis {
    /// Ten times as much is as far as ten times as much: such as numbers of labels.
    Factors,
    /// One more is as far as one more: such as rounds.
    Steps,
}

/// Lines over the same numbers.
pub struct Measured {
    /// What the plot shows, for those who hear the page.
    pub label: String,
    /// The lines.
    pub lines: Vec<MeasuredLine>,
    /// How the numbers lie.
    pub axis: Axis,
    /// How a value is written.
    pub written: fn(f64) -> String,
}

/// One line.
pub struct MeasuredLine {
    /// What it is of.
    pub name: String,
    /// Its points, from the left.
    pub points: Vec<MeasuredPoint>,
}

/// One value; one that is not finite is left out.
#[derive(Clone, Copy)]
pub struct MeasuredPoint {
    /// At which number; by factors from 1 on.
    pub at: u64,
    /// The value.
    pub value: f64,
    /// From where to where it may be.
    pub interval: (f64, f64),
}

impl Measured {
    /// Nothing where there is no value.
    pub(crate) fn to_html(&self) -> String {
        let points = || {
            let all = self.lines.iter().flat_map(|line| &line.points);
            all.filter(|point| point.value.is_finite())
        };
        let values = Range::of(points().flat_map(|point| [point.value, point.interval.0, point.interval.1]));
        let place_of = |at: u64| match self.axis {
            Axis::Factors => (at.max(1) as f64).ln(),
            Axis::Steps => at as f64,
        };
        let places = Range::of(points().map(|point| place_of(point.at)));
        let (Some(values), Some(places)) = (values, places) else {
            return String::new();
        };
        let (values, ticks) = values.rounded(STEPS);
        let top = ROW * self.lines.len() as f64 + 14.0;
        let bottom = top + HEIGHT;
        let x = |at: u64| places.place(place_of(at), LEFT + 40.0, RIGHT - 40.0);
        let y = |value: f64| values.place(value, bottom, top);
        let mut svg = begin(&self.label, bottom + 28.0);
        svg += &grid(&ticks, self.written, y, LEFT, RIGHT);
        let mut numbers: Vec<u64> = points().map(|point| point.at).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if let (Axis::Steps, [first, .., last]) = (self.axis, numbers.as_slice()) {
            numbers = round_steps(*first, *last, NUMBERS_MAX);
        }
        for at in numbers {
            svg += &format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{at}</text>\n",
                x(at),
                bottom + 20.0
            );
        }
        for (place, line) in self.lines.iter().enumerate() {
            let shift = APART * (place as f64 - (self.lines.len() as f64 - 1.0) / 2.0);
            svg += &drawn(line, place % LOOKS, &|at| x(at) + shift, &y);
            let row = 14.0 + ROW * place as f64;
            svg += &format!(
                "<polyline class=\"line{0}\" points=\"{LEFT:.1},{1:.1} {2:.1},{1:.1}\"></polyline>\
                 <text x=\"{3:.1}\" y=\"{row:.1}\">{4}</text>\n",
                place % LOOKS,
                row - 4.0,
                LEFT + 34.0,
                LEFT + 42.0,
                Html::text(&line.name).as_str()
            );
        }
        svg + "</svg></figure>\n"
    }
}

fn drawn(line: &MeasuredLine, look: usize, x: &dyn Fn(u64) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let finite = || line.points.iter().filter(|point| point.value.is_finite());
    let course: Vec<String> = finite()
        .map(|point| format!("{:.1},{:.1}", x(point.at), y(point.value)))
        .collect();
    let mut svg = format!(
        "<polyline class=\"line{look}\" points=\"{}\"></polyline>\n",
        course.join(" ")
    );
    for point in finite() {
        svg += &format!(
            "<polyline class=\"line{look} whisker\" points=\"{0:.1},{1:.1} {0:.1},{2:.1}\"></polyline>\
             <circle class=\"point{3}\" cx=\"{0:.1}\" cy=\"{4:.1}\" r=\"4\"></circle>\n",
            x(point.at),
            y(point.interval.0),
            y(point.interval.1),
            look,
            y(point.value)
        );
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(lines: Vec<MeasuredLine>) -> String {
        plot_on(Axis::Factors, lines)
    }

    fn plot_on(axis: Axis, lines: Vec<MeasuredLine>) -> String {
        let plot = Measured {
            label: "area <by> labels".to_owned(),
            lines,
            axis,
            written: |value| format!("{value:.2}"),
        };
        plot.to_html()
    }

    fn line(name: &str, values: &[(u64, f64)]) -> MeasuredLine {
        let point = |(at, value): &(u64, f64)| MeasuredPoint {
            at: *at,
            value: *value,
            interval: (value - 0.1, value + 0.1),
        };
        MeasuredLine {
            name: name.to_owned(),
            points: values.iter().map(point).collect(),
        }
    }

    #[test]
    fn numbers_stand_by_factors_and_every_value_has_its_interval() {
        let html = plot(vec![line("scratch & co", &[(50, 0.5), (500, 0.7), (5000, 0.8)])]);
        // The middle of 50 and 5000 by factors is 500.
        assert!(html.contains("x=\"382.0\"") && html.contains(">500</text>"), "{html}");
        assert_eq!(html.matches("whisker").count(), 3);
        assert!(html.contains("scratch &amp; co") && html.contains("area &lt;by&gt; labels"));
        assert!(html.contains(">0.40</text>") && html.contains(">0.90</text>"), "{html}");
    }

    #[test]
    fn steps_lie_evenly_and_not_every_one_is_written() {
        let values: Vec<(u64, f64)> = (0..=28).map(|step| (step, 0.5)).collect();
        let html = plot_on(Axis::Steps, vec![line("rounds", &values)]);
        // Half the steps are half the way.
        assert!(html.contains("cx=\"382.0\""), "{html}");
        assert!(html.contains(">5</text>") && !html.contains(">4</text>"), "{html}");
        assert_eq!(html.matches("<circle").count(), 29);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        assert_eq!(plot(vec![]), "");
        assert_eq!(plot(vec![line("none", &[(1, f64::NAN)])]), "");
        let html = plot(vec![line("some", &[(1, f64::NAN), (2, 1.0)])]);
        assert!(!html.contains("NaN") && html.matches("<circle").count() == 1, "{html}");
    }
}
