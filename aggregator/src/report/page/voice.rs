//! How a page says things: in one language, with its numbers as that language writes them.

use snowball_protocol::SiteName;
use snowball_web::{Column, Html, Language, Message};

use crate::report::words;

/// The language of a page.
#[derive(Clone, Copy)]
pub struct Voice {
    /// Which.
    pub language: Language,
}

impl Voice {
    /// A text.
    pub fn word(self, message: Message) -> Html {
        message.html(self.language)
    }

    /// A text with values in their places.
    pub fn say(self, message: Message, values: &[(&str, Html)]) -> Html {
        message.say(self.language, values)
    }

    /// A whole number.
    pub fn number(self, number: u64) -> Html {
        Html::number(number, self.language)
    }

    /// A column of words.
    pub fn words(self, heading: Message) -> Column {
        Column::words(self.word(heading))
    }

    /// A column of numbers.
    pub fn numbers(self, heading: Message) -> Column {
        Column::numbers(self.word(heading))
    }

    /// Sites, or that there is none.
    pub fn names<'n>(self, names: impl IntoIterator<Item = &'n SiteName>) -> Html {
        let names: Vec<Html> = names.into_iter().map(|name| Html::text(name.as_str())).collect();
        if names.is_empty() {
            self.word(words::NONE)
        } else {
            Html::join(names, ", ")
        }
    }
}
