//! A plot of bars, one a row, each of several parts, as SVG that stands in the page.

use crate::Html;

const WIDTH: u64 = 720;
const LEFT: u64 = 130;
const BAR_WIDTH: u64 = 430;
const ROW_HEIGHT: u64 = 24;
const BAR_HEIGHT: u64 = 15;
/// Parts that have a colour of their own.
const PARTS_MAX: usize = 2;

/// One bar.
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// Its parts, from the left.
    pub parts: [u64; PARTS_MAX],
    /// What stands behind it.
    pub told: String,
}

/// A plot.
pub struct Bars {
    /// What the plot shows, for those who hear the page.
    pub label: String,
    /// What each part is.
    pub legend: [String; PARTS_MAX],
    /// The bars, from the top.
    pub bars: Vec<Bar>,
}

impl Bars {
    pub(crate) fn to_html(&self) -> String {
        let sum = |bar: &Bar| bar.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(*part));
        let longest = self.bars.iter().map(sum).max().unwrap_or(0).max(1);
        let height = ROW_HEIGHT * (self.bars.len() as u64 + 1) + 6;
        let mut svg = format!(
            "<figure><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n",
            Html::text(&self.label).as_str()
        );
        let mut x = LEFT;
        for (part, text) in self.legend.iter().enumerate() {
            svg += &format!("<rect class=\"part{part}\" x=\"{x}\" y=\"4\" width=\"12\" height=\"12\"></rect>");
            svg += &format!("<text x=\"{}\" y=\"15\">{}</text>\n", x + 18, Html::text(text).as_str());
            x += 40 + 8 * text.chars().count() as u64;
        }
        for (row, bar) in self.bars.iter().enumerate() {
            let top = ROW_HEIGHT * (row as u64 + 1) + 4;
            let line = top + 12;
            svg += &format!("<text x=\"0\" y=\"{line}\">{}</text>", Html::text(&bar.name).as_str());
            let mut left = LEFT;
            for (part, size) in bar.parts.iter().enumerate() {
                let width = scaled(*size, longest);
                svg += &format!(
                    "<rect class=\"part{part}\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{BAR_HEIGHT}\"></rect>"
                );
                left += width;
            }
            svg += &format!(
                "<text x=\"{}\" y=\"{line}\">{}</text>\n",
                left + 8,
                Html::text(&bar.told).as_str()
            );
        }
        svg + "</svg></figure>\n"
    }
}

/// The length of `size` where `longest` fills the width; what is not nothing is seen.
fn scaled(size: u64, longest: u64) -> u64 {
    let width = u128::from(size) * u128::from(BAR_WIDTH) / u128::from(longest);
    match u64::try_from(width) {
        Ok(0) if size > 0 => 1,
        Ok(width) => width,
        Err(_) => BAR_WIDTH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_little_is_not_nothing() {
        assert_eq!(scaled(0, 100), 0);
        assert_eq!(scaled(1, u64::MAX), 1);
        assert_eq!(scaled(50, 100), BAR_WIDTH / 2);
        assert_eq!(scaled(u64::MAX, u64::MAX), BAR_WIDTH);
    }
}
