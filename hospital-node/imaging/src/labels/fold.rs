//! Text as the dictionary compares it: lower case, without accents, in words.

/// The words of `text`. Everything but letters and digits parts words; `l'épaule` is one word, `épaule`.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in text.chars() {
        let word = words.last_mut().expect("there is always a last word");
        match letter {
            '\'' | '\u{2019}' if matches!(word.as_str(), "l" | "d" | "qu") => word.clear(),
            // Combining marks belong to the letter before them.
            '\u{300}'..='\u{36F}' => {}
            _ if letter.is_alphanumeric() => plain(letter, word),
            _ if !word.is_empty() => words.push(String::new()),
            _ => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn plain(letter: char, word: &mut String) {
    for letter in letter.to_lowercase() {
        match letter {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => word.push('a'),
            'ç' => word.push('c'),
            'è' | 'é' | 'ê' | 'ë' => word.push('e'),
            'ì' | 'í' | 'î' | 'ï' => word.push('i'),
            'ñ' => word.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => word.push('o'),
            'ù' | 'ú' | 'û' | 'ü' => word.push('u'),
            'ý' | 'ÿ' => word.push('y'),
            'œ' => word.push_str("oe"),
            'æ' => word.push_str("ae"),
            'ß' => word.push_str("ss"),
            // Combining marks of letters that lower to two characters.
            '\u{300}'..='\u{36F}' => {}
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn accents_case_and_punctuation_do_not_count() {
        assert_eq!(words("RX ÉPAULE_G, l'épaule"), ["rx", "epaule", "g", "epaule"]);
        assert_eq!(words("e\u{301}paule  C-Spine (2)"), ["epaule", "c", "spine", "2"]);
        assert_eq!(words("..."), Vec::<String>::new());
        assert_eq!(words("L G'x"), ["l", "g", "x"]);
    }
}
