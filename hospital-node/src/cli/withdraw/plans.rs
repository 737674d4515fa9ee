//! What review plans have of a patient who withdraws: the pseudonyms of their pictures, and pages that show them.

use anyhow::Result;
use serde::Serialize;

use crate::{
    cli::review::{self, Drawn},
    home::Home,
};

/// In a plan, in place of a picture whose patient withdrew.
const WITHDRAWN: &str = "withdrawn";

/// A plan that had pictures of the patient drawn.
#[derive(Serialize, PartialEq, Eq, Debug)]
pub struct Planned {
    /// As `review list` names it.
    plan: String,
    /// Their numbers on the pages.
    numbers: Vec<usize>,
    /// The folder to which the pages were written: this program deletes nothing there, for a person may have moved them.
    pages: Option<String>,
}

/// Takes out of every plan the pictures that `is_theirs` knows.
pub fn forget(home: &Home, is_theirs: impl Fn(&str) -> bool) -> Result<Vec<Planned>> {
    let mut planned = Vec::new();
    for (name, mut drawn) in review::all(home)? {
        let numbers = strike(&mut drawn, &is_theirs)?;
        if numbers.is_empty() {
            continue;
        }
        review::keep(home, &name, &drawn)?;
        planned.push(Planned {
            plan: name,
            numbers,
            pages: drawn.pages,
        });
    }
    Ok(planned)
}

/// The numbers that were taken out. The plan keeps the digest that the ledger knows it by.
fn strike(drawn: &mut Drawn, is_theirs: impl Fn(&str) -> bool) -> Result<Vec<usize>> {
    let digest = drawn.digest()?;
    let mut numbers = Vec::new();
    for (number, picture) in (1..).zip(&mut drawn.pictures) {
        if is_theirs(picture) {
            WITHDRAWN.clone_into(picture);
            numbers.push(number);
        }
    }
    if !numbers.is_empty() {
        drawn.drawn_as = Some(digest);
    }
    Ok(numbers)
}

impl Planned {
    pub fn text(&self) -> String {
        let numbers: Vec<String> = self.numbers.iter().map(ToString::to_string).collect();
        let pages = self.pages.as_deref().unwrap_or("the folder it was written to");
        format!(
            "review plan {}: picture {} showed the patient; delete the pages in {pages}",
            self.plan,
            numbers.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_loses_the_patient_s_pictures_and_keeps_its_digest_and_numbers() {
        let mut drawn = Drawn {
            source: "store".to_owned(),
            seed: 1,
            bound: 0.005,
            confidence: 0.95,
            drawn_at: 0,
            strata: Vec::new(),
            pictures: ["a1", "b1", "a2"].map(str::to_owned).to_vec(),
            pages: Some("/srv/sheets".to_owned()),
            drawn_as: None,
            records: Vec::new(),
        };
        let digest = drawn.digest().unwrap();
        let theirs = |name: &str| name.starts_with('a');
        assert_eq!(strike(&mut drawn, theirs).unwrap(), [1, 3]);
        assert_eq!(drawn.pictures, [WITHDRAWN, "b1", WITHDRAWN]);
        assert_eq!(drawn.digest().unwrap(), digest);
        assert!(strike(&mut drawn, theirs).unwrap().is_empty(), "asked again");
        assert_eq!(strike(&mut drawn, |name| name == "b1").unwrap(), [2]);
        assert_eq!(drawn.digest().unwrap(), digest);
    }
}
