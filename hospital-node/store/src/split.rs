//! Which part of every dataset a patient belongs to.

use snowball_crypto::Pseudonym;
use snowball_worker::shard::Part;

/// Shares of 65,536: 70 % training, 15 % validation, the rest testing.
const TRAINING_END: u32 = 45_875;
const VALIDATION_END: u32 = 55_706;

/// The part of the patient behind `patient`, from the pseudonym's first two bytes.
///
/// A pseudonym is the output of HMAC-SHA-256 under the site's key (RFC 2104), hence uniform and blind to everything about
/// the patient. The store asks once, at a patient's first radiograph, and keeps the answer.
#[must_use]
pub fn part_of(patient: &Pseudonym) -> Part {
    let bytes = patient.as_bytes();
    match u32::from(u16::from_be_bytes([bytes[0], bytes[1]])) {
        0..TRAINING_END => Part::Training,
        TRAINING_END..VALIDATION_END => Part::Validation,
        _ => Part::Testing,
    }
}

/// The part as written in the database.
pub(crate) const fn code_of(part: Part) -> u8 {
    match part {
        Part::Training => 0,
        Part::Validation => 1,
        Part::Testing => 2,
    }
}

/// The part that `code` stands for.
pub(crate) const fn part_from(code: u8) -> Option<Part> {
    match code {
        0 => Some(Part::Training),
        1 => Some(Part::Validation),
        2 => Some(Part::Testing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starting_with(number: u16) -> Pseudonym {
        format!("{number:04x}{}", "5a".repeat(30)).parse().unwrap()
    }

    #[test]
    fn the_shares_are_70_15_15() {
        let mut counts = [0u32; 3];
        for number in 0..=u16::MAX {
            counts[usize::from(code_of(part_of(&starting_with(number))))] += 1;
        }
        assert_eq!(counts, [45_875, 9_831, 9_830]);
    }

    #[test]
    fn a_change_of_these_answers_would_move_patients_between_parts() {
        assert_eq!(part_of(&starting_with(0)), Part::Training);
        assert_eq!(part_of(&starting_with(45_874)), Part::Training);
        assert_eq!(part_of(&starting_with(45_875)), Part::Validation);
        assert_eq!(part_of(&starting_with(55_706)), Part::Testing);
        assert_eq!(part_of(&starting_with(u16::MAX)), Part::Testing);
    }

    #[test]
    fn codes_come_back() {
        for part in [Part::Training, Part::Validation, Part::Testing] {
            assert_eq!(part_from(code_of(part)), Some(part));
        }
        assert_eq!(part_from(3), None);
    }
}
