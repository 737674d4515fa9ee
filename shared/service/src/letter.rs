//! A page of plain text that fits a mail: a title, and sections of paragraphs in lines of at most 72 characters.

use serde::Serialize;

/// RFC 3676 and older habits: what every mail program shows unbroken, also quoted once.
const LINE_CHARACTERS_MAX: usize = 72;

/// The page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Letter {
    /// What it is about.
    pub title: String,
    /// In order.
    pub sections: Vec<Section>,
}

/// A part of the page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Section {
    /// Its heading.
    pub heading: &'static str,
    /// Its paragraphs, each without line breaks.
    pub paragraphs: Vec<String>,
}

impl Section {
    /// The part under `heading`.
    #[must_use]
    pub const fn of(heading: &'static str, paragraphs: Vec<String>) -> Self {
        Self { heading, paragraphs }
    }
}

impl Letter {
    /// The page in lines.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.title.clone();
        for section in &self.sections {
            text += &format!("\n\n{}\n", section.heading.to_uppercase());
            for paragraph in &section.paragraphs {
                text += "\n";
                text += &filled(paragraph);
            }
        }
        text
    }
}

/// Breaks at spaces; a word that is longer than a line, such as an address, keeps its line for itself.
fn filled(paragraph: &str) -> String {
    let (mut text, mut line) = (String::new(), "-".to_owned());
    for word in paragraph.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > LINE_CHARACTERS_MAX && line.len() > 1 {
            text += line.trim_end();
            text += "\n";
            line = " ".to_owned();
        }
        line += " ";
        line += word;
    }
    text + &line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits_a_mail_and_no_word_is_lost() {
        let long = "outgoing connections ".repeat(20);
        let address = format!("https://{}.example.org:7443", "a".repeat(80));
        let letter = Letter {
            title: "For the firewall team".to_owned(),
            sections: vec![Section {
                heading: "What is asked for",
                paragraphs: vec![long.clone(), format!("to {address} alone")],
            }],
        };
        let text = letter.text();
        let too_long: Vec<&str> = text
            .lines()
            .filter(|line| line.chars().count() > LINE_CHARACTERS_MAX)
            .collect();
        assert_eq!(too_long, [format!("  {address}")]);
        assert!(
            text.starts_with("For the firewall team\n\nWHAT IS ASKED FOR\n\n- outgoing connections"),
            "{text}"
        );
        let words = |text: &str| text.split_whitespace().filter(|word| *word == "outgoing").count();
        assert_eq!(words(&text), words(&long));
    }
}
