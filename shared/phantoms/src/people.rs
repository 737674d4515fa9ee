//! Invented people, places and numbers. None of them exists; telephone numbers are 555-01xx.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::Sex;

const FAMILIES: [&str; 40] = [
    "Tremblay-Hébert",
    "Desrochers",
    "Lévesque",
    "Bouchard-Roy",
    "Thibeault",
    "Quesnel",
    "Archambeau",
    "Vaillancourt",
    "Gendron-Paré",
    "Laframboise",
    "Beauséjour",
    "Charlebois",
    "Duchesneau",
    "Francoeur",
    "Giguère",
    "Joncas",
    "Kirouac",
    "Labrecque",
    "Mongrain",
    "Normandeau",
    "Ouimette",
    "Pellerin",
    "Robitaille",
    "Sansoucy",
    "Turcotte",
    "Whitlock",
    "Hargreave",
    "Penhallow",
    "Osterman",
    "Macallister",
    "Brightwater",
    "Nakagawa",
    "Okafor-Lind",
    "Strandberg",
    "Villaseñor",
    "Zamorano",
    "Castellanos",
    "Grünewald",
    "Haverkamp",
    "Illingworth",
];
const WOMEN: [&str; 16] = [
    "Élodie",
    "Geneviève",
    "Mélanie",
    "Rosalie",
    "Françoise",
    "Zoé",
    "Noémie",
    "Thérèse",
    "Maude",
    "Beatrice",
    "Harriet",
    "Winifred",
    "Ingrid",
    "Akiko",
    "Inés",
    "Coralie",
];
const MEN: [&str; 16] = [
    "François",
    "Jérôme",
    "Loïc",
    "Étienne",
    "Gaétan",
    "Rémi",
    "Benoît",
    "Théodore",
    "Yannick",
    "Alistair",
    "Desmond",
    "Gilbert",
    "Magnus",
    "Kenji",
    "Joaquín",
    "Fernand",
];
const STREETS: [&str; 8] = [
    "rue des Bouleaux-Blancs",
    "chemin du Vieux-Pont",
    "avenue Belleterre",
    "boulevard des Érables-Rouges",
    "Larkspur Crescent",
    "Cranberry Mill Road",
    "Harbourview Terrace",
    "rang Saint-Anselme-le-Haut",
];
const TOWNS: [&str; 8] = [
    "Sainte-Ursule-des-Monts QC",
    "Lac-aux-Brumes QC",
    "Rivière-Cachée QC",
    "Port Wexford NS",
    "Elmhollow ON",
    "Val-Fleuri NB",
    "Grandes-Chutes QC",
    "Stonebridge Mills ON",
];
const AREAS: [&str; 5] = ["418", "514", "819", "902", "613"];

/// A day, counted from 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Day(pub i32);

impl Day {
    /// The first of January of `year`.
    pub fn new_year(year: i32) -> Self {
        let before = year - 1;
        Self(365 * (year - 1970) + before / 4 - before / 100 + before / 400 - 477)
    }

    /// Year, month and day of the month.
    pub fn civil(self) -> (i32, u32, u32) {
        // Never too late: 366-day years drift by less than one within three centuries.
        let mut year = 1969 + self.0.div_euclid(366);
        while Self::new_year(year + 1) <= self {
            year += 1;
        }
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut rest = self.0 - Self::new_year(year).0;
        for (month, days) in (1..).zip([31, 28 + i32::from(is_leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
            if rest < days {
                return (year, month, rest as u32 + 1);
            }
            rest -= days;
        }
        (year, 12, 31)
    }

    /// As DICOM writes it: `YYYYMMDD`.
    pub fn dicom(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}{month:02}{day:02}")
    }

    /// As people write it: `YYYY-MM-DD`.
    pub fn dashed(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// Completed months between `self` and the later `at`.
    pub fn months_until(self, at: Self) -> i32 {
        let ((birth_year, birth_month, birth_day), (year, month, day)) = (self.civil(), at.civil());
        (year - birth_year) * 12 + month as i32 - birth_month as i32 - i32::from(day < birth_day)
    }
}

/// An invented patient.
#[derive(Clone, Debug)]
pub struct Patient {
    /// Over the whole consortium.
    pub number: u64,
    pub family: String,
    pub given: String,
    pub sex: Sex,
    pub birth: Day,
    /// The hospital's record number.
    pub record: String,
    /// A provincial health number.
    pub health_number: String,
    pub address: String,
    pub telephone: String,
    pub mother: String,
    /// Seed of the patient's build.
    pub build: u64,
}

impl Patient {
    /// `Family^Given`.
    pub fn name(&self) -> String {
        format!("{}^{}", self.family, self.given)
    }
}

/// A patient born on `birth` with a record number in the style `prefix`.
pub fn patient(number: u64, birth: Day, prefix: &str, random: &mut ChaCha8Rng) -> Patient {
    let sex = if random.random_bool(0.5) {
        Sex::Female
    } else {
        Sex::Male
    };
    let family = pick(&FAMILIES, random);
    let given = pick(if sex == Sex::Female { &WOMEN } else { &MEN }, random);
    let (year, month, day) = birth.civil();
    let letters: String = plain(family)
        .chars()
        .filter(char::is_ascii_alphabetic)
        .take(3)
        .collect();
    let month = if sex == Sex::Female { month + 50 } else { month };
    let health_number = format!(
        "{}{} {:02}{month:02} {day:02}{:02}",
        letters.to_uppercase(),
        plain(given).chars().next().unwrap_or('X'),
        year % 100,
        random.random_range(10..99)
    );
    Patient {
        number,
        family: family.to_owned(),
        given: given.to_owned(),
        sex,
        birth,
        record: format!("{prefix}{:07}", random.random_range(1_000_000..9_999_999)),
        health_number,
        address: address(random),
        telephone: telephone(random),
        mother: format!("{}^{}", pick(&FAMILIES, random), pick(&WOMEN, random)),
        build: random.random(),
    }
}

/// `Family^Given^^Dr`.
pub fn physician(random: &mut ChaCha8Rng) -> String {
    let is_woman = random.random_bool(0.5);
    let given = pick(if is_woman { &WOMEN } else { &MEN }, random);
    format!(
        "{}^{given}^^{}",
        pick(&FAMILIES, random),
        if is_woman { "Dre" } else { "Dr" }
    )
}

/// `Family^Given` of somebody on the staff.
pub fn operator(random: &mut ChaCha8Rng) -> String {
    format!("{}^{}", pick(&FAMILIES, random), pick(&WOMEN, random))
}

pub fn address(random: &mut ChaCha8Rng) -> String {
    format!(
        "{} {}, {}",
        random.random_range(11..9800),
        pick(&STREETS, random),
        pick(&TOWNS, random)
    )
}

pub fn telephone(random: &mut ChaCha8Rng) -> String {
    format!("{}-555-01{:02}", pick(&AREAS, random), random.random_range(0..100))
}

/// A UID under 2.25, from 122 random bits.
pub fn uid(random: &mut ChaCha8Rng) -> String {
    format!("2.25.{}", random.random::<u128>() >> 6)
}

pub fn pick<'a>(list: &[&'a str], random: &mut ChaCha8Rng) -> &'a str {
    list.choose(random).copied().unwrap_or_default()
}

/// The text without its accents, as old machines write it.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            'à' | 'â' => 'a',
            'é' | 'è' | 'ê' | 'ë' => 'e',
            'É' | 'È' => 'E',
            'î' | 'ï' | 'í' => 'i',
            'ô' | 'ö' | 'ó' => 'o',
            'ù' | 'û' | 'ü' => 'u',
            'ç' => 'c',
            'ñ' => 'n',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_civil_dates() {
        assert_eq!(Day(0).dashed(), "1970-01-01");
        assert_eq!(Day(11_016).dashed(), "2000-02-29");
        assert_eq!(Day(-25_567).dashed(), "1900-01-01");
        assert_eq!(Day(19_722).dicom(), "20231231");
        let days: Vec<String> = (-30_000..30_000).map(|day| Day(day).dashed()).collect();
        assert!(days.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Day(11_016).months_until(Day(11_016 + 365)), 11);
        assert_eq!(Day(11_016).months_until(Day(11_016 + 366)), 12);
    }
}
