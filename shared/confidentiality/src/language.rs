//! The words of a table for people, in the languages of the boards that read it.
//!
//! Keywords of attributes and names of image classes stay as the standard writes them: PS3.6 and PS3.4 exist in English
//! only, and a translation of our own could not be looked up.

use crate::{Action, Rule};

/// A language that a board reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
}

impl Action {
    /// Every action, from the most to the least that stays.
    pub const ALL: [Self; 10] = [
        Self::Keep,
        Self::KeepListed,
        Self::Clean,
        Self::ShiftDate,
        Self::CapAge,
        Self::MapUid,
        Self::Pseudonym,
        Self::Dummy,
        Self::Empty,
        Self::Remove,
    ];

    /// The action in a word or two.
    #[must_use]
    pub const fn words(self, language: Language) -> &'static str {
        match (language, self) {
            (Language::English, action) => action.text(),
            (Language::French, Self::Keep) => "conservé",
            (Language::French, Self::KeepListed) => "conservé si listé",
            (Language::French, Self::Remove) => "supprimé",
            (Language::French, Self::Empty) => "vidé",
            (Language::French, Self::Dummy) => "valeur fictive",
            (Language::French, Self::Clean) => "nettoyé",
            (Language::French, Self::MapUid) => "UID remplacé",
            (Language::French, Self::ShiftDate) => "date décalée",
            (Language::French, Self::CapAge) => "âge plafonné",
            (Language::French, Self::Pseudonym) => "pseudonyme",
        }
    }

    /// What the action does, in a sentence.
    #[must_use]
    pub const fn meaning(self, language: Language) -> &'static str {
        match language {
            Language::English => match self {
                Self::Keep => "The value stays as it is.",
                Self::KeepListed => "The value stays if it is one of the policy's words. Else it is removed.",
                Self::Remove => "The attribute goes, with all that it holds.",
                Self::Empty => "The attribute stays without a value.",
                Self::Dummy => "A fixed value that says nothing takes its place.",
                Self::Clean => "Only words of a closed vocabulary stay.",
                Self::MapUid => "Each UID becomes another one, the same each time.",
                Self::ShiftDate => "All dates of a patient move by the same number of days.",
                Self::CapAge => "An age above 89 years becomes 90 years.",
                Self::Pseudonym => "A code takes its place. The key to the codes stays in the hospital.",
            },
            Language::French => match self {
                Self::Keep => "La valeur reste telle quelle.",
                Self::KeepListed => {
                    "La valeur reste si elle figure dans la liste de la politique. Sinon, elle est supprimée."
                }
                Self::Remove => "L'attribut est supprimé avec tout ce qu'il contient.",
                Self::Empty => "L'attribut reste, sans valeur.",
                Self::Dummy => "Une valeur fixe, qui ne dit rien du patient, prend sa place.",
                Self::Clean => "Seuls restent les mots d'un vocabulaire fermé.",
                Self::MapUid => "Chaque UID est remplacé par un autre, toujours le même.",
                Self::ShiftDate => "Toutes les dates d'un patient sont décalées du même nombre de jours.",
                Self::CapAge => "Un âge supérieur à 89 ans devient 90 ans.",
                Self::Pseudonym => "Un code prend sa place. La clé des codes reste à l'hôpital.",
            },
        }
    }
}

impl Rule {
    /// The rule in words.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        if language == Language::English {
            return self.to_string();
        }
        match self {
            Self::Row(code) => format!("E.1-1 {}", code.text()),
            Self::Resolved(code, demand) => format!("E.1-1 {}, type {}", code.text(), demand.text()),
            Self::Conservative(code) => format!("E.1-1 {}, non tranché, choix le plus prudent", code.text()),
            Self::Option(option) => format!("option {}", option.code()),
            Self::Listed => "dans la liste de la classe".to_owned(),
            Self::ByRepresentation => "dans la liste de la classe, selon le type de valeur".to_owned(),
            Self::NotListed => "absent de la liste de la classe".to_owned(),
            Self::UnknownClass => "classe inconnue".to_owned(),
            Self::Keyed(code) => format!("E.1-1 {}, code à clé secrète", code.text()),
            Self::LocalRemove => "politique : à supprimer".to_owned(),
            Self::LocalKeep => "politique : à conserver".to_owned(),
            Self::Structure => "structure du fichier".to_owned(),
            Self::Drawing => "superpositions et courbes".to_owned(),
            Self::Private => "attribut privé".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{KeepRule, Profile, ProfileOption, classes};

    #[test]
    fn every_action_has_words_of_its_own() {
        for language in [Language::English, Language::French] {
            let words: BTreeSet<_> = Action::ALL.map(|action| action.words(language)).into();
            let meanings: BTreeSet<_> = Action::ALL.map(|action| action.meaning(language)).into();
            assert_eq!((words.len(), meanings.len()), (Action::ALL.len(), Action::ALL.len()));
            assert!(words.iter().all(|word| word.chars().count() <= 18), "{words:?}");
        }
    }

    #[test]
    fn a_table_in_french_holds_no_english_words() {
        let keep = KeepRule {
            values: ["room 1".to_owned()].into(),
            creator: None,
        };
        let tag = crate::by_keyword("StationName").unwrap();
        let profiles = [
            Profile::default(),
            Profile::new(ProfileOption::ALL, [crate::Tag(0x0008, 0x103E)], [(tag, keep)]),
        ];
        for profile in profiles {
            for uid in classes().iter().map(|class| class.uid).chain(["1.2.3"]) {
                for row in profile.table(uid) {
                    let words = row.decision.rule.words(Language::French);
                    for english in [
                        "listed",
                        "class,",
                        "unresolved",
                        "Type",
                        "known",
                        "keyed",
                        "policy",
                        "file",
                        "private",
                    ] {
                        assert!(!words.contains(english), "{words}");
                    }
                }
            }
        }
    }
}
