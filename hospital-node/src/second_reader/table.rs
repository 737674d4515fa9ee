//! Tesseract's table of words: a line each, fields between tabs, the last two confidence and text.

use snowball_imaging::Word;

/// The level of a word; pages, blocks and lines come before.
const WORD: &str = "5";
const FIELDS: usize = 12;

/// The words of a table. A line that is none is passed over: the table comes from a program that met hostile pixels.
pub fn words(table: &[u8]) -> Vec<Word> {
    let table = String::from_utf8_lossy(table);
    let word = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [level, .., confidence, text] = fields.as_slice() else {
            return None;
        };
        let is_word = fields.len() == FIELDS && *level == WORD && !text.trim().is_empty();
        is_word.then_some(Word {
            text: text.trim().to_owned(),
            confidence: confidence.parse().ok()?,
        })
    };
    table.lines().filter_map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_other_lines_passed_over() {
        let table = b"level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n\
            1\t1\t0\t0\t0\t0\t0\t0\t640\t640\t-1\t\n5\t1\t1\t1\t1\t1\t51\t60\t118\t23\t96.06\tTremblay,\n\
            5\t1\t1\t1\t1\t2\t9\t9\t9\t9\t12\t \n5\tcut\n5\t1\t1\t1\t1\t2\t9\t9\t9\t9\tno\tx\n\xff";
        let read = words(table);
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].text.as_str(), read[0].confidence), ("Tremblay,", 96.06));
    }
}
