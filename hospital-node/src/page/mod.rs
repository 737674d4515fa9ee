//! Pages for people: one shell, no outside resource, light and dark, made to be printed; a board's preview in English or French.
//!
//! Whatever is put into a page is escaped. No page but the reviewer's and those of saliency maps and of outlines holds a picture or a patient's label; both stay
//! in the hospital.

use std::collections::BTreeMap;

use anyhow::Result;
use askama::Template;
use snowball_protocol::{intake::IntakeReason, plan::Sent};
use snowball_store::Table;
use snowball_web::Language;

use crate::{
    count::Count,
    evidence::{Evidence, Kept, shown},
    preview::{self, About, Field, Preview, Told},
    selftest::Outcome,
};

/// The page of one self-test.
pub fn selftest(outcome: &Outcome) -> Result<String> {
    Ok(SelftestPage { selftest: outcome }.render()?)
}

#[derive(Template)]
#[template(path = "selftest.html")]
struct SelftestPage<'a> {
    selftest: &'a Outcome,
}

impl SelftestPage<'_> {
    fn percent(&self, share: &f64) -> String {
        percent(*share)
    }

    fn found(&self, outcome: &Outcome) -> u64 {
        outcome.reread.found.values().sum()
    }
}

/// The board's page.
pub fn deidentification(evidence: &Evidence) -> Result<String> {
    Ok(DeidentificationPage { e: evidence }.render()?)
}

#[derive(Template)]
#[template(path = "deidentification.html")]
struct DeidentificationPage<'a> {
    e: &'a Evidence,
}

impl DeidentificationPage<'_> {
    fn percent(&self, share: &f64) -> String {
        percent(*share)
    }

    fn found(&self, outcome: &Outcome) -> u64 {
        outcome.reread.found.values().sum()
    }

    fn day(&self, seconds: &i64) -> String {
        jiff::Timestamp::from_second(*seconds)
            .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%d").to_string())
    }

    fn written(&self) -> u64 {
        self.e.files.folders.iter().map(|folder| folder.written).sum()
    }

    fn reasons(&self, reasons: &BTreeMap<IntakeReason, Count>) -> String {
        let words: Vec<String> = reasons
            .iter()
            .map(|(reason, count)| format!("{} {count}", reason.code().replace('_', " ")))
            .collect();
        words.join(", ")
    }

    fn words(&self, action: &str) -> String {
        action.replace('_', " ")
    }

    fn terms(&self, kept: &Kept) -> Vec<(String, String)> {
        shown(&kept.terms)
    }

    fn cells(&self, table: &Table) -> Vec<(String, String)> {
        shown(table)
    }

    fn is_of_another_policy(&self, outcome: &Outcome) -> bool {
        self.e
            .rules
            .as_ref()
            .is_ok_and(|rules| outcome.policy_digest != Some(rules.digest))
    }
}

/// What would leave in a study, for a board that has not approved it.
pub fn preview(preview: &Preview, language: Language) -> Result<String> {
    Ok(match language {
        Language::English => PreviewPage { p: preview }.render()?,
        Language::French => PreviewPageInFrench { p: preview }.render()?,
    })
}

#[derive(Template)]
#[template(path = "preview.html")]
struct PreviewPage<'a> {
    p: &'a Preview,
}

impl PreviewPage<'_> {
    fn day(&self, seconds: &i64) -> String {
        jiff::Timestamp::from_second(*seconds)
            .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%d").to_string())
    }

    fn asks(&self) -> String {
        let kinds = self.p.plan.send.iter().map(|sent| match sent {
            Sent::Update => "updates",
            Sent::Metrics => "measurements",
            Sent::DetailedMetrics => "detailed measurements",
        });
        kinds.collect::<Vec<_>>().join(" and ")
    }

    /// A count of bytes with thin separators, so that large ones can be read.
    fn bytes(&self, bytes: &u64) -> String {
        grouped(*bytes)
    }

    fn over_the_study(&self, told: &Told) -> String {
        grouped(told.bytes * told.often.times(u64::from(self.p.plan.rounds)))
    }

    fn about(&self, field: &Field) -> &'static str {
        field.about.map_or("not explained", |about| about.text())
    }

    fn is_about_patients(&self, field: &Field) -> bool {
        field.about == Some(About::Patients)
    }

    fn found(&self) -> u64 {
        self.p.search.found.values().sum()
    }

    fn stays(&self, told: &Told, field: &Field) -> bool {
        self.p.is_measurement(told.kind, &field.path)
    }
}

#[derive(Template)]
#[template(path = "preview.fr.html")]
struct PreviewPageInFrench<'a> {
    p: &'a Preview,
}

impl PreviewPageInFrench<'_> {
    const fn english(&self) -> PreviewPage<'_> {
        PreviewPage { p: self.p }
    }

    /// A text of the preview; one without a translation stays as it is, and a test finds it.
    fn french<'t>(&self, english: &'t str) -> &'t str {
        preview::french(english).unwrap_or(english)
    }

    fn day(&self, seconds: &i64) -> String {
        self.english().day(seconds)
    }

    fn asks(&self) -> String {
        let kinds = self.p.plan.send.iter().map(|sent| match sent {
            Sent::Update => "mises à jour",
            Sent::Metrics => "mesures",
            Sent::DetailedMetrics => "mesures détaillées",
        });
        kinds.collect::<Vec<_>>().join(" et ")
    }

    fn bytes(&self, bytes: &u64) -> String {
        grouped(*bytes)
    }

    fn over_the_study(&self, told: &Told) -> String {
        self.english().over_the_study(told)
    }

    fn about(&self, field: &Field) -> &'static str {
        let about = field.about.and_then(|about| preview::french(about.text()));
        about.unwrap_or("inexpliqué")
    }

    fn is_about_patients(&self, field: &Field) -> bool {
        self.english().is_about_patients(field)
    }

    fn found(&self) -> u64 {
        self.english().found()
    }

    fn stays(&self, told: &Told, field: &Field) -> bool {
        self.english().stays(told, field)
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        // Digits are ASCII: every part of them is text.
        .map(|group| str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join("\u{202f}")
}

/// A picture on a reviewer's page.
pub struct SheetPicture {
    /// Its number over all pages, from 1.
    pub number: usize,
    /// JPEG, base64.
    pub jpeg: String,
}

/// One page for a reviewer: patients' pixels, for eyes that may see them.
pub fn sheet(drawn: usize, page: usize, pages: usize, pictures: &[SheetPicture]) -> Result<String> {
    let sheet = SheetPage {
        drawn,
        page,
        pages,
        pictures,
    };
    Ok(sheet.render()?)
}

#[derive(Template)]
#[template(path = "sheet.html")]
struct SheetPage<'a> {
    drawn: usize,
    page: usize,
    pages: usize,
    pictures: &'a [SheetPicture],
}

/// Radiographs and where in them an output came from: patients' pixels, for eyes that may see them.
pub struct Saliency<'a> {
    pub study: &'a str,
    pub label: String,
    pub part: &'static str,
    pub pictures: Vec<SaliencyPicture>,
}

/// One radiograph beside itself under its map.
pub struct SaliencyPicture {
    pub number: usize,
    /// Its file beside the page.
    pub file: String,
    /// Pseudonym, hex.
    pub radiograph: String,
    pub said: String,
    pub truth: Option<String>,
    /// Fields of the map.
    pub width: u32,
    pub height: u32,
    /// Whether any field raised the output.
    pub raises: bool,
    /// PNG, base64.
    pub png: String,
}

/// The page of saliency maps.
pub fn saliency(page: &Saliency<'_>) -> Result<String> {
    Ok(SaliencyPage { page }.render()?)
}

#[derive(Template)]
#[template(path = "saliency.html")]
struct SaliencyPage<'a> {
    page: &'a Saliency<'a>,
}

/// Radiographs and what a model outlines of them: patients' pixels, for eyes that may see them.
pub struct Outlines<'a> {
    pub study: &'a str,
    pub label: &'a str,
    pub part: &'static str,
    pub pictures: Vec<Outlined>,
}

/// One radiograph beside itself with outlines.
pub struct Outlined {
    pub number: usize,
    /// The mask's file beside the page.
    pub file: String,
    /// How much each class takes.
    pub marked: String,
    /// Whether the hospital drew a mask too.
    pub has_own: bool,
    /// PNG, base64.
    pub png: String,
}

/// The page of outlines.
pub fn outlines(page: &Outlines<'_>) -> Result<String> {
    Ok(OutlinesPage { page }.render()?)
}

#[derive(Template)]
#[template(path = "outlines.html")]
struct OutlinesPage<'a> {
    page: &'a Outlines<'a>,
}

/// A share in percent with three digits; less than all is never rounded up to all.
pub(crate) fn percent(share: f64) -> String {
    let percent = (share * 100_000.0).floor() / 1000.0;
    format!("{percent:.3} %")
}

#[cfg(test)]
mod tests {
    #[test]
    fn less_than_all_never_reads_as_all() {
        assert_eq!(super::percent(1.0), "100.000 %");
        assert_eq!(super::percent(0.999_999_9), "99.999 %");
        assert_eq!(super::percent(0.0), "0.000 %");
    }

    #[test]
    fn large_counts_are_grouped_by_three() {
        assert_eq!(super::grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(
            (super::grouped(0), super::grouped(999)),
            ("0".to_owned(), "999".to_owned())
        );
    }
}
