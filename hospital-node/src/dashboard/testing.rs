//! A node with radiographs in its store, made up, and a page as the tests look at it.

use std::path::Path;

use snowball_phantoms::Consortium;
use snowball_web::{Language, Message, Page};

use crate::{
    cli::init,
    home::Home,
    selftest::{self, Progress},
};

/// A node in a folder below `root`, with some radiographs, and some files that wait.
pub fn node(root: &Path) -> Home {
    node_of(12, root)
}

/// The same of so many made-up files.
pub fn node_of(images_per_hospital: u64, root: &Path) -> Home {
    let folder = root.join("home");
    init::make(&folder, "north".parse().unwrap(), 1).unwrap();
    let home = Home::existing(&folder).unwrap();
    let consortium = Consortium {
        hospitals: 1,
        images_per_hospital,
        longest_side: 64,
        hostile_fraction: 1.0,
        ..Consortium::default()
    };
    let hospitals = snowball_phantoms::write(&consortium, &root.join("files"), &|_, _| {}).unwrap();
    let silent = |_: &str, _| indicatif::ProgressBar::hidden();
    selftest::take_in(&home, &home.config().unwrap(), &hospitals[0].dicom, &Progress(&silent)).unwrap();
    home
}

/// A page that `fill` filled; it must be well formed.
pub fn shown(title: Message, language: Language, fill: impl FnOnce(&mut Page)) -> String {
    let mut page = Page::new(language, title.html(language));
    fill(&mut page);
    let html = page.finish();
    assert_eq!(snowball_web::fault(&html), None, "{html}");
    html
}
