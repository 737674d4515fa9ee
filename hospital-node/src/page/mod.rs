//! Pages for people: one shell, no outside resource, light and dark, made to be printed. English only for now.
//!
//! Whatever is put into a page is escaped. No page but the reviewer's holds a picture, and none a value of a patient.

use anyhow::Result;
use askama::Template;

use crate::selftest::Outcome;

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
}
