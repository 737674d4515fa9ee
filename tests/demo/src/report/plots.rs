//! The report's plots, as SVG that stands in the page.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::results::{Quality, Results};

const SIZE: (u32, u32) = (520, 280);
const BLUE: RGBColor = RGBColor(31, 97, 141);
const ORANGE: RGBColor = RGBColor(202, 111, 30);
const GREEN: RGBColor = RGBColor(30, 132, 73);
const GREY: RGBColor = RGBColor(127, 140, 141);

type Line<'a> = (&'a str, RGBColor, Vec<(f64, f64)>);

/// Balanced accuracy by round.
pub fn accuracy(curve: &[(u32, Quality)]) -> Result<String> {
    let lines = [
        (
            "body part",
            BLUE,
            points(curve, |quality| quality.body_part.map(|value| value * 100.0)),
        ),
        (
            "view",
            ORANGE,
            points(curve, |quality| quality.view.map(|value| value * 100.0)),
        ),
        (
            "sex",
            GREEN,
            points(curve, |quality| quality.sex.map(|value| value * 100.0)),
        ),
    ];
    chart(&lines, Some(100.0), "balanced accuracy, %")
}

/// Age error by round, beside the constant predictor's.
pub fn age(curve: &[(u32, Quality)]) -> Result<String> {
    let lines = [
        ("federated model", BLUE, points(curve, |quality| quality.age)),
        (
            "constant predictor",
            GREY,
            points(curve, |quality| quality.age_constant),
        ),
    ];
    chart(&lines, None, "mean absolute error, years")
}

/// Loss by round.
pub fn loss(curve: &[(u32, Quality)]) -> Result<String> {
    chart(
        &[("validation loss", BLUE, points(curve, |quality| quality.loss))],
        None,
        "loss",
    )
}

/// Body part alone and federated, by site.
pub fn gain(results: &Results) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let sites = results.sites.len().max(1);
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(28)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..sites as f64, 0.0..100.0)
            .map_err(plain)?;
        let names: Vec<String> = results.sites.iter().map(|site| site.site.clone()).collect();
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .bold_line_style(GREY.mix(0.25))
            .light_line_style(TRANSPARENT)
            .y_desc("body part, balanced accuracy, %")
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(plain)?;
        for (position, site) in results.sites.iter().enumerate() {
            let value = |part: &Option<snowball_protocol::evaluation::Evaluation>| {
                part.as_ref()
                    .map(Quality::of)
                    .and_then(|quality| quality.body_part)
                    .unwrap_or(0.0)
                    * 100.0
            };
            let left = position as f64;
            for (offset, color, height) in [(0.14, GREY, value(&site.alone)), (0.5, BLUE, value(&site.federated))] {
                let corners = [(left + offset, 0.0), (left + offset + 0.34, height)];
                chart
                    .draw_series([Rectangle::new(corners, color.mix(0.85).filled())])
                    .map_err(plain)?;
                let label = format!("{height:.0}");
                let place = (left + offset + 0.1, (height + 4.0).min(98.0));
                chart
                    .draw_series([Text::new(label, place, ("sans-serif", 12))])
                    .map_err(plain)?;
            }
            let at = area.dim_in_pixel();
            let x = 60 + ((at.0 as f64 - 68.0) * (left + 0.42) / sites as f64) as i32;
            let style = ("sans-serif", 13).into_text_style(&area);
            area.draw_text(&names[position], &style, (x - 16, at.1 as i32 - 26))
                .map_err(plain)?;
        }
        area.present().map_err(plain)?;
    }
    Ok(svg)
}

fn points(curve: &[(u32, Quality)], value: impl Fn(&Quality) -> Option<f64>) -> Vec<(f64, f64)> {
    curve
        .iter()
        .filter_map(|(round, quality)| Some((f64::from(*round), value(quality)?)))
        .collect()
}

fn chart(lines: &[Line<'_>], top: Option<f64>, unit: &str) -> Result<String> {
    let highest = lines
        .iter()
        .flat_map(|line| &line.2)
        .map(|point| point.1)
        .fold(0.0, f64::max);
    let rounds = lines
        .iter()
        .flat_map(|line| &line.2)
        .map(|point| point.0)
        .fold(1.0, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(34)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..rounds, 0.0..top.unwrap_or((highest * 1.1).max(0.1)))
            .map_err(plain)?;
        chart
            .configure_mesh()
            .bold_line_style(GREY.mix(0.25))
            .light_line_style(TRANSPARENT)
            .x_desc("round")
            .y_desc(unit)
            .x_label_formatter(&|value| format!("{value:.0}"))
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(plain)?;
        for (name, color, points) in lines {
            if points.is_empty() {
                continue;
            }
            let color = *color;
            chart
                .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))
                .map_err(plain)?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
            chart
                .draw_series(points.iter().map(|point| Circle::new(*point, 2, color.filled())))
                .map_err(plain)?;
        }
        if lines.len() > 1 {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::LowerRight)
                .background_style(WHITE.mix(0.85))
                .border_style(GREY.mix(0.4))
                .label_font(("sans-serif", 13))
                .draw()
                .map_err(plain)?;
        }
        area.present().map_err(plain)?;
    }
    Ok(svg)
}

fn plain(fault: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("a plot cannot be drawn: {fault}")
}
