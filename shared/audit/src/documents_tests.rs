//! The auditors' page holds what the program knows.

use crate::{Area, Code, Keys};

const PAGE: &str = include_str!("../../../hospital-node/docs/auditing.md");

#[test]
fn the_sample_of_a_keys_file_is_one() {
    let (_, rest) = PAGE.split_once("```toml\n").unwrap();
    let (sample, _) = rest.split_once("```").unwrap();
    let keys = Keys::parse(sample).unwrap();
    assert_eq!((keys.sites.len(), keys.ca.len()), (1, 1));
}

#[test]
fn the_page_has_every_part_and_every_finding() {
    for area in Area::ALL {
        let row = format!("| `{}` | {}", area.name(), area.words());
        assert!(PAGE.contains(&row), "{row}");
    }
    for code in Code::ALL {
        assert!(PAGE.contains(&format!("`{}`", code.code())), "{}", code.code());
    }
}
