//! A preview in the reader's language: the page, `preview.json` and what is printed say the same.

use snowball_web::Language;

use super::{Preview, french, standing::Answer};

impl Preview {
    /// The same preview for readers of `language`: what is written for people. Values, names, paths and codes stay as they are.
    #[must_use]
    pub fn in_language(mut self, language: Language) -> Self {
        self.language = language;
        if language == Language::English {
            return self;
        }
        for message in &mut self.messages {
            translate(&mut message.meaning);
            let meanings = message.fields.iter_mut().filter_map(|field| field.meaning.as_mut());
            meanings.for_each(translate);
        }
        for asked in &mut self.requests {
            translate(&mut asked.often);
            translate(&mut asked.meaning);
        }
        for tensor in &mut self.update.tensors {
            translate(&mut tensor.role);
        }
        self.standing.fault = self.standing.fault.and(self.standing.fault_in_french.clone());
        for answer in &mut self.standing.answers {
            translate_answer(answer);
        }
        self
    }
}

/// One without a translation stays as it is, and a test finds it.
fn translate(text: &mut &'static str) {
    if let Some(known) = french(text) {
        *text = known;
    }
}

fn translate_answer(answer: &mut Answer) {
    translate(&mut answer.question);
    if let Some((reason, remedy)) = answer.why_in_french.clone() {
        (answer.reason, answer.remedy) = (Some(reason), Some(remedy));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, to_value};

    use super::*;
    use crate::preview::sample;

    /// Every text for people in a preview's document.
    fn texts(document: &Value) -> Vec<&str> {
        let (message, asked) = (&document["messages"][0], &document["requests"][0]);
        let answer = &document["standing"]["answers"][0];
        [
            &message["meaning"],
            &message["fields"][0]["meaning"],
            &asked["often"],
            &asked["meaning"],
            &document["update"]["tensors"][0]["role"],
            &document["standing"]["fault"],
            &answer["question"],
            &answer["reason"],
            &answer["remedy"],
        ]
        .map(|text| text.as_str().unwrap_or_else(|| panic!("no text in {document}")))
        .into()
    }

    #[test]
    fn the_document_is_in_the_language_of_the_page_and_its_codes_are_not() {
        let [english, french] =
            Language::ALL.map(|language| to_value(sample::preview().in_language(language)).unwrap());
        assert_eq!(
            (&english["language"], &french["language"]),
            (&"en".into(), &"fr".into())
        );
        for (english, french) in texts(&english).into_iter().zip(texts(&french)) {
            assert_ne!(english, french);
        }
        for code in [
            "/messages/0/often",
            "/messages/0/kind",
            "/messages/0/fields/0/about",
            "/plan/digest",
        ] {
            assert!(english.pointer(code).is_some(), "{code}");
            assert_eq!(english.pointer(code), french.pointer(code), "{code}");
        }
        assert_eq!(texts(&french)[0], crate::preview::french(texts(&english)[0]).unwrap());
    }
}
